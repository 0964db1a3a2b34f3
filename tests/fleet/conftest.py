"""What the tests of fleets share."""

import pytest


@pytest.fixture(scope="session")
def on_threads(tmp_path_factory):
    """What the rich project leaves behind on threads: see matrix.py."""
    from matrix import crawl

    return crawl(tmp_path_factory.mktemp("rich") / "threads", "threads")
