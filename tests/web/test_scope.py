from __future__ import annotations

import pytest

from scrapekit.errors import ConfigError
from scrapekit.web import scope
from scrapekit.web.scope import Scope


@pytest.mark.parametrize("entry", ["example.org", ".example.org", "*.example.org", " EXAMPLE.org. "])
def test_a_domain_allows_itself_and_its_subdomains(entry):
    found = Scope([entry])
    assert [host for host in ("example.org", "a.example.org", "a.b.example.org") if found.allows(host)] == [
        "example.org",
        "a.example.org",
        "a.b.example.org",
    ]
    assert not any(map(found.allows, ["badexample.org", "example.org.evil.com", "org", "example.com", "127.0.0.1"]))


@pytest.mark.parametrize("domains", [None, ["*"], ["example.org", "*"]])
def test_none_or_a_star_allows_everything(domains):
    assert Scope(domains).allows("anything.test")
    assert repr(Scope(domains)) == "<Scope anywhere>"


def test_no_domains_allow_nothing():
    assert not Scope([]).allows("example.org")


def test_an_international_domain_is_known_by_both_spellings():
    assert Scope(["bücher.de"]).allows("www.xn--bcher-kva.de")
    assert Scope(["xn--bcher-kva.de"]).allows("xn--bcher-kva.de")


@pytest.mark.parametrize(
    ("entry", "host"),
    [("127.0.0.1", "127.0.0.1"), ("127.1", "127.0.0.1"), ("::1", "::1"), ("[2001:DB8::1]", "2001:db8::1")],
)
def test_an_address_allows_itself_only(entry, host):
    assert Scope([entry]).allows(host)
    assert not Scope([entry]).allows("127.0.0.2")


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        ("example.org", r"must be a list: write \['example.org'\]"),
        (["https://example.org/"], "is a URL: write the domain only"),
        (["example.org/path"], "is a URL"),
        (["example.org:8080"], "has a port"),
        (["[::1]:80"], "has a port"),
        (["exa mple.org"], "is not a domain"),
        ([""], "is not a domain"),
        (["1:2:3"], "is not a domain"),
    ],
)
def test_what_is_no_domain_is_refused_with_a_hint(domains, message):
    with pytest.raises(ConfigError, match=message):
        Scope(domains)


def test_a_host_that_is_added_is_allowed_from_then_on():
    found = Scope(["example.org"])
    assert not found.allows("www.example.com")
    assert found.add("example.com")
    assert found.allows("www.example.com")
    assert not found.add("example.com")
    assert not found.add("a.example.org")
    assert found.add("::1")
    assert Scope(found._domains).allows("::1")
    assert not Scope(None).add("example.com")


def test_the_memo_is_bounded(monkeypatch):
    monkeypatch.setattr(scope, "_MEMO", 3)
    found = Scope(["example.org"])
    for _ in range(2):
        assert [found.allows(f"h{n}.example.org") for n in range(10)] == [True] * 10
        assert not found.allows("example.com")
        assert not found.allows("example.com")
    assert len(found._allowed) <= 3


def test_the_repr_names_the_domains():
    assert repr(Scope(["b.org", "a.org"])) == "<Scope a.org b.org>"
