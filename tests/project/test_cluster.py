"""The way to a cluster, as far as it goes without one."""

import sys
import threading
from types import SimpleNamespace

import pytest

import scrapekit
from scrapekit.errors import ConfigError
from scrapekit.project import cluster

RAY = {"fleet": "ray"}


class Numbers(scrapekit.Spider):
    start_urls = ("http://127.0.0.1:9/",)


class FakeRay(SimpleNamespace):
    """Knows how often it was begun and ended."""

    def __init__(self, error=None):
        super().__init__(begun=[], ended=0, error=error)

    def is_initialized(self):
        return len(self.begun) > self.ended

    def init(self, address, **options):
        if self.error is not None:
            raise self.error
        self.begun.append((address, options))

    def shutdown(self):
        self.ended += 1


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    return fake


def test_without_ray_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError) as raised:
        scrapekit.run(Numbers, settings=RAY)
    assert str(raised.value) == (
        "fleet ray needs Ray, which is not installed here: in the checkout of scrapekit, pip install '.[ray]'"
    )


def test_a_ray_that_can_not_be_started_is_one_clear_line(fake):
    fake.error = RuntimeError("it is full. And so on\nand so on")
    with pytest.raises(ConfigError, match=r"^Ray can't be started here: it is full$"):
        scrapekit.run(Numbers, settings=RAY)


def test_a_cluster_that_may_ask_for_a_token_is_one_clear_line(fake, monkeypatch):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    fake.error = ConnectionError("Failed to connect to the cluster")
    wanted = "can't connect to the Ray cluster at auto: Failed to connect to the cluster"
    with pytest.raises(ConfigError) as raised:
        scrapekit.run(Numbers, settings={"fleet": "ray:auto"})
    assert str(raised.value) == f"{wanted} (does it ask for a token? then set RAY_AUTH_MODE=token)"
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(ConfigError) as raised:
        scrapekit.run(Numbers, settings={"fleet": "ray:auto"})
    assert str(raised.value) == wanted


def test_crawls_share_one_connection_and_the_last_one_ends_it(fake):
    ray, leave = cluster._connect("", 3, {"proxy": 3})
    _, leave_too = cluster._connect("", 3, {})
    assert ray is fake
    [(address, options)] = fake.begun
    assert address == "local"
    assert options["num_cpus"] >= 3
    assert options["resources"] == {"proxy": 3}
    with pytest.raises(
        ConfigError, match="uses the Ray cluster 'local', so another one can't use '10.0.0.1:6379': Ray"
    ):
        cluster._connect("10.0.0.1:6379", 1, {})
    leave()
    assert fake.ended == 0
    leave_too()
    assert fake.ended == 1
    cluster._connect("10.0.0.1:6379", 1, {})[1]()
    assert fake.ended == 2


def test_a_connection_that_the_program_has_made_is_left_alone(fake):
    fake.init("mine")
    _, leave = cluster._connect("", 1, {})
    leave()
    assert (len(fake.begun), fake.ended) == (1, 0)


def test_a_job_that_was_submitted_to_a_cluster_uses_that(fake, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    cluster._connect("", 1, {})[1]()
    assert fake.begun == [("auto", {"log_to_driver": False, "logging_level": "ERROR"})]


def test_threads_other_than_the_main_one_may_connect(fake):
    def connect():
        _, leave = cluster._connect("", 1, {})
        leave()

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()
    assert fake.ended == 1
