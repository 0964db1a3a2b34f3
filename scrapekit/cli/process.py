"""The command line as a process: what must hold before it and after it, and holds for no program that calls it."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from time import monotonic
from typing import NoReturn, TextIO

from scrapekit.cli.app import main
from scrapekit.cli.live import print_line
from scrapekit.safe import safe_lines

_LINGER_SECONDS = 0.5  # for threads that are on their way out


def entry() -> NoReturn:
    """Run the command of this process, and end it with the exit code of :func:`~scrapekit.cli.main`.

    A worker whose callback never returns does not hold the end up: by then all is committed and closed, and Python
    would wait for it. For the main thread.
    """
    _fill_standard_descriptors()
    code = 1
    try:
        code = main()
    except SystemExit as end:  # click's, when the reader of stdout has gone
        code = int(end.code or 0)
    except Exception as bug:  # noqa: BLE001  (shown as Python would, but for what would drive the terminal)
        print_line(safe_lines("".join(traceback.format_exception(bug)).rstrip()))
    _flush(sys.stderr, 2)
    unwritten = _flush(sys.stdout, 1)
    if unwritten and not code:
        print_line(f"scrapekit: error: stdout can't be written: {unwritten}")
        code = 1
    if busy := _busy_workers():
        print_line(
            f"{busy} worker{'s'[: busy != 1]} did not come back, from a callback or from looking up a name: "
            "the process ends without waiting any longer"
        )
        os._exit(code)
    sys.exit(code)


def _fill_standard_descriptors() -> None:
    """Keep the numbers of closed standard streams from files that we open: what is written to stderr would go there."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free. Only to be read, so that to write to it is an error, as it was.
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)


def _flush(stream: TextIO | None, number: int) -> str:
    """Why a standard stream does not take what was written to it; empty if it does. None is one that was closed."""
    try:
        if stream is not None:
            stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)  # or Python would try again, and exit with 120
        return error.strerror or str(error)
    return ""


def _busy_workers() -> int:
    """Worker threads that are still alive, a moment after their fleet was closed."""
    until = monotonic() + _LINGER_SECONDS
    workers = [each for each in threading.enumerate() if each.name.startswith("scrapekit-worker")]
    for worker in workers:
        worker.join(max(0.0, until - monotonic()))
    return sum(worker.is_alive() for worker in workers)
