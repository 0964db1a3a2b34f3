"""The fixtures of the acceptance tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import ROOT, Shell


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project's folder, with the spiders that ship."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "spiders", folder / "spiders", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def shell(project: Path) -> Iterator[Shell]:
    shell = Shell(project)
    yield shell
    shell.close()
