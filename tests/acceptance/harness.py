"""The real command in real processes: a folder to run it in, and sites that have a process of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from scrapekit.testing.mortal import VARIABLE

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # seconds until a test gives a process up; nothing is asserted about how long anything takes


class Shell:
    """Runs ``scrapekit`` as a user does, in a folder.

    Args:
        folder: The working directory.
        package: The folder that has the package ``scrapekit``; a mutant has one of its own.
    """

    def __init__(self, folder: Path, package: Path = ROOT) -> None:
        self.folder = folder
        self.package = package
        self._started: list[subprocess.Popen[str]] = []

    def start(
        self, *arguments: str | Path, env: dict[str, str] | None = None, module: str = "scrapekit", **options
    ) -> subprocess.Popen[str]:
        """A running ``scrapekit``, with pipes for its output, in a process group of its own."""
        command = [sys.executable, "-m", module, *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(self.package), "NO_COLOR": "1", **(env or {})}
        if self.package != ROOT:  # the lines that a mutant runs are not those of the package
            environment = {name: value for name, value in environment.items() if not name.startswith("COV")}
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        options = pipes | {"text": True, "process_group": 0} | options
        process = subprocess.Popen(command, cwd=self.folder, env=environment, **options)
        self._started.append(process)
        return process

    def close(self) -> None:
        """End what a test that failed has left running."""
        for process in self._started:
            if process.returncode is None:
                process.kill()
                process.communicate()

    def run(
        self, *arguments: str | Path, env: dict[str, str] | None = None, **options
    ) -> subprocess.CompletedProcess[str]:
        """``scrapekit`` run to its end."""
        with self.start(*arguments, env=env, **options) as process:
            try:
                out, err = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                pytest.fail(f"{process.args} did not end in {PATIENCE} s; it said: {out}{err}")
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def die_at(self, point: str, *arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
        """``scrapekit`` run until it kills itself at a failpoint, or to its end: see scrapekit/testing/mortal.py."""
        return self.run(*arguments, env={VARIABLE: point}, module="scrapekit.testing.mortal", **options)

    def die_and_resume(self, arguments: Sequence[str | Path], points: Iterable[str]) -> int:
        """How often a crawl was killed on its way to the end, which is asserted to be a good one."""
        kills = 0
        for point in points:
            run = self.die_at(point, *arguments)
            if run.returncode != -signal.SIGKILL:
                break  # nothing was left to do before its time came
            kills += 1
            arguments = [*arguments[:2], "--resume"]
        else:
            run = self.run(*arguments)
        assert run.returncode == 0, (run.stdout, run.stderr)
        return kills


class LoggedSite:
    """The sample site in a process of its own, and what its log says: see logged_site.py."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self._go = log.with_name(f"{log.name}.go")
        self._log = log.open(encoding="ascii")
        self._rest = ""
        self._targets: list[str] = []
        self._answered = 0

    @property
    def targets(self) -> list[str]:
        """What was asked for until now, in order."""
        *lines, self._rest = (self._rest + self._log.read()).split("\n")
        for line in lines:
            if line[0] == "+":
                self._targets.append(line[2:])
            else:
                self._answered += 1
        return self._targets

    @property
    def open(self) -> int:
        """Requests that are being answered now."""
        return len(self.targets) - self._answered

    def go(self) -> None:
        """Answer the page that hangs."""
        self._go.touch()

    def close(self) -> None:
        self._log.close()


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> bool:
    """Whether ``condition`` came true before the process ended."""
    until = time.monotonic() + PATIENCE
    while not condition():
        if process is not None and process.poll() is not None:
            return False
        assert time.monotonic() < until, f"not in {PATIENCE} s"
        time.sleep(0.002)
    return True


@contextlib.contextmanager
def logged_site(folder: Path, *options: str) -> Iterator[LoggedSite]:
    log = folder / "site.log"
    log.touch(exist_ok=False)
    command = [sys.executable, str(Path(__file__).with_name("logged_site.py")), str(log), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, process_group=0) as process:
        try:
            site = LoggedSite(process.stdout.readline().strip(), log)
            assert site.url
            yield site
            site.close()
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE)


class Nginx:
    """A running nginx and its access log: for each request its connection's number, its status and its target."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self._log = log

    def requests(self) -> list[tuple[int, int, str]]:
        lines = [line.split(" ", 2) for line in self._log.read_text().splitlines()]
        return [(int(connection), int(status), target) for connection, status, target in lines]

    def forget(self) -> None:
        """Empty the log, which nginx appends to."""
        self._log.write_text("")


NGINX = """
daemon off;
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/error.log warn;
events {{ worker_connections 256; }}
http {{
    types {{ text/html html; text/css css; text/javascript js; text/plain txt; image/png png; image/svg+xml svg; }}
    default_type application/octet-stream;
    log_format connections '$connection $status $request_uri';
    access_log {work}/access.log connections;
    keepalive_requests 1000000;
    client_body_temp_path {work}; proxy_temp_path {work}; fastcgi_temp_path {work};
    uwsgi_temp_path {work}; scgi_temp_path {work};
    server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


@contextlib.contextmanager
def nginx(root: Path, work: Path) -> Iterator[Nginx]:
    """Serve a folder by nginx on loopback; the test is skipped where there is none."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if binary is None:
        pytest.skip("nginx is not installed (apt-get install nginx-light)")
    work.chmod(0o755)  # started by root, nginx drops to another user
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    (work / "nginx.conf").write_text(NGINX.format(work=work, port=port, root=root))
    command = [binary, "-p", str(work), "-c", str(work / "nginx.conf"), "-e", str(work / "error.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            if not wait_until(lambda: _listens(port), process):
                pytest.fail(f"nginx did not start: {process.stdout.read()}")
            yield Nginx(f"http://127.0.0.1:{port}/", work / "access.log")
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
