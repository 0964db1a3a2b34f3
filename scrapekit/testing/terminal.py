"""A :class:`Terminal`: a real one of tmux, to see what a program shows and to press keys in it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

_LOOK_SECONDS = 0.05


class Terminal:
    """Runs a command in a terminal of its own, until the ``with`` block ends. For one thread.

    The screen stays when the command has ended, and its last line is then ``[exit N]``.

    Args:
        command: The program and its arguments.
        columns: The terminal's width.
        rows: Its height.
        folder: The working directory.
        environment: Variables to set besides ours.

    Raises:
        FileNotFoundError: tmux is not installed.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 100,
        rows: int = 30,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        if shutil.which("tmux") is None:
            raise FileNotFoundError("tmux is not installed")
        self._socket = tempfile.TemporaryDirectory(prefix="scrapekit-tmux-")
        line = f"{shlex.join(command)}; printf '[exit %d]' $?; cat"
        # tmux would take its variables from the first server of its user, which ours is not.
        given = [word for name, value in (environment or {}).items() for word in ("-e", f"{name}={value}")]
        self._tmux(
            *("-f", os.devnull, "new-session", "-d", "-x", str(columns), "-y", str(rows)),
            *("-c", str(folder or Path.cwd()), *given, line),
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")
        self._socket.cleanup()

    def screen(self, *, colours: bool = False) -> str:
        """What the terminal shows, without blanks at the ends of lines; with ``colours``, as ANSI sequences."""
        shown = self._tmux("capture-pane", "-p", *(["-e"] if colours else []))
        return "\n".join(line.rstrip() for line in shown.splitlines()).rstrip()

    def await_text(self, pattern: str, seconds: float = 60.0) -> str:
        """The first screen on which this regular expression is found; ``^`` and ``$`` are the ends of lines.

        Raises:
            TimeoutError: There was none in time; with the last screen.
        """
        until = time.monotonic() + seconds
        while not re.search(pattern, shown := self.screen(), re.MULTILINE):
            if time.monotonic() > until:
                raise TimeoutError(f"{pattern!r} is not on the screen:\n{shown}")
            time.sleep(_LOOK_SECONDS)
        return shown

    def press(self, key: str) -> None:
        """Press a key, as tmux names it: ``C-c``, ``Enter``, ``q``."""
        self._tmux("send-keys", key)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", f"{self._socket.name}/socket", *words]
        done = subprocess.run(command, capture_output=True, check=True, encoding="utf-8")  # noqa: S603  (our own words)
        return done.stdout
