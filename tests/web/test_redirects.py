from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.errors import BadRedirect
from scrapekit.web.redirects import REDIRECTS, follow, headers_after
from scrapekit.web.urls import address

URL = "https://ex.com/a/b?c"


@pytest.mark.parametrize(
    ("method", "status", "then", "keep_body"),
    [
        ("GET", 301, "GET", True),
        ("GET", 302, "GET", True),
        ("GET", 303, "GET", False),
        ("GET", 307, "GET", True),
        ("GET", 308, "GET", True),
        ("HEAD", 301, "HEAD", True),
        ("HEAD", 303, "HEAD", False),
        ("POST", 301, "GET", False),
        ("POST", 302, "GET", False),
        ("POST", 303, "GET", False),
        ("POST", 307, "POST", True),
        ("POST", 308, "POST", True),
        ("PUT", 302, "PUT", True),
        ("PUT", 303, "GET", False),
        ("DELETE", 301, "DELETE", True),
    ],
)
def test_the_method_changes_as_rfc_9110_has_it(method, status, then, keep_body):
    assert status in REDIRECTS
    assert follow(method, URL, status, "/x") == (then, "https://ex.com/x", keep_body)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("http://other.org", "http://other.org/"),
        ("//other.org/x", "https://other.org/x"),
        ("c", "https://ex.com/a/c"),
        ("?d", "https://ex.com/a/b?d"),
        ("../../../d/./e", "https://ex.com/d/e"),
        ("https:d", "https://ex.com/a/d"),
        ("#frag", "https://ex.com/a/b?c"),
        ("\\\\other.org\\x", "https://other.org/x"),
        ("http://user:pw@other.org/", "http://user:pw@other.org/"),
        ("/a\tb\n", "https://ex.com/ab"),
        (" /x#frag ", "https://ex.com/x"),
        ("/a b", "https://ex.com/a%20b"),
        ("/ä".encode().decode("latin-1"), "https://ex.com/%C3%A4"),
        ("/ä", "https://ex.com/%E4"),  # latin-1 on the wire
        ("/猫", "https://ex.com/%E7%8C%AB"),
        ("/x" + "y" * 3000, "https://ex.com/x" + "y" * 3000),
    ],
)
def test_the_location_is_read_as_it_was_meant(location, target):
    assert follow("GET", URL, 302, location).url == target


@pytest.mark.parametrize(
    "location",
    [
        *("", "  ", "http://[bad", "http://", "http://ex.com:x/", "http://ex.com:99999/", "//", "http:// /"),
        *("mailto:me@ex.com", "file:///etc/passwd", "FILE:/etc/passwd", "data:text/html,x", "javascript:alert(1)"),
        *(" java\tscript:alert(1)", "ftp://ex.com/", "view-source:http://ex.com/", "/" + "a" * 9999, "/" * 300_000),
    ],
    ids=lambda location: location[:20],
)
def test_a_location_that_cant_be_followed_is_a_bad_redirect(location):
    with pytest.raises(BadRedirect, match="status 302") as refused:
        follow("GET", URL, 302, location)
    assert len(str(refused.value)) < 300


@given(st.text())
def test_any_location_is_followed_or_refused(location):
    try:
        hop = follow("GET", URL, 301, location)
    except BadRedirect:
        return
    assert address(hop.url).url == hop.url


def test_of_several_locations_all_must_be_the_same():
    with pytest.raises(BadRedirect, match="status 301 without a Location"):
        follow("GET", URL, 301)
    with pytest.raises(BadRedirect, match="more than one place"):
        follow("GET", URL, 301, "/x", "http://evil.com/")
    assert follow("GET", URL, 301, "/x", " /x").url == "https://ex.com/x"


HEADERS = {
    "Authorization": "x",
    "cookie": "y",
    "X-Api-Key": "z",
    "Content-Type": "text/plain",
    "Accept": "*/*",
    "Host": "ex.com",
}


def test_headers_go_along_within_the_origin():
    assert headers_after(HEADERS, URL, "https://EX.com:443/z", body_kept=True, secret=["x-api-key"]) == HEADERS


@pytest.mark.parametrize(
    "target", ["https://evil.com/", "http://ex.com/", "https://ex.com:444/", "https://www.ex.com/"]
)
def test_credentials_stay_behind_when_the_origin_changes(target):
    found = headers_after(HEADERS, URL, target, body_kept=True, secret=["x-api-key"])
    assert found == {"Content-Type": "text/plain", "Accept": "*/*"}


def test_the_headers_of_the_body_go_with_the_body():
    headers = {"content-type": "a", "Content-Encoding": "gzip", "Transfer-Encoding": "chunked", "Accept": "*/*"}
    assert headers_after(headers, URL, URL, body_kept=False) == {"Accept": "*/*"}


def test_no_headers_are_no_headers():
    assert headers_after({}, URL, "https://evil.com/", body_kept=False) == {}


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/b", "https://me:pw@h.test/b"),
        ("https://h.test/b", "https://me:pw@h.test/b"),
        ("//h.test:443/b", "https://me:pw@h.test/b"),
        ("https://you@h.test/b", "https://you@h.test/b"),
        ("https://other.test/b", "https://other.test/b"),
        ("https://h.test:8443/b", "https://h.test:8443/b"),
        ("http://h.test/b", "http://h.test/b"),
    ],
)
def test_user_and_password_of_a_url_stay_within_its_origin(location, target):
    assert follow("GET", "https://me:pw@h.test/a", 302, location).url == target
