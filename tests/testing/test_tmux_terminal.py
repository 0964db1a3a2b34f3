"""A terminal of tmux: what it shows, keys, sizes, and that it goes."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from scrapekit.testing.terminal import Terminal

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
ASK = "import os; print(os.environ['WORD'], *os.get_terminal_size()); input(); print('\\x1b[31mred\\x1b[m   '); exit(3)"


@needs_tmux
def test_it_shows_what_a_program_writes_and_presses_keys(tmp_path):
    command = [sys.executable, "-c", ASK]
    with Terminal(command, columns=60, rows=10, folder=tmp_path, environment={"WORD": "hello"}) as terminal:
        terminal.await_text("hello 60 10")
        terminal.resize(50, 9)
        terminal.press("Enter")
        assert terminal.await_text(r"^\[exit 3\]$").splitlines() == ["hello 60 10", "", "red", "[exit 3]"]
        assert "\x1b[31mred" in terminal.screen(colours=True)
        with pytest.raises(TimeoutError, match="'never' is not on the screen:\nhello"):
            terminal.await_text("never", 0.1)
        socket = terminal._socket.name
    gone = subprocess.run(["tmux", "-S", f"{socket}/socket", "ls"], capture_output=True, check=False)
    assert gone.returncode == 1


def test_without_tmux_it_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match="tmux is not installed"):
        Terminal(["true"])
