"""Which files a crawl writes: each must be another one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from os.path import realpath

from scrapekit.errors import OutputError


def check_apart(files: Mapping[str, Iterable[str | os.PathLike[str]]]) -> None:
    """See to it that a file gets one kind of thing: in one with two, each would be torn or lost.

    Args:
        files: Paths, ``-`` and URLs, by what goes there.

    Raises:
        OutputError: Two kinds would go to the same file.
    """
    taken: dict[str, str] = {}
    for what, paths in files.items():
        for path in paths:
            if os.fspath(path) in {"-", os.devnull}:
                continue
            # Unlike Path.resolve(), this takes links that lead in circles.
            if (other := taken.setdefault(realpath(path), what)) != what:
                raise OutputError(f"{path}: {other} and {what} can't go to one file: take another name for one of them")
