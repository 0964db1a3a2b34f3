from __future__ import annotations

from email.message import Message
from importlib import metadata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.settings import DomainLimits, DomainOverride, HttpSettings, Settings, ThrottleSettings
from scrapekit.settings.schema import default_user_agent

HOSTS = st.sampled_from(["example.org", "a.example.org", "b.a.example.org", "other.net", "::1"])
NAMES = st.one_of(HOSTS, st.sampled_from(["*", "*.org", "*.example.org", "a.*", "?.example.org", "[ab].example.org"]))
OVERRIDES = st.builds(DomainOverride, maxsize=st.none() | st.integers(1, 1024), adaptive=st.none() | st.booleans())


def test_a_host_without_an_exception_gets_the_defaults():
    limits = ThrottleSettings(maxsize=3, delay=1.5, jitter=0.1, adaptive=False).for_host("example.org")
    assert limits == DomainLimits(maxsize=3, delay=1.5, jitter=0.1, adaptive=False)


def test_an_exact_name_beats_a_glob_and_a_longer_glob_beats_a_shorter_one():
    throttle = ThrottleSettings(
        domains={
            "*": DomainOverride(maxsize=1),
            "*.example.org": DomainOverride(maxsize=2),
            "*.org": DomainOverride(maxsize=3),
            "a.example.org": DomainOverride(maxsize=4),
        }
    )
    found = {
        host: throttle.for_host(host).maxsize for host in ("a.example.org", "b.example.org", "example.org", "x.net")
    }
    assert found == {"a.example.org": 4, "b.example.org": 2, "example.org": 2, "x.net": 1}


def test_what_an_exception_leaves_out_comes_from_throttle_and_not_from_another_exception():
    throttle = ThrottleSettings(
        maxsize=9,
        delay=1.0,
        domains={"*": DomainOverride(delay=7.0), "example.org": DomainOverride(adaptive=False, jitter=0.0)},
    )
    assert throttle.for_host("example.org") == DomainLimits(maxsize=9, delay=1.0, jitter=0.0, adaptive=False)


def test_a_glob_of_subdomains_is_of_their_domain_too_but_of_no_other():
    throttle = ThrottleSettings(domains={"*.example.org": DomainOverride(maxsize=2)})
    assert throttle.for_host("example.org").maxsize == 2
    assert throttle.for_host("badexample.org").maxsize == 8


@given(st.dictionaries(NAMES, OVERRIDES), HOSTS, st.randoms())
def test_the_order_of_exceptions_never_matters(domains, host, random):
    shuffled = list(domains.items())
    random.shuffle(shuffled)
    assert ThrottleSettings(domains=domains).for_host(host) == ThrottleSettings(domains=dict(shuffled)).for_host(host)


def test_pools_are_derived_from_workers_unless_they_are_set():
    assert Settings(workers=16).num_pools == 64
    assert Settings(workers=100).num_pools == 200
    assert Settings(http=HttpSettings(num_pools=33)).num_pools == 33


@pytest.mark.parametrize(
    ("links", "agent"),
    [([], "scrapekit/1.2.3"), (["Homepage, https://sk.example"], "scrapekit/1.2.3 (+https://sk.example)")],
)
def test_the_user_agent_has_the_installed_version_and_the_declared_home(monkeypatch, links, agent):
    about = Message()
    about["Version"] = "1.2.3"
    for link in links:
        about["Project-URL"] = link
    monkeypatch.setattr(metadata, "metadata", lambda name: {"scrapekit": about}[name])
    assert default_user_agent.__wrapped__() == agent


def test_the_user_agent_of_a_checkout_that_is_not_installed_has_no_version(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "metadata", missing)
    assert default_user_agent.__wrapped__() == "scrapekit"


def test_settings_can_not_be_changed():
    with pytest.raises(AttributeError):
        Settings().workers = 3
