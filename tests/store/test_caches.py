"""The caches before a real downloader and a real server."""

import logging
import os

import pytest

from scrapekit.download import Downloader
from scrapekit.errors import CacheError, ConnectError
from scrapekit.messages import Request, Spool
from scrapekit.store import CacheFiles, DevCache, HttpCache
from scrapekit.testing import Reply, serve


class Clock:
    now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def files(tmp_path):
    return CacheFiles(str(tmp_path / "cache"), spool_above=100_000, spool_dir=str(tmp_path))


@pytest.fixture
def net():
    with Downloader(workers=2) as downloader:
        yield downloader


@pytest.fixture
def http(net, files, clock):
    return HttpCache(net, files, net.headers, clock)


def body(reply):
    return reply.body.head(len(reply.body)) if isinstance(reply.body, Spool) else reply.body


def fetch(source, url, *, cookies=None, authorization=None, **arguments):
    request = Request(url, **arguments)
    return source.fetch(request, host="127.0.0.1", maxsize=2, cookies=cookies, authorization=authorization)


def counting(status=200, headers=(), **options):
    """A page that says how often it was asked for."""
    return lambda view: Reply(str(view.visit).encode(), status, headers, **options)


def test_dev_asks_for_nothing_twice(net, files):
    with serve(counting(headers=(("X-Own", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")))) as site:
        first = fetch(DevCache(net, files), f"{site.url}/")
        again = fetch(DevCache(net, files), f"{site.url}/")
        assert site.hits == {"/": 1}
    assert (first.flags, again.flags) == ((), ("cached",))
    assert (again.body, again.status, again.url, again.elapsed) == (b"1", 200, first.url, 0.0)
    assert list(again.headers.iteritems()) == list(first.headers.iteritems())


@pytest.mark.parametrize(
    ("status", "kept"), [(301, True), (404, True), (403, True), (408, False), (429, False), (500, False), (503, False)]
)
def test_dev_keeps_what_does_not_ask_to_be_asked_again(net, files, status, kept):
    cache = DevCache(net, files)
    with serve(counting(status)) as site:
        bodies = [fetch(cache, f"{site.url}/").body for _ in range(2)]
    assert bodies == ([b"1", b"1"] if kept else [b"1", b"2"])


def test_another_method_body_session_range_or_credentials_are_another_request(net, files):
    cache = DevCache(net, files)
    variants = [
        {},
        {"method": "HEAD"},
        {"body": b"x", "method": "POST"},
        {"body": b"y", "method": "POST"},
        {"session": "b"},
        {"headers": {"Range": "bytes=0-1"}},
        {"headers": {"authorization": "Bearer x"}},
        {"authorization": "Bearer y"},
    ]
    with serve(counting()) as site:
        for variant in variants * 2:
            fetch(cache, f"{site.url}/", **variant)
        fetch(cache, f"{site.url}/", headers={"X-Other": "1"}, cookies="a=1")
        assert site.hits == {"/": len(variants)}


def test_failures_are_not_kept(net, files):
    with serve(counting()) as site:
        url = f"{site.url}/"
    for _ in range(2):
        with pytest.raises(ConnectError):
            fetch(DevCache(net, files), url)


def test_a_large_body_goes_through_files(net, files):
    cache = DevCache(net, files)
    large = bytes(range(256)) * 1000
    with serve(lambda _: Reply(large)) as site:
        fetch(cache, f"{site.url}/")
        again = fetch(cache, f"{site.url}/")
        assert isinstance(again.body, Spool)
        assert (body(again), again.flags) == (large, ("cached",))
        again.body.close()


def test_a_damaged_file_is_no_response(net, files, tmp_path):
    cache = DevCache(net, files)
    with serve(counting()) as site:
        fetch(cache, f"{site.url}/")
        [path] = (tmp_path / "cache").glob("??/*")
        for damage in (path.read_bytes()[:-1], b"not json\nx", b""):
            path.write_bytes(damage)
            assert fetch(cache, f"{site.url}/").flags == ()


def test_a_cache_that_takes_no_more_is_said_and_costs_no_page(net, files, tmp_path, caplog):
    cache = DevCache(net, files)
    with serve(counting()) as site, caplog.at_level(logging.WARNING):
        fetch(cache, f"{site.url}/")
        [path] = (tmp_path / "cache").glob("??/*")
        folder = path.parent
        path.unlink()
        folder.rmdir()
        folder.write_text("in the way")
        assert fetch(cache, f"{site.url}/").body == b"2"
    assert f"{site.url}/ can't be cached: File exists" in caplog.text


def test_a_folder_that_can_not_be_made_is_a_config_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(CacheError, match=r"file/cache: the cache can't be kept there \(cache.path\)"):
        CacheFiles(str(tmp_path / "file" / "cache"))


def test_prune_removes_the_oldest_and_what_a_crash_left(net, files, tmp_path):
    cache = DevCache(net, files)
    with serve(lambda _: Reply(b"x" * 1000)) as site:
        for number in range(4):
            fetch(cache, f"{site.url}/{number}")
        paths = sorted((tmp_path / "cache").glob("??/*"))
        for moment, path in enumerate(paths):
            os.utime(path, (moment, moment))
        left = paths[0].with_name("abc-1.part")
        left.write_bytes(b"x")
        os.utime(left, (1, 1))
        files.prune(10**6)
        assert not left.exists()
        assert all(path.exists() for path in paths)
        files.prune(paths[-1].stat().st_size * 2)
        assert [path.exists() for path in paths] == [False, False, True, True]
        files.prune(1)
        assert not any(path.exists() for path in paths)


def test_http_serves_what_is_fresh_with_its_age(http, clock):
    with serve(counting(headers=(("Cache-Control", "max-age=60"), ("Set-Cookie", "a=1")))) as site:
        first = fetch(http, f"{site.url}/")
        clock.now += 59
        again = fetch(http, f"{site.url}/")
        assert (again.body, again.flags, again.headers["age"]) == (b"1", ("cached",), "59")
        assert ("set-cookie" in first.headers, "set-cookie" in again.headers) == (True, False)
        clock.now += 1
        assert fetch(http, f"{site.url}/").body == b"2"


def test_http_validates_what_is_stale_and_takes_the_headers_of_a_304(http, clock):
    def app(view):
        if view.headers.get("if-none-match") == '"v1"':
            return Reply(b"", 304, (("ETag", '"v1"'), ("X-Visit", str(view.visit)), ("Cache-Control", "max-age=60")))
        return Reply(b"page", headers=(("ETag", '"v1"'), ("X-Visit", "1"), ("Content-Type", "text/plain")))

    with serve(app) as site:
        seen = []
        for _ in range(3):
            reply = fetch(http, f"{site.url}/")
            seen.append((reply.status, reply.body, reply.headers["x-visit"], reply.flags))
        assert site.hits == {"/": 2}
    assert seen == [
        (200, b"page", "1", ()),
        (200, b"page", "2", ("revalidated",)),
        (200, b"page", "2", ("cached",)),
    ]
    assert reply.headers["content-type"] == "text/plain"


def test_http_takes_a_new_page_for_a_stale_one_and_lets_an_error_of_the_server_through(http, clock):
    statuses = iter([200, 503, 200, 404, 200])

    def app(view):
        return Reply(str(view.visit).encode(), next(statuses), (("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT"),))

    with serve(app) as site:
        replies = [fetch(http, f"{site.url}/") for _ in range(5)]
        asked = [view.headers.get("if-modified-since") is not None for view in site.log]
    assert [(reply.status, reply.body) for reply in replies] == [
        (200, b"1"), (503, b"2"), (200, b"3"), (404, b"4"), (200, b"5"),
    ]  # fmt: skip
    assert asked == [False, True, True, True, True]


def test_http_keeps_one_response_for_what_vary_names(http):
    with serve(counting(headers=(("Cache-Control", "max-age=60"), ("Vary", "Cookie, Accept-Language")))) as site:
        bodies = [fetch(http, f"{site.url}/", cookies=cookies).body for cookies in ("a=1", "a=1", "a=2", "a=1")]
    assert bodies == [b"1", b"1", b"2", b"3"]


def test_http_forgets_a_url_that_was_written_to(http):
    with serve(counting(headers=(("Cache-Control", "max-age=60"),))) as site:
        url = f"{site.url}/"
        assert [fetch(http, url).body for _ in range(2)] == [b"1", b"1"]
        assert fetch(http, url, method="HEAD").body == b""
        assert fetch(http, url).body == b"1"
        fetch(http, url, form={"a": "1"})
        assert fetch(http, url).body == b"4"


def test_http_leaves_conditions_of_the_request_alone(http):
    with serve(counting(headers=(("Cache-Control", "max-age=60"),))) as site:
        fetch(http, f"{site.url}/")
        assert fetch(http, f"{site.url}/", headers={"Range": "bytes=0-1"}).body == b"2"


def test_http_does_not_keep_what_may_not_be_stored(http):
    with serve(counting(headers=(("Cache-Control", "no-store"), ("ETag", '"a"')))) as site:
        assert [fetch(http, f"{site.url}/").body for _ in range(2)] == [b"1", b"2"]


def test_http_drops_what_becomes_unstorable(http):
    def app(view):
        said = "no-cache" if view.visit == 1 else "no-store"
        return Reply(str(view.visit).encode(), headers=(("Cache-Control", said), ("ETag", '"a"')))

    with serve(app) as site:
        assert [fetch(http, f"{site.url}/").body for _ in range(3)] == [b"1", b"2", b"3"]
        assert "if-none-match" not in site.log[2].headers


def test_files_are_their_owners_and_have_no_credentials_in_them(http, tmp_path):
    with serve(counting(headers=(("Cache-Control", "max-age=60"), ("Vary", "Cookie, Authorization")))) as site:
        url = site.url.replace("//", "//user:secret@") + "/"
        for _ in range(2):
            reply = fetch(http, url, cookies="a=secret", headers={"X-A": "secret"})
            assert (reply.url, reply.body) == (url, b"1")
    [path] = (tmp_path / "cache").glob("??/*")
    assert b"secret" not in path.read_bytes()
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0


def test_a_path_with_an_at_sign_is_no_credentials(http):
    with serve(counting(headers=(("Cache-Control", "max-age=60"), ("Vary", "Authorization")))) as site:
        assert [fetch(http, f"{site.url}/user:x@y").body for _ in range(2)] == [b"1", b"1"]


def test_the_caches_close_and_count_what_lies_under_them(files):
    for make in (DevCache, lambda net, files: HttpCache(net, files, net.headers)):
        net = Downloader(workers=1)
        cache = make(net, files)
        with serve(counting()) as site:
            fetch(cache, f"{site.url}/{make}")
            assert cache.stats().opened == 1
            cache.close()
