"""The site that is crawled: Debian's HTML documentation from an nginx of our own, with and without latency."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

HOW_TO_GET_IT = "apt-get install nginx-light libnginx-mod-http-echo python3-doc"
_ECHO = "ngx_http_echo_module.so"
_ROBOTS = "User-agent: *\nDisallow: /private/\nDisallow: /*.zip$\n"
_ONE_PAGE = "<!DOCTYPE html><title>One page</title><h1>One page</h1><p>It links to nothing.</p>"

_HTTP = """
daemon off;
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/error.log crit;
events {{ worker_connections 4096; }}
http {{
    types {{ text/html html; text/plain txt; }}
    default_type application/octet-stream;
    access_log off;
    log_not_found off;
    keepalive_requests 100000000;
    keepalive_timeout 300s;
    client_body_temp_path {work}; proxy_temp_path {work}; fastcgi_temp_path {work};
    uwsgi_temp_path {work}; scgi_temp_path {work};
{servers}
}}
"""
_SERVER = """
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root /;
        location / {{ {answer} }}
        location @page {{
            rewrite ^/copy[0-9]+(/.*)$ $1 break;
            rewrite ^/(robots.txt|one.html|copies.html)$ /$1 break;
            try_files {work}$uri {root}$uri =404;
        }}
    }}
"""


class MissingSiteError(Exception):
    """The site can't be served; the message says what is missing and how to get it."""


def documentation() -> Path:
    """The folder of python3-doc's HTML."""
    for folder in sorted(Path("/usr/share/doc").glob("python3*/html")):
        if (folder / "library" / "index.html").is_file():
            return folder.resolve()
    raise MissingSiteError(f"no HTML documentation under /usr/share/doc/python3*/html. To get it: {HOW_TO_GET_IT}")


@contextlib.contextmanager
def serve(root: Path, latencies: Sequence[int], copies: int = 1) -> Iterator[dict[int, str]]:
    """Serve ``root`` on loopback until the context ends.

    Args:
        root: The folder of pages; ``index.html`` is its start.
        latencies: Milliseconds that a server waits before it answers; each gets its own port.
        copies: How many copies of the site ``/copies.html`` links to. The first is the site itself.

    Yields:
        The base URL, with a slash at its end, by latency.

    Raises:
        MissingSiteError: nginx or its echo module is not installed, or nginx doesn't start.
    """
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if binary is None:
        raise MissingSiteError(f"nginx is not installed. To get it: {HOW_TO_GET_IT}")
    ports = _free_ports(len(latencies))
    with tempfile.TemporaryDirectory(prefix="scrapekit-bench-") as folder:
        work = Path(folder)
        work.chmod(0o755)  # nginx started by root drops to another user
        (work / "robots.txt").write_text(_ROBOTS)
        (work / "one.html").write_text(_ONE_PAGE)
        starts = ["/index.html", *(f"/copy{n}/index.html" for n in range(1, copies))]
        links = "".join(f"<li><a href='{start}'>{start}</a>" for start in starts)
        (work / "copies.html").write_text(f"<!DOCTYPE html><title>Copies</title><h1>Copies</h1><ul>{links}</ul>")
        servers = "".join(_server(port, wait, root, work) for port, wait in zip(ports, latencies, strict=True))
        config = _HTTP.format(work=work, servers=servers)
        if any(latencies):
            config = f"load_module {_echo_module()};\n{config}"
        (work / "nginx.conf").write_text(config)
        command = [binary, "-p", folder, "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"]
        with (work / "output").open("w") as output:
            server = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            bases = {wait: f"http://127.0.0.1:{port}/" for port, wait in zip(ports, latencies, strict=True)}
            for base in bases.values():
                _await(base + "index.html", server, work)
            yield bases
        finally:
            server.terminate()
            server.wait()


def warm(root: Path) -> tuple[int, int]:
    """Read every page once, so that all runs find them in the page cache. Returns their number and bytes."""
    sizes = [len(path.read_bytes()) for path in root.rglob("*.html")]
    return len(sizes), sum(sizes)


def nginx_version() -> str:
    """As nginx tells it."""
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    return subprocess.run([binary, "-v"], capture_output=True, text=True, check=True).stderr.strip().rpartition("/")[2]


def _server(port: int, milliseconds: int, root: Path, work: Path) -> str:
    # echo_sleep holds the request on a timer, not on the worker; echo_exec then answers it like any static file.
    wait = f"echo_sleep {milliseconds / 1000}; echo_exec @page;"
    answer = wait if milliseconds else "try_files /nowhere @page;"
    return _SERVER.format(port=port, root=root, work=work, answer=answer)


def _echo_module() -> Path:
    for folder in ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules"):
        if (Path(folder) / _ECHO).is_file():
            return Path(folder) / _ECHO
    raise MissingSiteError(
        f"nginx's echo module, which makes the latency, is not installed. To get it: {HOW_TO_GET_IT}"
    )


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for held in sockets:
            held.bind(("127.0.0.1", 0))
        return [held.getsockname()[1] for held in sockets]


def _await(url: str, server: subprocess.Popen[bytes], work: Path) -> None:
    """Return once ``url`` is answered with a page."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                response.read()
                return
        except OSError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                said = (work / "output").read_text() + (work / "error.log").read_text()
                reason = re.sub(r"\s+", " ", said) or str(error)
                raise MissingSiteError(f"nginx does not serve {url}: {reason}") from error
            time.sleep(0.02)
