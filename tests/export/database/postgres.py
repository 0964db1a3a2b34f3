"""A PostgreSQL server of its own for the tests: a new cluster on a loopback port, ended by its process."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg

PASSWORD = "s3cret-of-postgres"


def programs():
    """The folder of initdb and postgres; None where PostgreSQL is not installed."""
    found = [*sorted(Path("/usr/lib/postgresql").glob("*/bin")), Path(shutil.which("initdb") or "/").parent]
    return next((each for each in found if (each / "initdb").exists() and (each / "postgres").exists()), None)


class Server:
    """A server that can be stopped and started."""

    def __init__(self, folder, port, as_user):
        self.folder, self.port, self.as_user = folder, port, as_user
        self.process = None

    @property
    def url(self):
        return f"postgresql://scrapekit:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def start(self):
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        command = [programs() / "postgres", "-D", self.folder, "-p", str(self.port), *settings]
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **self.as_user)
        until = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "server.log").read_text()
                assert time.monotonic() < until
                time.sleep(0.05)
            else:
                return

    def stop(self):
        self.process.send_signal(signal.SIGINT)  # "fast": connections are closed, nothing is lost
        self.process.wait(60)


@contextmanager
def serving():
    """A server that runs."""
    folder = Path(tempfile.mkdtemp(prefix="scrapekit-postgres-"))
    as_user = {}
    if os.geteuid() == 0:  # which PostgreSQL refuses
        shutil.chown(folder, "postgres", "postgres")
        as_user = {"user": "postgres", "group": "postgres", "extra_groups": []}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.NamedTemporaryFile("w") as password:
        password.write(PASSWORD)
        password.flush()
        os.chmod(password.name, 0o644)
        initdb = [programs() / "initdb", "-D", folder / "data", "-U", "scrapekit", "-A", "scram-sha-256"]
        command = [*initdb, "--pwfile", password.name, "-N", "-E", "UTF8", "--locale=C"]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **as_user)
    server = Server(folder / "data", port, as_user)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
