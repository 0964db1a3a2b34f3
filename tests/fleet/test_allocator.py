import os
import subprocess
import sys
from pathlib import Path

import pytest

from scrapekit.fleet import allocator

ROOT = Path(__file__).parents[2]
MANY_THREADS = """
import os, threading
from scrapekit.fleet.allocator import give_memory_back
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20
print(give_memory_back())
def need():
    for _ in range(4):  # the first one raises glibc's limits, if they are let
        block = b"x" * 20_000_000
        del block
    all_there.wait()
    blocks = [b"x" * 900_000 for _ in range(10)]
    all_there.wait()
    del blocks
    all_there.wait()
all_there = threading.Barrier(8)
threads = [threading.Thread(target=need) for _ in range(8)]
before = resident()
for thread in threads: thread.start()
for thread in threads: thread.join()
print(resident() - before)
"""


def run(**env):
    done = subprocess.run(
        [sys.executable, "-c", MANY_THREADS],
        capture_output=True, text=True, timeout=60, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)} | env,
    )  # fmt: skip
    asked, grown = done.stdout.split()
    return asked == "True", int(grown)


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of others has no such limits")
def test_what_many_threads_needed_for_a_moment_goes_back_to_the_system():
    asked, grown = run()
    if not asked:
        pytest.skip("this is not glibc, or the environment has chosen")
    assert grown < 40  # MiB; glibc by itself keeps 150


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of others has no such limits")
def test_what_the_environment_says_stands():
    assert run(MALLOC_TRIM_THRESHOLD_="67108864", MALLOC_MMAP_THRESHOLD_="33554432")[0] is False


def test_elsewhere_nothing_is_asked(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert allocator.give_memory_back() is False
