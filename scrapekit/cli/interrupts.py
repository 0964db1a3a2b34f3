"""Ctrl-C, SIGTERM and SIGHUP while a crawl runs: once to drain, twice to stop, three times to leave at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Self

# A service manager says SIGTERM, a terminal that is closed SIGHUP (which Windows has not).
_SIGNALS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
_SHOW_CURSOR = b"\x1b[?25h"


class Interrupts:
    """Takes these signals until the ``with`` block ends; in the main thread only, elsewhere it does nothing.

    A signal that is ignored stays so: the shell ignores Ctrl-C for what it runs in the background, nohup the SIGHUP.

    Args:
        first: Called by the first signal.
        second: Called by the second one.
        last_words: What the third one writes to stderr before the process ends with 130, on the spot.
    """

    def __init__(self, first: Callable[[], None], second: Callable[[], None], last_words: str) -> None:
        self._actions = [first, second]
        self._last_words = last_words
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        # The interrupted thread may be in the middle of writing to sys.stderr, so nothing is printed from here.
        if self._actions:
            self._actions.pop(0)()
            return
        with suppress(OSError):  # whoever read it has gone
            os.write(2, (_SHOW_CURSOR if os.isatty(2) else b"") + f"\n{self._last_words}\n".encode(errors="replace"))
        os._exit(130)
