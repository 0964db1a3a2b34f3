from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.errors import FrontierError, RequestInvalid
from scrapekit.web import cookiejar
from scrapekit.web.cookiejar import CookieJar
from scrapekit.web.cookies import LONGEST_LIFE, Cookie, parse_set_cookie

NOW = 1_600_000_000.0  # Sun, 13 Sep 2020 12:26:40 GMT
URL = "https://www.example.co.uk/dir/page?q=/x/"


def test_a_plain_cookie_is_for_its_host_folder_and_session():
    assert parse_set_cookie(" a = b=c ", URL, NOW) == Cookie(
        "a", "b=c", "www.example.co.uk", "/dir", NOW, None, host_only=True
    )


def test_the_attributes():
    header = 'sid="x y"; Domain=.Example.co.uk; path=/; SECURE; HttpOnly; SameSite=Lax; Max-Age=60; Expires=garbage'
    assert parse_set_cookie(header, URL, NOW) == Cookie(
        "sid", '"x y"', "example.co.uk", "/", NOW, NOW + 60, host_only=False, secure=True
    )


@pytest.mark.parametrize(
    "header",
    [
        "",
        "a",
        "=b",
        ";a=b",
        "a=b; domain=co.uk",
        "a=b; domain=uk",
        "a=b; domain=other.co.uk",
        "a=b; domain=sub.www.example.co.uk",
        "a=b; domain=xample.co.uk",
        "a=b; domain=bücher.de",
        "a=b\x00",
        "a=b\nc",
        "a=猫",
        "a=" + "b" * 4096,
        "__Secure-a=b",
        "__secure-a=b; path=/",
        "__Host-a=b; secure",
        "__Host-a=b; secure; path=/x",
        "__Host-a=b; path=/",
        "__host-a=b; secure; path=/; domain=example.co.uk",
    ],
)
def test_refused_cookies(header):
    assert parse_set_cookie(header, URL, NOW) is None


@pytest.mark.parametrize(
    "header", ["a=b", "a=", "__Secure-a=b; secure", "__Host-a=b; secure; path=/", "a=\xe4", "a=b\tc", "a=" + "b" * 4095]
)
def test_accepted_cookies(header):
    assert parse_set_cookie(header, URL, NOW)


def test_secure_is_refused_over_plain_http():
    assert parse_set_cookie("a=b; secure", "http://example.com/", NOW) is None


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("http://localhost/", "localhost"),
        ("http://127.0.0.1/", "127.0.0.1"),
        ("http://foo.github.io/", "foo.github.io"),
        ("http://github.io/", "github.io"),
        ("http://[::1]/", "::1"),
    ],
)
def test_a_host_may_name_itself(url, domain):
    found = parse_set_cookie(f"a=b; domain={domain}", url, NOW)
    assert found.domain == domain
    assert found.host_only == (domain != "foo.github.io")


def test_part_of_an_ip_address_is_no_domain():
    assert parse_set_cookie("a=b; domain=0.0.1", "http://127.0.0.1/", NOW) is None


@pytest.mark.parametrize(
    ("page", "path"),
    [
        ("http://a.com", "/"),
        ("http://a.com/x", "/"),
        ("http://a.com/x/", "/x"),
        ("http://a.com/x/y/z", "/x/y"),
        ("http://a.com/?/x/y", "/"),
    ],
)
def test_the_default_path(page, path):
    assert parse_set_cookie("a=b", page, NOW).path == path
    assert parse_set_cookie("a=b; path=relative", page, NOW).path == path
    assert parse_set_cookie("a=b; path=", page, NOW).path == path
    assert parse_set_cookie("a=b; path=/" + "x" * 2000, page, NOW).path == path


@pytest.mark.parametrize(
    ("attributes", "expires"),
    [
        ("", None),
        ("; expires=never", None),
        ("; Expires=Sun, 13 Sep 2020 12:27:40 GMT", NOW + 60),
        ("; Expires=Sunday, 13-Sep-20 12:27:40 GMT", NOW + 60),
        ("; Expires=Sun, 13 Sep 2020 12:27:40 GMT; max-age=5", NOW + 5),
        ("; max-age=5; max-age=7", NOW + 7),
        ("; max-age=5x; Expires=Sun, 13 Sep 2020 12:27:40 GMT", NOW + 60),
        ("; expires=Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("; expires=Mon, 01 Jan 1900 00:00:00 GMT", 0.0),
        ("; expires=Fri, 31 Dec 9999 23:59:59 GMT", NOW + LONGEST_LIFE),
        ("; max-age=0", NOW),
        ("; max-age=-" + "9" * 500, 0.0),
        ("; max-age=" + "9" * 500, NOW + LONGEST_LIFE),
    ],
)
def test_when_a_cookie_ends(attributes, expires):
    assert parse_set_cookie(f"a=b{attributes}", URL, NOW).expires == expires


def test_an_url_that_cant_be_fetched_sets_and_gets_no_cookies():
    jar = CookieJar()
    jar.set("a=b", URL, NOW)
    with pytest.raises(RequestInvalid):
        jar.set("a=b", "ftp://x/", NOW)
    with pytest.raises(RequestInvalid):
        jar.header_for("ftp://x/", NOW)


@given(
    st.text(st.sampled_from("a=b;_ ,\t\x7fé") | st.characters())
    | st.tuples(st.text(), st.text()).map("a=b; domain={0[0]}; path=/{0[1]}".format)
)
def test_any_header_is_a_cookie_that_can_be_sent_and_saved_or_refused(header):
    jar = CookieJar()
    if jar.set(header, URL, NOW):
        [(_, _, saved)] = jar.changes()
        [cookie] = msgspec.json.decode(saved, type=list[Cookie])
        sent = jar.header_for(f"https://{cookie.domain}{cookie.path}", NOW)
        if sent is not None:  # None where the path is one that no URL has
            sent.encode("latin-1")
            assert not set(sent) & set("\r\n\0;")


def jar_of(*headers: str, url: str = URL) -> CookieJar:
    jar = CookieJar()
    for seconds, header in enumerate(headers):
        assert jar.set(header, url, NOW + seconds)
    return jar


def test_longer_paths_come_first_then_older_cookies():
    jar = jar_of("b=1; path=/", "a=2; path=/", "c=3", "d=4; path=/; domain=example.co.uk", "b=5; path=/")
    assert jar.header_for(URL, NOW) == "c=3; b=5; a=2; d=4"


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("https://www.example.co.uk/dir", "host=1; domain=2; secure=3"),
        ("https://www.example.co.uk/dir/", "host=1; domain=2; secure=3"),
        ("https://www.example.co.uk:8443/dir/x/y?z", "host=1; domain=2; secure=3"),
        ("http://www.example.co.uk/dir/", "host=1; domain=2"),
        ("https://www.example.co.uk/directory", "domain=2"),
        ("https://www.example.co.uk/", "domain=2"),
        ("https://sub.www.example.co.uk/dir/", "domain=2"),
        ("https://example.co.uk/dir/", "domain=2"),
        ("https://badexample.co.uk/dir/", None),
        ("https://co.uk/dir/", None),
    ],
)
def test_where_cookies_are_sent(url, header):
    jar = jar_of("host=1; path=/dir", "domain=2; domain=example.co.uk; path=/", "secure=3; path=/dir/; secure")
    sent = jar.header_for(url, NOW)
    assert (sent and "; ".join(sorted(sent.split("; "), key=lambda pair: pair[-1]))) == (
        header.replace("; secure=3", "") if header and url.endswith("/dir") else header
    )


def test_a_cookie_that_has_expired_is_not_sent():
    jar = jar_of("a=b; max-age=60; path=/")
    assert jar.header_for(URL, NOW + 59) == "a=b"
    assert jar.header_for(URL, NOW + 60) is None


def test_a_date_in_the_past_deletes():
    jar = jar_of("a=b; path=/")
    assert not jar.set("a=; max-age=0", URL, NOW)  # another path, another cookie
    assert jar.set("a=; max-age=0; path=/", URL, NOW)
    assert len(jar) == 0
    assert jar.header_for(URL, NOW) is None
    assert jar.changes() == [("", "www.example.co.uk", None)]


def test_sessions_are_apart():
    jar = CookieJar()
    jar.set("a=1", URL, NOW, "one")
    jar.set("a=2", URL, NOW, "two")
    assert [jar.header_for(URL, NOW, session) for session in ("one", "two", "")] == ["a=1", "a=2", None]
    assert len(jar) == 2


def test_only_what_has_changed_is_to_be_saved():
    jar = jar_of("before=1; domain=example.co.uk")
    assert [row[:2] for row in jar.changes()] == [("", "example.co.uk")]
    changes = []
    for header in ("a=b", "a=b", "a=c", "refused", "a=c; max-age=0", "a=c; max-age=0"):
        jar.set(header, URL, NOW)
        changes.append([row[:2] for row in jar.changes()])
    mine = [("", "www.example.co.uk")]
    assert changes == [mine, [], mine, [], mine, []]


def test_plain_http_neither_replaces_nor_hides_a_secure_cookie():
    jar = jar_of("a=safe; secure; path=/x; domain=example.co.uk")
    plain = URL.replace("https", "http")
    assert not jar.set("a=evil; path=/x; domain=example.co.uk", plain, NOW)
    assert not jar.set("a=evil; path=/x/y", plain, NOW)
    assert not jar.set("a=; max-age=0; path=/x; domain=example.co.uk", plain, NOW)
    assert jar.set("a=other; path=/z", plain, NOW)
    assert jar.set("b=fine; path=/x", plain, NOW)
    assert jar.header_for("https://www.example.co.uk/x/y", NOW) == "b=fine; a=safe"
    assert jar.set("a=new; secure; path=/x; domain=example.co.uk", URL, NOW)


def test_the_session_that_got_a_cookie_longest_ago_is_forgotten_first(monkeypatch):
    monkeypatch.setattr(cookiejar, "SESSIONS", 2)
    jar = CookieJar()
    for session in ("one", "two", "one", "three"):
        jar.set("a=1", URL, NOW, session)
    assert [jar.header_for(URL, NOW, session) for session in ("one", "two", "three")] == ["a=1", None, "a=1"]
    assert {session: cookies is None for session, _, cookies in jar.changes()} == {
        "one": False,
        "two": True,
        "three": False,
    }


def test_a_domain_keeps_its_newest_cookies_and_gives_up_the_expired_first():
    jar = jar_of("short=1; max-age=5", "first=1", *(f"c{n}=1" for n in range(178)))
    jar.set("last=1", URL, NOW + 50)
    assert len(jar) == 180
    assert "short" not in jar.header_for(f"{URL}x", NOW)
    jar.set("more=1", URL, NOW + 51)
    assert len(jar) == 180
    assert "first" not in jar.header_for(f"{URL}x", NOW)
    assert jar.header_for(URL, NOW + 52).startswith("c0=1")


def test_a_session_gives_up_its_oldest_cookies(monkeypatch):
    monkeypatch.setattr(cookiejar, "PER_SESSION", 20)
    jar = CookieJar()
    jar.set("a=b; max-age=30", "http://brief.test/", NOW)
    for n in range(20):
        jar.set("a=b", f"http://host{n}.test/", NOW + n * 2)
    left = {domain for _, domain, cookies in jar.changes() if cookies is not None}
    assert left == {f"host{n}.test" for n in range(1, 20)}
    assert len(jar) == 19


def test_a_jar_comes_back_as_it_was_saved():
    jar = jar_of("a=b; path=/", "c=\xe4; max-age=99; secure; path=/; domain=example.co.uk")
    jar.set("s=1", "http://other.test/", NOW, "one")
    again = CookieJar()
    again.load((session, cookies) for session, _, cookies in jar.changes())
    assert again.changes() == [], "what was loaded is saved already"
    assert again.header_for(URL, NOW) == jar.header_for(URL, NOW) == "a=b; c=\xe4"
    assert again.header_for("http://other.test/", NOW, "one") == "s=1"


@pytest.mark.parametrize("saved", [b"", b"{}", b'[{"name": "a"}]', b"[5]", b"\xff"])
def test_a_damaged_save_is_refused(saved):
    with pytest.raises(FrontierError, match="the saved cookies can't be read"):
        CookieJar().load([("", saved)])


def test_a_host_only_cookie_stays_so_when_it_is_saved():
    jar = jar_of("a=b; path=/")
    again = CookieJar()
    again.load((session, cookies) for session, _, cookies in jar.changes())
    assert again.header_for(URL, NOW) == "a=b"
    assert again.header_for("https://sub.www.example.co.uk/", NOW) is None
