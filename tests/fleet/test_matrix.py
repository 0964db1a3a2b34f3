"""What a spider may use gives the same on every fleet, or is refused: one rich project, and all that it leaves behind.

On Ray it runs in test_ray.py, which has a cluster.
"""

import shutil
from pathlib import Path

import pytest
from matrix import HERE, crawl

from scrapekit.cli import main

TOLD_AGAIN = ("journal", "log")  # of a page that is fetched again after a crash
ARCHIVE, CACHE = "an archive is a file of this machine", "the cache is on the disk of this machine"
FOLDER = "give it an absolute path, which all nodes share or each has, or leave out fleet ray"
THREADS = "an archive is replayed in threads: use --fleet threads, not "


def test_processes_give_what_threads_give(on_threads, tmp_path):
    assert crawl(tmp_path / "processes", "processes:2") == on_threads


def test_a_crawl_by_processes_that_is_killed_and_resumed_gives_it_too(on_threads, tmp_path):
    found = crawl(tmp_path / "killed", "processes:2", killed_at="torn append:12")
    for name in TOLD_AGAIN:
        assert set(found.pop(name)) == set(on_threads[name])
    assert found == {name: lines for name, lines in on_threads.items() if name not in TOLD_AGAIN}


@pytest.mark.parametrize(
    ("fleet", "words", "said"),
    [
        ("processes:2", ["--replay", "x.warc.gz"], f"{THREADS}processes:2"),
        ("ray", ["--replay", "x.warc.gz"], f"{THREADS}ray"),
        ("ray", ["--record", "x.warc.gz"], f"{ARCHIVE}, where actors need not be: leave out --record or fleet ray"),
        ("ray", ["-s", "cache.mode=dev"], f"{CACHE}, where actors need not be: leave out cache or fleet ray"),
        ("ray", ["-s", "cache.mode=http"], f"{CACHE}, where actors need not be: leave out cache or fleet ray"),
        (
            "ray",
            ["-a", "folder=."],
            f"FilesPipeline of spider 'shop' keeps files in 'files', which goes with each actor: {FOLDER}",
        ),
    ],
)
def test_what_a_fleet_can_not_do_is_refused_in_one_line(tmp_path, monkeypatch, capsys, fleet, words, said):
    shutil.copytree(HERE / "rich", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUT", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    words = ["crawl", "shop", "-a", "url=http://127.0.0.1:9", *words, "--fleet", fleet]
    words += [] if "-a" in words[4:] else ["-a", f"folder={tmp_path}"]
    assert main([*words, "-s", "log.json=false"]) == 2
    assert capsys.readouterr().err == f"scrapekit: error: {said}\n"
    assert not [*Path().rglob("*.warc.gz*")]
