"""Fields have the types of what they find: a strict type checker sees them."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_a_spider_with_items_passes_strict_mypy():
    """With the cache of the checkout, which `make check` fills."""
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(HERE / "typed_spider.py")],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
    )
    assert (ran.stdout, ran.returncode) == ("", 0)
