"""The fleet of actors, on a real Ray cluster of two nodes that are processes of this machine."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from matrix import SPIDERS, crawl, first_frame
from sites import site

import scrapekit
from scrapekit.errors import ConfigError, FleetError, SpiderError
from scrapekit.project.spiders import load_spider
from scrapekit.testing import SampleSite, serve

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}  # before Ray reads them
ray = pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.xdist_group("ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray", "ignore:.*subprocess .* is still running:ResourceWarning"),
]
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HTML = [("Content-Type", "text/html")]
MAXSIZE = 6
CROWD = 30  # requests, after which the sample site has told of more pages than may be asked for at once


@pytest.fixture(scope="module")
def cluster():
    """The head with room for two actors; none of Ray's processes outlives the module."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        head = {"num_cpus": 2, "object_store_memory": 80_000_000, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        yield cluster
        cluster.shutdown()
    assert not ray.is_initialized()
    assert raylets() == []


def processes():
    """Every process, with its parent and its command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            yield int(folder.name), parent, (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()


def raylets():
    ours = [pid for pid, parent, _ in processes() if parent == os.getpid()]
    return [pid for pid in ours if any(p == pid and "raylet" in line for p, _, line in processes())]


def actors_of(node):
    """The process ids of the actors on a node."""
    raylet = node.all_processes["raylet"][0].process.pid
    return [pid for pid, parent, line in processes() if parent == raylet and line.startswith("ray::Actor")]


def spider(name):
    return load_spider(f"{HERE}/process_spiders.py:{name}", HERE)


def books():
    return load_spider(str(ROOT / "spiders" / "books.py"), ROOT)


def settings_for(cluster, kind=None, *, actors=2, resources=None, start_timeout=60, **settings):
    fleet = {"kind": kind or f"ray:{cluster.address}", "actors": actors, "start_timeout": start_timeout}
    quick = {"workers": 4, "retry": {"backoff": {"initial": 0.01}}}
    return quick | {"fleet": fleet | {"resources": resources or {}}} | settings


def die(cluster, node):
    """What happens when a machine goes: all its processes at once."""
    victims = actors_of(node)
    cluster.remove_node(node, allow_graceful=False)
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    return victims


class Disaster:
    """A site that lets as many requests come as may be open at once, before an actor or a node is killed.

    From then on it answers at once, so none of the requests of the dead is open at the server any more when the living
    ask again for the same pages.
    """

    def __init__(self, sample, at, at_once=MAXSIZE):
        self.sample = sample
        self.at_once = at_once
        self.at = dict(at)  # what to do, by the number of the request that brings it about
        self.seen = self.open = 0
        self.lock = threading.Lock()
        self.quick = threading.Event()

    def __call__(self, view):
        with self.lock:
            self.seen += 1
            self.open += 1
            act = self.at.pop(self.seen, None)
            crowded = self.seen > CROWD
            if act is not None or self.open == self.at_once:
                self.quick.set()
        if act is not None:
            act()
        if crowded:
            self.quick.wait(10)
        with self.lock:
            self.open -= 1
        return self.sample(view)


def test_a_killed_actor_and_a_removed_node_cost_nothing_but_time(cluster, tmp_path):
    node = cluster.add_node(num_cpus=2, object_store_memory=80_000_000)
    killed = []

    def kill_actor():
        killed.append(actors_of(cluster.head_node)[0])
        os.kill(killed[0], signal.SIGKILL)

    sample = SampleSite(books=300, retry_after=0)
    app = Disaster(sample, {100: kill_actor, 200: lambda: killed.extend(die(cluster, node))})
    output = tmp_path / "out.jsonl"
    with serve(app) as server:
        settings = settings_for(cluster, actors=4, throttle={"maxsize": MAXSIZE, "adaptive": False})
        report = scrapekit.run(books(), output=output, url=f"{server.url}/", settings=settings)
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert len(killed) == 3
    assert report.stats.deaths == 3
    assert report.workers == 16
    assert len({line["url"] for line in lines}) == len(lines) == 300
    assert server.max_open_by_host == {"127.0.0.1": MAXSIZE}
    assert report.failure is None


def test_a_connection_that_is_ours_is_used_and_left_alone(cluster, tmp_path):
    sample = SampleSite(books=40, retry_after=0)
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    with serve(sample) as server:
        settings = settings_for(cluster, "ray")
        report = scrapekit.run(books(), output=tmp_path / "out.jsonl", url=f"{server.url}/", settings=settings)
    assert (report.items, report.pool.requests) == (40, report.stats.requests)
    assert ray.is_initialized()
    ray.shutdown()


def test_all_that_a_spider_may_use_gives_what_it_gives_on_threads_and_can_be_watched(cluster, on_threads, tmp_path):
    frames = []

    def one_page_is_left(frame):
        pool, numbers = frame["pool"], frame["numbers"]
        return pool and (pool["in_use"], numbers["in_flight"]) == (1, 1) and numbers["items"]

    assert (
        crawl(
            tmp_path / "ray",
            f"ray:{cluster.address}",
            watch=lambda url: frames.append(first_frame(url, one_page_is_left)),
        )
        == on_threads
    )
    [frame] = frames
    assert (frame["phase"], frame["spider"]) == ("running", ", ".join(sorted(SPIDERS)))


def test_a_page_that_kills_its_actor_is_quarantined_and_takes_no_other_page_with_it(cluster, tmp_path):
    output = tmp_path / "out.jsonl"
    with serve(site(40, deadly=True)) as server:
        report = scrapekit.run(
            spider("Killer"), output=output, start_urls=[f"{server.url}/"], settings=settings_for(cluster)
        )
    found = sorted(json.loads(line)["url"] for line in output.read_text().splitlines())
    assert found == sorted([f"{server.url}/", *(f"{server.url}/{n}" for n in range(40))])
    assert (report.stats.deaths, report.stats.quarantined, report.stats.failed) == (3, 1, 0)
    assert server.hits["/deadly"] == 3
    assert not ray.is_initialized()


def test_a_spider_that_can_not_be_made_in_an_actor_is_one_clear_line(cluster, monkeypatch):
    monkeypatch.setenv("SCRAPEKIT_TEST_PARENT", str(os.getpid()))
    with pytest.raises(SpiderError, match=r"^an actor can't start: .*RuntimeError: not in a worker process$"):
        scrapekit.run(spider("Unmakeable"), start_urls=["http://127.0.0.1/"], settings=settings_for(cluster))
    assert not ray.is_initialized()


def test_the_crawl_ends_when_actors_only_die(cluster):
    with serve(site(40)) as server, pytest.raises(FleetError, match=r"^actors keep dying: The actor is dead because"):
        scrapekit.run(spider("Mortal"), start_urls=[f"{server.url}/"], settings=settings_for(cluster, actors=1))
    assert not ray.is_initialized()


def test_actors_that_find_no_room_are_one_clear_line(cluster):
    settings = settings_for(cluster, resources={"moon": 1}, start_timeout=1)
    wanted = "none of 2 actors could be started in 1 s: has a node of the cluster 1 CPU and 1 moon free?"
    with pytest.raises(FleetError) as raised:
        scrapekit.run(spider("Links"), start_urls=["http://127.0.0.1/"], settings=settings)
    assert str(raised.value) == wanted
    assert not ray.is_initialized()


def test_the_crawl_begins_with_the_actors_that_find_room(cluster, caplog):
    with serve(site(20)) as server:
        settings = settings_for(cluster, actors=3, start_timeout=8)
        report = scrapekit.run(spider("Links"), start_urls=[f"{server.url}/"], settings=settings)
    assert report.pages == 21
    assert " of 3 actors are not there yet: beginning without them" in caplog.text


def test_the_crawl_ends_when_the_last_node_with_room_is_gone(cluster):
    node = cluster.add_node(num_cpus=1, resources={"moon": 1}, object_store_memory=80_000_000)
    app = Disaster(site(200), {50: lambda: die(cluster, node)}, at_once=4)
    settings = settings_for(cluster, actors=1, resources={"moon": 1}, start_timeout=5)
    with serve(app) as server, pytest.raises(FleetError, match=r"^there are no actors left, and none could be started"):
        scrapekit.run(spider("Links"), start_urls=[f"{server.url}/"], settings=settings)


def test_a_cluster_that_is_not_there_is_one_clear_line():
    with pytest.raises(ConfigError, match=r"^can't connect to the Ray cluster at 127\.0\.0\.1:9: "):
        scrapekit.run(spider("Links"), start_urls=["http://127.0.0.1/"], settings={"fleet": "ray:127.0.0.1:9"})


def test_the_command_starts_ray_by_itself_keeps_stdout_for_items_and_leaves_nothing_running(tmp_path):
    sample = SampleSite(books=60, retry_after=0)
    raylet = []

    def kill():
        raylet.extend(pid for pid, parent, line in processes() if parent == command.pid and "/raylet " in line)
        actors = [pid for pid, parent, line in processes() if parent == raylet[0] and line.startswith("ray::Actor")]
        os.kill(actors[0], signal.SIGKILL)

    with serve(Disaster(sample, {30: kill})) as server:
        words = ["crawl", str(ROOT / "spiders" / "books.py"), "-a", f"url={server.url}/", "-o", "-", "--fleet", "ray"]
        command = subprocess.Popen(
            [sys.executable, "-m", "scrapekit", *words, "-s", "workers=4"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        out, err = command.communicate(timeout=120)
    assert command.returncode == 0, err
    assert len([json.loads(line) for line in out.splitlines()]) == 60
    assert "raylet" not in err
    assert not any(raylet[0] in {pid, parent} for pid, parent, _ in processes())
