"""Who is let in."""

from __future__ import annotations

import socket

import pytest

from scrapekit.dashboard.gate import Gate
from scrapekit.settings.listen import Listen, listen_at

LOCAL = Listen("127.0.0.1", 8080)
OPEN = Listen("0.0.0.0", 8080)
TOKEN = "0123456789abcdef"


def status(gate, method="GET", path="/", query=None, **headers):
    given = {"Host": "127.0.0.1:8080"} | {name.replace("_", "-"): value for name, value in headers.items()}
    refused = gate.refuses(method, path, query or {}, given)
    return 200 if refused is None else refused.status


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST", "10.0.0.7:8080"])
def test_on_loopback_whoever_can_connect_may_look(host):
    assert status(Gate(LOCAL), Host=host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example:8080", "evil.example", "", "127.0.0.1.evil.example", "localhost.evil.example", "[::1", "@"]
)
@pytest.mark.parametrize("listen", [LOCAL, OPEN], ids=["loopback", "open"])
def test_a_name_that_is_made_to_point_here_is_refused(host, listen):
    gate = Gate(listen, TOKEN)
    assert status(gate, Host=host, query={"token": TOKEN}) == 403
    assert status(gate, "POST", Host=host, Origin=f"http://{host}", Authorization=f"Bearer {TOKEN}") == 403


def test_names_of_this_machine_and_those_that_were_set_are_ours():
    gate = Gate(OPEN, hosts=("crawls.example.org",))
    for host in ("Crawls.example.org", socket.gethostname(), "192.0.2.1:8080"):
        assert status(gate, Host=host, query={"token": gate.token}) == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "http://127.0.0.1:9999", "file://127.0.0.1:8080"]
)
def test_a_post_of_another_origin_is_refused_even_with_the_cookie(origin):
    gate = Gate(LOCAL)
    assert status(gate, "POST", "/stop", Origin=origin, Cookie=f"{gate.cookie}={gate.token}") == 403


def test_a_post_needs_the_cookie_of_the_page():
    gate, origin = Gate(LOCAL), "http://127.0.0.1:8080"
    assert status(gate, "POST", "/stop", Origin=origin, Cookie=f"other=1; {gate.cookie}={gate.token}") == 200
    assert status(gate, "POST", "/stop", Origin=origin, Cookie=f"{gate.cookie}={gate.token}x") == 403
    assert status(gate, "POST", "/stop", Origin=origin, Cookie=f"scrapekit-9999={gate.token}") == 403
    assert status(gate, "POST", "/stop", Origin=origin) == 403
    assert status(gate, "POST", "/stop", Origin=origin, query={"token": gate.token}) == 403
    assert status(gate, "POST", "/stop", Authorization=f"Bearer {gate.token}") == 200  # a program that knows it
    assert status(gate, "POST", "/stop", Authorization="Bearer x", Origin=origin) == 403


def test_anywhere_else_only_the_health_check_needs_no_token():
    gate = Gate(OPEN)
    assert gate.guarded
    assert len(gate.token) == 32
    for path in ("/", "/events", "/metrics", "/page.js", "/why"):
        assert status(gate, path=path) == 401
        assert status(gate, path=path, query={"token": "wrong"}) == 401
        assert status(gate, path=path, query={"token": gate.token}) == 200
        assert status(gate, path=path, Cookie=f"{gate.cookie}={gate.token}") == 200
        assert status(gate, path=path, Authorization=f"bearer {gate.token}") == 200
    assert status(gate, path="/healthz") == 200
    assert status(gate, path="/healthz", Host="evil.example") == 403


def test_a_token_that_was_set_is_asked_for_on_loopback_too():
    gate = Gate(LOCAL, TOKEN)
    assert status(gate) == 401
    assert status(gate, query={"token": TOKEN}) == 200
    assert status(gate, query={"token": "t\u00f6ken"}) == 401


def test_tokens_that_are_made_up_differ():
    assert Gate(LOCAL).token != Gate(LOCAL).token


def test_what_pages_of_other_sites_embed_is_refused_and_a_link_is_not():
    gate = Gate(LOCAL)
    assert status(gate, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors") == 403
    assert status(gate, Sec_Fetch_Site="same-site", Sec_Fetch_Mode="cors") == 403
    assert status(gate, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate") == 200
    assert status(gate, Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="cors") == 200


@pytest.mark.parametrize(
    ("text", "host", "port", "private"),
    [
        ("8080", "127.0.0.1", 8080, True),
        ("0", "127.0.0.1", 0, True),
        ("localhost:1", "localhost", 1, True),
        ("[::1]:65535", "::1", 65535, True),
        ("0.0.0.0:80", "0.0.0.0", 80, False),
        ("[::]:80", "::", 80, False),
        (" box.example.org:80 ", "box.example.org", 80, False),
    ],
)
def test_addresses_to_listen_on(text, host, port, private):
    listen = listen_at(text)
    assert (listen.host, listen.port, listen.is_private) == (host, port, private)
    assert listen_at(str(listen)) == listen
