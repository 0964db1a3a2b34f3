"""Spiders of each kind pass a strict type checker."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_spiders_of_each_kind_pass_strict_mypy():
    """With the cache of the checkout, which `make check` fills."""
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(HERE / "typed_kinds.py")],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
    )
    assert (ran.stdout, ran.returncode) == ("", 0)
