"""The benchmarks still fit what they measure. What they measure is not asserted: machines differ."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent / "bench"
# The parts of others, and what is measured against a library that only its own environment has.
SCRIPTS = sorted(
    path.name
    for path in BENCH.glob("*.py")
    if "argparse" in path.read_text() and "import parsel" not in path.read_text()
)


def run(name, *words):
    done = subprocess.run([sys.executable, str(BENCH / name), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_says_what_it_measures(name):
    assert run(name, "--help").startswith(f"usage: bench/{name}")


def test_the_engine_alone_runs_to_the_end(tmp_path):
    told = json.loads(run("engine_ceiling.py", "--total", "20000", "--json", str(tmp_path / "told.json")))
    assert told["done"] == 20_000
    assert told["at_10000"]["requests_per_second"] > 0
    assert json.loads((tmp_path / "told.json").read_text()) == told


def test_queued_requests_are_counted_after_a_restart(tmp_path):
    run("queued.py", "--count", "2000", "--json", str(tmp_path / "told.json"))
    assert json.loads((tmp_path / "told.json").read_text())["resume"]["pending"] == 2000
