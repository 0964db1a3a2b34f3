import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from rawserver import reply

from scrapekit.download import Downloader, Reply
from scrapekit.download.exchange import Exchange
from scrapekit.errors import DownloadError
from scrapekit.messages import Request


def sent(site, n=-1):
    """The headers of the n-th request, by lower-case name."""
    return {
        k.lower(): v for k, _, v in (line.partition(": ") for line in site.heads[n].decode("latin-1").split("\r\n")[1:])
    }


def test_a_reply_has_all_that_came(site, fetch):
    site.routes["/a"] = reply("body", "X-One: 1", "Set-Cookie: a=1", "Set-Cookie: b=2", status="201 Created")
    got = fetch(f"{site.url}/a?q=1")
    assert isinstance(got, Reply)
    assert (got.url, got.status, got.body, got.flags) == (f"{site.url}/a?q=1", 201, b"body", ())
    assert got.headers["x-one"] == "1"
    assert got.headers.getlist("set-cookie") == ["a=1", "b=2"]
    assert 0 < got.elapsed < 5
    assert site.heads[0].startswith(b"GET /a?q=1 HTTP/1.1\r\n")
    assert sent(site)["host"] == f"127.0.0.1:{site.port}"


def test_a_connection_is_kept_and_used_again(site, fetch, downloader):
    for _ in range(5):
        assert fetch(f"{site.url}/").body == b"hello"
    assert site.accepted == 1
    stats = downloader.stats()
    assert (stats.requests, stats.opened, stats.reused, stats.retried) == (5, 1, 4, 0)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_each_method_is_sent_with_its_body(plain, fetch, method):
    plain.routes["/"] = lambda talk: talk.send(reply(b"" if method == "HEAD" else talk.body))
    got = fetch(f"{plain.url}/", method=method, body=None if method == "HEAD" else b"\x00payload" * 20_000)
    assert got.body == (b"" if method == "HEAD" else b"\x00payload" * 20_000)
    assert plain.heads[0].startswith(method.encode())
    assert "transfer-encoding" not in sent(plain)


@pytest.mark.parametrize(
    "status", ["301 Moved", "304 Not Modified", "404 Not Found", "500 Oops", "503 Busy", "429 Slow"]
)
def test_every_status_is_a_plain_reply(plain, fetch, status):
    plain.routes["/"] = reply("", "Location: /other", "Retry-After: 99999999999", status=status)
    assert fetch(f"{plain.url}/").status == int(status[:3])
    assert fetch(f"{plain.url}/").status == int(status[:3])
    assert plain.accepted == 1


def test_interim_answers_are_skipped(plain, fetch):
    plain.routes["/"] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + reply("final")
    assert fetch(f"{plain.url}/").body == b"final"


def test_default_headers_are_sent(plain, fetch):
    fetch(f"{plain.url}/")
    headers = sent(plain)
    assert headers["user-agent"] == "scrapekit"
    assert headers["accept-encoding"] == "gzip, deflate, br, zstd"
    assert not {"accept", "accept-language", "cookie"} & set(headers)  # what is preferred, the settings say


def test_headers_replace_those_of_the_same_name_in_any_case(plain, make, fetch):
    downloader = make(user_agent="bot/1", headers={"accept-LANGUAGE": "de", "X-All": "1"})
    fetch(f"{plain.url}/", using=downloader, headers={"x-all": "2", "ACCEPT": "text/plain"})
    headers = sent(plain)
    assert (headers["user-agent"], headers["accept-language"]) == ("bot/1", "de")
    assert (headers["x-all"], headers["accept"]) == ("2", "text/plain")
    assert plain.heads[0].lower().count(b"\naccept:") == 1
    fetch(f"{plain.url}/", using=downloader)
    assert sent(plain)["x-all"] == "1"


def test_cookies_follow_the_requests_own(plain, fetch):
    fetch(f"{plain.url}/", cookies="jar=1")
    fetch(f"{plain.url}/", cookies="jar=1", headers={"cookie": "own=2"})
    fetch(f"{plain.url}/", headers={"Cookie": "own=2"})
    assert [sent(plain, n)["cookie"] for n in range(3)] == ["jar=1", "own=2; jar=1", "own=2"]


def test_user_and_password_of_a_url_become_a_header(plain, fetch):
    fetch(f"http://us%40er:p%C3%A4ss@127.0.0.1:{plain.port}/")
    assert sent(plain)["authorization"] == "Basic dXNAZXI6cMOkc3M="
    assert sent(plain)["host"] == f"127.0.0.1:{plain.port}"


def test_a_header_meant_for_a_proxy_does_not_reach_the_target(plain, fetch):
    fetch(f"{plain.url}/", headers={"Proxy-authorization": "Basic c2VjcmV0"})
    assert b"c2VjcmV0" not in plain.heads[0]


def test_a_header_that_cannot_be_sent_costs_no_slot(plain, downloader):
    request = Request(f"{plain.url}/", headers={"X": "ok"})
    request.headers["X"] = "\u20ac"  # which the request refuses where it is made
    with pytest.raises(DownloadError, match="can't be sent") as caught:
        downloader.fetch(request, host="127.0.0.1")
    assert type(caught.value) is DownloadError
    assert caught.value.request is request


def test_many_threads_share_the_connections(site, fetch, downloader):
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: fetch(f"{site.url}/", maxsize=3), range(60)))
    assert [got.body for got in replies] == [b"hello"] * 60
    stats = downloader.stats()
    assert stats.requests == 60
    assert stats.opened == site.accepted <= 3
    assert stats.reused == 60 - stats.opened


def test_a_server_that_closed_an_idle_connection_is_asked_once_more(site, fetch, downloader):
    """The connection looks open when it is taken; the server closes it when the request arrives."""
    answers = iter([None, "close", None, None])
    site.routes["/"] = lambda talk: next(answers) == "close" or talk.send(reply("ok"))
    assert fetch(f"{site.url}/").flags == ()
    got = fetch(f"{site.url}/")
    assert (got.body, got.flags) == (b"ok", ("stale_connection",))
    assert fetch(f"{site.url}/").flags == ()
    assert site.accepted == 2
    stats = downloader.stats()
    assert (stats.requests, stats.opened, stats.reused, stats.retried) == (3, 2, 1, 1)


@pytest.mark.parametrize("ending", ["hang_up", "reset"])
def test_it_is_asked_only_once_more(site, fetch, ending):
    answers = iter(["ok"])
    site.routes["/"] = lambda talk: talk.send(reply("ok")) if next(answers, None) else getattr(talk, ending)()
    fetch(f"{site.url}/")
    with pytest.raises(DownloadError):
        fetch(f"{site.url}/")
    assert len(site.heads) == 3


def test_a_request_whose_answer_has_begun_is_not_sent_again(site, fetch):
    answers = iter(["ok"])
    site.routes["/"] = lambda talk: (
        talk.send(reply("ok")) if next(answers, None) else talk.send(b"HTTP/1.1 200 OK\r\n") or talk.hang_up()
    )
    fetch(f"{site.url}/")
    with pytest.raises(DownloadError):
        fetch(f"{site.url}/")
    assert len(site.heads) == 2


def test_the_second_attempt_never_takes_an_idle_connection(site, fetch, downloader):
    """Another thread may have given one back meanwhile, as stale as the first."""
    fetch(f"{site.url}/")
    (pool,) = downloader._pools.pools.values()
    exchange = Exchange(downloader._terms, 5)
    for fresh in (False, True):
        exchange.attempt(fresh=fresh)
        conn = pool._get_conn(exchange)
        assert exchange.reused is (conn.sock is not None) is not fresh
        pool._put_conn(conn)


def test_a_post_is_not_sent_again(site, fetch):
    answers = iter(["ok"])
    site.routes["/"] = lambda talk: talk.send(reply("ok")) if next(answers, None) else talk.hang_up()
    fetch(f"{site.url}/")
    with pytest.raises(DownloadError, match="closed the connection"):
        fetch(f"{site.url}/", method="POST", body=b"x")
    assert len(site.heads) == 2


def test_a_fresh_connection_that_closes_is_not_tried_again(site, fetch):
    site.routes["/"] = lambda talk: talk.hang_up()
    with pytest.raises(DownloadError):
        fetch(f"{site.url}/")
    assert len(site.heads) == 1


def test_a_closed_idle_connection_is_noticed_before_it_is_used(site, fetch):
    fetch(f"{site.url}/")
    site.drop_idle()
    site.wait_closed()
    assert fetch(f"{site.url}/").body == b"hello"
    assert site.accepted == 2


def test_bytes_after_the_end_answer_no_other_request(site, fetch):
    site.routes["/two"] = reply("first") + reply("unasked")
    assert fetch(f"{site.url}/two").flags == ("extra_bytes",)
    assert fetch(f"{site.url}/").body == b"hello"
    assert site.accepted == 2


def test_connection_close_is_heeded(site, fetch):
    site.routes["/"] = reply("bye", "Connection: Close")
    assert fetch(f"{site.url}/").body == b"bye"
    assert fetch(f"{site.url}/").body == b"bye"
    assert site.accepted == 2


def test_http_1_0_closes_unless_it_says_otherwise(plain, fetch):
    plain.routes["/10"] = lambda talk: talk.send(b"HTTP/1.0 200 OK\r\n\r\nold") or True
    plain.routes["/10k"] = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nold"
    assert fetch(f"{plain.url}/10").body == b"old"
    assert fetch(f"{plain.url}/10k").body == b"old"
    assert fetch(f"{plain.url}/10k").body == b"old"
    assert plain.accepted == 2


def test_lines_that_are_not_headers_are_flagged_and_hide_nothing(plain, fetch):
    plain.routes["/"] = reply("ok", "garbage", "Set-Cookie: a=1")
    got = fetch(f"{plain.url}/")
    assert (got.flags, got.headers["set-cookie"], got.body) == (("bad_headers",), "a=1", b"ok")


def test_closing_breaks_what_is_in_flight(site, make, ca_file):
    """Waiting for headers, for a body and for a slot: all three come back."""
    begun = threading.Semaphore(0)

    def headers(talk):
        begun.release()
        return talk.hang()

    def body(talk):
        talk.send(reply("", "Content-Length: 100", length=False) + b"half")
        begun.release()
        return talk.hang()

    site.routes.update({"/headers": headers, "/body": body})
    downloader = Downloader(workers=4, ca_bundle=ca_file)
    with ThreadPoolExecutor(4) as threads:
        waiting = [
            threads.submit(downloader.fetch, Request(f"{site.url}/{path}"), host="h", maxsize=2)
            for path in ("headers", "body", "slot", "slot2")
        ]
        begun.acquire()
        begun.acquire()
        downloader.close()
        for future in waiting:
            error = future.exception(10)
            assert type(error) is DownloadError
            assert str(error) == f"127.0.0.1:{site.port}: the downloader is closed"
    stats = downloader.stats()
    assert (stats.requests, stats.opened, stats.in_use, stats.pools) == (4, 2, 0, 0)


def test_after_close_a_fetch_fails_clearly(plain, fetch, make):
    downloader = make()
    with downloader:
        fetch(f"{plain.url}/", using=downloader)
    downloader.close()
    with pytest.raises(DownloadError, match="the downloader is closed"):
        fetch(f"{plain.url}/", using=downloader)
    assert downloader.stats().requests == 1


def test_not_verifying_is_said_once(make, caplog):
    with caplog.at_level(logging.WARNING):
        make(verify=False)
    assert [record.getMessage()[:33] for record in caplog.records] == ["TLS certificates are not verified"]
