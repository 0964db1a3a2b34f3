"""The fault server itself: it lists what it has, serves it, and leaves nothing behind."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import scrapekit
from scrapekit import errors
from scrapekit.testing.faults import FAULTS, authority, serve_faults
from scrapekit.testing.faults.__main__ import main

ROOT = Path(__file__).parents[2]


def test_the_docs_list_every_fault(capsys):
    """To write the table anew: python -m scrapekit.testing.faults --markdown."""
    assert main(["--markdown"]) == 0
    table = re.findall(r"^\| `/.*\n", (ROOT / "docs" / "robustness.md").read_text(), re.MULTILINE)
    assert table == capsys.readouterr().out.splitlines(keepends=True)


def test_the_list_names_every_fault(capsys):
    assert main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(FAULTS)


@pytest.mark.parametrize("path", FAULTS)
def test_what_is_stated_can_be(path):
    fault = FAULTS[path]
    name, _, rest = fault.answer.partition(",")
    assert re.fullmatch(r"/[a-z]+/[a-z0-9-]+", path)
    assert name == "ok" or issubclass(getattr(errors, name), errors.RequestError)
    assert re.fullmatch(r"( flag [a-z_]+)?", rest)
    assert fault.why.endswith(".")


def test_it_serves_until_a_signal_and_its_first_page_links_to_the_faults():
    process = subprocess.Popen(
        [sys.executable, "-m", "scrapekit.testing.faults"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    with process:
        url = process.stdout.readline().strip()
        [page] = scrapekit.fetch(url, settings={"robots": {"obey": False}})
        process.send_signal(signal.SIGTERM)
        assert "1 requests over 1 connections" in process.stderr.read()
    assert process.returncode == 0
    assert page.css("a::attr(href)").getall() == [path for path, fault in FAULTS.items() if fault.door is None]


def test_a_port_that_is_taken_is_one_line(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--port", str(taken.getsockname()[1])]) == 2
    assert capsys.readouterr().err.startswith("faults: ")


def test_without_trustme_tls_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "trustme", None)
    assert main(["--tls"]) == 2
    assert "pip install trustme" in capsys.readouterr().err


def test_unknown_paths_are_404():
    with serve_faults() as server:
        [answer] = scrapekit.fetch(f"{server.url}/none", settings={"robots": {"obey": False}})
    assert answer.status == 404


def test_it_serves_tls_on_its_common_port_and_on_ipv6():
    with serve_faults("::1", tls=True) as server:
        assert server.url.startswith("https://[::1]:")
        settings = {"robots": {"obey": False}, "http": {"ca_bundle": server.ca_bundle}}
        [answer] = scrapekit.fetch(server.good("page"), settings=settings)
    assert answer.body.count(b"[scrapekit /good/page]") == 1


def test_nothing_is_left_of_clients_that_stay():
    with serve_faults() as server, socket.create_connection(server.url.partition("://")[2].split(":")) as client:
        client.sendall(b"GET /timing/dripped-body HTTP/1.1\r\n\r\n")
        assert client.recv(1)
        assert server.open_connections == 1
        assert repr(server).endswith("1 of 1 connections open>")
    assert server.open_connections == 0
    server.close()
    assert not any(thread.name.startswith("faults") for thread in threading.enumerate())


def test_there_are_never_more_connections_than_it_can_bear(monkeypatch):
    monkeypatch.setattr("scrapekit.testing.faults.server._MOST", 1)
    with serve_faults() as server:
        place = server.url.partition("://")[2].split(":")
        with socket.create_connection(place) as first, socket.create_connection(place) as second:
            first.sendall(b"GET /good/x HTTP/1.1\r\n\r\n")
            assert first.recv(10)
            assert second.recv(10) == b""


@pytest.mark.parametrize(
    "request_", [b"GET / HTTP/2\r\n\r\n", b"X" * 70_000, b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                 b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"],
    ids=["http2", "endless", "length", "cut"],
)  # fmt: skip
def test_what_is_no_request_is_not_answered(request_):
    with serve_faults() as server, socket.create_connection(server.url.partition("://")[2].split(":")) as client:
        client.sendall(request_)
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):  # it closed while bytes of ours were unread
            assert client.recv(10) == b""


def test_the_authority_is_removed_with_its_files():
    made = authority.Authority()
    bundle = Path(made.bundle)
    assert bundle.read_text().startswith("-----BEGIN CERTIFICATE")
    made.close()
    assert not bundle.exists()
