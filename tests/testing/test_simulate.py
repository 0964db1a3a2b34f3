import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from mutants import MUTANTS, mutate

from scrapekit.testing.simulate import Node, SimHost, World, draw, shrink, simulate
from scrapekit.testing.simulate.__main__ import main
from scrapekit.testing.simulate.expect import expect

SEEDS = 200  # the quick set; python -m scrapekit.testing.simulate takes as many as you like


@pytest.fixture(scope="module")
def quick_set():
    """Worlds, and how their crawls went: simulated once, in the one worker of pytest-xdist that has their group."""
    worlds = [draw(seed) for seed in range(SEEDS)]
    return worlds, [simulate(world) for world in worlds]


@pytest.mark.xdist_group("quick set")
def test_the_invariants_hold_in_every_world(quick_set):
    worlds, results = quick_set
    assert {world.seed: result.violation for world, result in zip(worlds, results, strict=True) if result.kind} == {}


@pytest.mark.xdist_group("quick set")
def test_the_quick_set_has_all_kinds_of_disturbance(quick_set):
    worlds, results = quick_set
    assert sum(result.kills for result in results) > 50
    assert any(world.stops for world in worlds)
    assert any(world.pauses for world in worlds)
    assert {(world.in_file, result.runs > 1) for world, result in zip(worlds, results, strict=True)} == {
        (True, True), (True, False), (False, True), (False, False),
    }  # fmt: skip
    kinds = {state for world in worlds for states in expect(world).states.values() for state in states}
    assert kinds == {"done", "failed", "dropped", "quarantined"}


@pytest.mark.parametrize("in_file", [True, False], ids=["file", "memory"])
def test_a_world_has_its_frontier_in_a_file_for_each_process_anew_or_in_memory(monkeypatch, in_file):
    opened, connect = [], sqlite3.connect

    def connected(name, *rest, **options):
        opened.append(Path(name).name)
        return connect(name, *rest, **options)

    monkeypatch.setattr(sqlite3, "connect", connected)
    world = World(7, BROKEN.hosts, BROKEN.nodes, BROKEN.start, in_file=in_file, stops=[-0.1])
    result = simulate(world)
    assert (result.kind, result.runs) == (None, 2)
    assert opened == (["frontier.sqlite"] * 3 if in_file else [":memory:"])  # two runs, and the judge


@pytest.mark.parametrize("seed", [3, 14, 53])
def test_a_seed_gives_the_same_crawl_each_time(seed):
    assert simulate(draw(seed)) == simulate(draw(seed))


CATCH = """
import logging, sys
from scrapekit.testing.simulate import draw, simulate
logging.getLogger("scrapekit").setLevel(logging.CRITICAL)
for seed in range(1000):
    result = simulate(draw(seed))
    if result.kind:
        sys.exit(f"seed {seed}: {result.violation}")
"""


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_are_caught_within_a_thousand_seeds(name, tmp_path):
    folder = mutate(tmp_path, MUTANTS[name])
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    ran = subprocess.run(
        [sys.executable, "-c", CATCH],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1, f"survived: {ran.stderr}"
    assert ran.stderr.startswith("seed "), ran.stderr
    print(f"\n{name}: {ran.stderr}")  # noqa: T201  (for pytest -s)


BROKEN = World(
    7,
    hosts=[SimHost("h0.test"), SimHost("h1.test")],
    # The item is expected of a page whose 403 the oracle doesn't know: a failure that the judge must see.
    nodes=[Node("http://h0.test/", links=["http://h1.test/"]), Node("http://h1.test/"), Node("http://h1.test/2")],
    start=["http://h0.test/"],
)


def test_a_failing_world_is_made_small():
    def has_a_second_page(world):
        return any(node.url.endswith("/2") for node in world.nodes)

    small = shrink(draw(2), lambda world: len(world.nodes) >= 2)
    assert len(small.nodes) == 2
    assert not any(node.links for node in small.nodes)
    assert len(shrink(BROKEN, has_a_second_page).nodes) == 1


def test_the_command_crawls_worlds_and_says_how_many(capsys):
    assert main(["--seeds", "5", "--first", "10"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("5 worlds, ")
    assert "no violation" in said


def test_the_command_shows_the_trace_of_one_seed(capsys):
    assert main(["--seed", "4"]) == 0
    *trace, verdict = capsys.readouterr().out.splitlines()
    assert verdict == "no violation"
    assert any("submit" in line for line in trace)


def test_a_world_from_a_file_is_replayed(tmp_path, capsys):
    path = tmp_path / "world.json"
    path.write_bytes(msgspec.json.encode(BROKEN))
    assert main(["--replay", str(path)]) == 0
    assert "http://h1.test/" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"{", b'{"seed": "x"}'], ids=["no file", "no JSON", "no world"])
def test_a_file_that_is_no_world_is_refused_in_a_line(tmp_path, content, capsys):
    path = tmp_path / "world.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main(["--replay", str(path)])
    assert ended.value.code == 2
    assert "world.json" in capsys.readouterr().err.splitlines()[-1]


def test_a_violation_is_explained_by_a_small_world_and_its_trace(capsys, monkeypatch):
    """The engine is made to forget that a host has been asked."""
    from scrapekit.engine.host import Host

    monkeypatch.setattr(Host, "due", lambda host: host.not_before)
    assert main(["--seeds", "200"]) == 1
    printed = capsys.readouterr()
    assert "delay: " in printed.err
    line = printed.out.splitlines()[-1]
    world = msgspec.json.decode(line, type=World)
    assert json.loads(line)["seed"] == world.seed
    assert len(world.nodes) <= 3
    assert simulate(world).kind == "delay"
