from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from w3lib.url import canonicalize_url

from scrapekit.errors import RequestInvalid
from scrapekit.web import urls
from scrapekit.web.urls import MAX_LENGTH, address, fingerprint, host_of, join, origin, same_origin, without_parameters

HOSTS = st.sampled_from(
    [
        "ex.com",
        "EX.com",
        "a.b.ex.com.",
        "127.0.0.1",
        "127.1",
        "[::1]",
        "[2001:DB8::0:1]",
        "bücher.de",
        "x_y.io",
        "localhost",
    ]
)
PORTS = st.sampled_from(["", ":80", ":443", ":8080", ":60001", ":"])
PATHS = st.text("/.ab%2eE~:;@!ä |'\\", max_size=16)
QUERIES = st.text("?a=b&1%20+.ö'#", max_size=14)
SPELLED = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["http://", "https://", "HTTP:/", " https:"]),
    HOSTS,
    PORTS,
    PATHS.map("/{}".format),
    QUERIES,
)


@pytest.mark.parametrize(
    ("url", "fetched", "host"),
    [
        ("http://EXAMPLE.com", "http://example.com/", "example.com"),
        ("HTTPS://Example.COM:443/A?b#c", "https://example.com/A?b", "example.com"),
        ("http://example.com:80/", "http://example.com/", "example.com"),
        ("http://example.com:443/", "http://example.com:443/", "example.com"),
        ("http://example.com:080/", "http://example.com/", "example.com"),
        ("http://example.com:/a", "http://example.com/a", "example.com"),
        ("http://example.com?q=1", "http://example.com/?q=1", "example.com"),
        ("http://example.com./a", "http://example.com/a", "example.com"),
        ("  http://example.com/a\tb\n ", "http://example.com/ab", "example.com"),
        ("http:example.com/a", "http://example.com/a", "example.com"),
        ("http:/example.com/a", "http://example.com/a", "example.com"),
        ("http:////example.com/a", "http://example.com/a", "example.com"),
        ("http:\\\\example.com\\a?b\\c", "http://example.com/a?b%5Cc", "example.com"),
        ("http://example.com\\@evil.com/", "http://example.com/@evil.com/", "example.com"),
        ("http://example.com/a/./b/../c", "http://example.com/a/c", "example.com"),
        ("http://example.com/../../a/..", "http://example.com/", "example.com"),
        ("http://example.com/a/%2E%2e/b/%2e", "http://example.com/b/", "example.com"),
        ("http://example.com//a///b", "http://example.com//a///b", "example.com"),
        ("http://example.com/.well-known/...", "http://example.com/.well-known/...", "example.com"),
        ("http://example.com/a b?c d", "http://example.com/a%20b?c%20d", "example.com"),
        ("http://example.com/ä?ö=ü", "http://example.com/%C3%A4?%C3%B6=%C3%BC", "example.com"),
        ("http://example.com/%zz%e4", "http://example.com/%zz%e4", "example.com"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/", "xn--bcher-kva.example"),
        ("http://例え。jp/", "http://xn--r8jz45g.jp/", "xn--r8jz45g.jp"),
        ("http://me:p@ss@example.com/", "http://me:p%40ss@example.com/", "example.com"),
        ("http://127.1/", "http://127.0.0.1/", "127.0.0.1"),
        ("http://0x7f.1:8080/", "http://127.0.0.1:8080/", "127.0.0.1"),
        ("http://2130706433/", "http://127.0.0.1/", "127.0.0.1"),
        ("http://[2001:DB8:0::1]:8080/", "http://[2001:db8::1]:8080/", "2001:db8::1"),
        ("http://my_host/", "http://my_host/", "my_host"),
    ],
)
def test_address_is_what_a_browser_would_fetch(url, fetched, host):
    assert address(url)[:2] == (fetched, host)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "has no scheme"),
        ("example.com/a", "has no scheme"),
        ("/a/b", "has no scheme"),
        ("//example.com/", "has no scheme"),
        ("ftp://example.com/", "must be http or https, not ftp"),
        ("javascript:alert(1)", "must be http or https, not javascript"),
        ("localhost:8000/", "must be http or https, not localhost"),
        ("http://", "has no host"),
        ("https:///?a", "has no host"),
        ("http://user@/", "has no host"),
        ("http://[bad/", "Invalid IPv6"),
        ("http://[::1%25eth0]/", "zone"),
        ("http://[v1.a]/", "v1.a"),
        ("http://example.com:99999/", "[Pp]ort"),
        ("http://example.com:x/", "[Pp]ort"),
        ("http://ex ample.com/", "'ex ample.com' is not a host name"),
        ("http://ex%61mple.com/", "is not a host name"),
        ("http://a..b/", "is not a host name"),
        (f"http://{'a' * 64}.com/", "is not a host name"),
        (f"http://{'a.' * 130}com/", "is not a host name"),
        ("http://1.2.3.256/", "is not an IPv4 address"),
        ("http://a.1.2.3.4/", "is not an IPv4 address"),
        ("http://example.com/\ud800", "surrogates"),
        ("http://example.com/" + "a" * MAX_LENGTH, "longer than 8,192 characters"),
        ("http://example.com/?" + "ä" * 2000, "longer than 8,192 characters when escaped"),
        ("http://exa\x00mple.com/", "is not a host name"),
    ],
)
def test_what_cant_be_fetched_is_refused_in_one_line_with_the_reason(url, reason):
    with pytest.raises(RequestInvalid, match=reason) as refused:
        address(url)
    assert len(str(refused.value)) < 400
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("url", [None, b"http://example.com/", 5])
def test_a_url_that_is_no_text_is_refused(url):
    with pytest.raises(RequestInvalid, match=f"must be a str, not {type(url).__name__}"):
        address(url)


def test_a_long_url_is_an_address_too():
    url = "http://example.com/" + "a" * 3000
    assert address(url).url == url
    assert address(url + "#" + "b" * MAX_LENGTH) == address(url)


@given(SPELLED)
@example("http://ex.com/a;?b")
@example("http://ex.com/;//?=1&&b=2&a")
def test_an_address_is_stable_and_fit_for_the_wire(url):
    try:
        found = address(url)
    except RequestInvalid:
        return
    assert address(found.url) == found
    parts = urlsplit(found.url)
    assert found.url.isascii()
    assert not re.search(r"[\x00-\x20\x7f#\\]", found.url)
    assert parts.path.startswith("/")
    assert parts.hostname == found.host
    assert join("about:blank", url) == found.url


@given(st.text())
def test_any_text_is_an_address_or_refused(text):
    for url in (text, f"http://{text}", f"http://ex.com/{text}"):
        try:
            found = address(url)
        except RequestInvalid:
            continue
        assert address(found.url) == found


@given(SPELLED)
@example("http://ex.com/a?b=2&a=1&a=0")
@example("http://ex.com/a?b.=1&b-=1&b=0&b~=")
@example("http://ex.com/a?b=")
@example("http://ex.com:8080/~a/!$&'()*+,=:@-.html")
def test_the_fast_way_finds_what_the_slow_way_finds(url):
    try:
        url = address(url).url
    except RequestInvalid:
        return
    if plain := urls._PLAIN(url):
        assert urls._normal(url) == (url, plain[1])
    assert urls._canonical(url, plain) == canonicalize_url(url)


@pytest.mark.parametrize(
    "spellings",
    [
        [
            "http://ex.com/a?b=1&c=2",
            "http://ex.com/a?c=2&b=1",
            "HTTP://EX.com:80/x/../a?c=2&b=1#f",
            "http://ex.com./a?c=2&b=1",
        ],
        ["http://ex.com/~a", "http://ex.com/%7ea", "http://ex.com/%7Ea"],
        ["http://ex.com/ä", "http://ex.com/%c3%a4", "http://ex.com/%C3%A4"],
        ["http://ex.com/?q=a b", "http://ex.com/?q=a+b", "http://ex.com/?q=a%20b"],
        ["http://ex.com", "http://ex.com/", "http://ex.com/?", "http://ex.com/#top", "http:\\\\ex.com"],
    ],
)
def test_spellings_of_one_url_have_one_fingerprint(spellings):
    assert len({fingerprint("GET", url) for url in spellings}) == 1


@given(
    st.lists(st.tuples(st.text("abä&= ", min_size=1, max_size=3), st.text("01%+/", max_size=3)), max_size=5),
    st.randoms(),
)
def test_the_order_of_the_query_does_not_matter_to_the_fingerprint(pairs, random):
    from urllib.parse import urlencode

    shuffled = random.sample(pairs, len(pairs))
    assert fingerprint("GET", f"http://ex.com/?{urlencode(pairs)}") == fingerprint(
        "GET", f"http://ex.com/?{urlencode(shuffled)}"
    )


def test_what_differs_in_url_method_or_body_differs_in_its_fingerprint():
    url = "http://ex.com/a"
    different = [
        fingerprint("GET", url),
        fingerprint("GET", "http://ex.com/A"),
        fingerprint("GET", "http://ex.com/a/"),
        fingerprint("GET", "http://ex.com/a%2Fb"),
        fingerprint("GET", "http://ex.com/a/b"),
        fingerprint("GET", "http://ex.com/a?b=1&b=2"),
        fingerprint("GET", "https://ex.com/a"),
        fingerprint("GET", "http://ex.com:8080/a"),
        fingerprint("GET", url, b"x"),
        fingerprint("HEAD", url),
        fingerprint("POST", url),
        fingerprint("POST", url, b"x"),
        fingerprint("POST", url, b"y"),
        fingerprint("POST", "http://ex.com/a?q=%20&a", b"x"),
    ]
    assert len(set(different)) == len(different)
    assert {len(found) for found in different} == {16}


def test_a_plain_get_has_the_fingerprint_of_its_address():
    url = "http://ex.com/a?b=2&a=1"
    assert (
        fingerprint("GET", url) == fingerprint("GET", url, b"") == fingerprint("get", url) == address(url).fingerprint
    )


def test_the_fingerprint_of_a_url_is_the_same_in_every_release():
    """The frontier of a stopped crawl holds them."""
    assert fingerprint("GET", "http://example.com/a?c=2&b=1").hex() == "a4a4a941640405dd76230fc284b4d5b5"
    assert fingerprint("POST", "http://example.com/", b"x").hex() == "f951e5bb39655f8c6540f98d92f341f4"


BASE = "http://a.com/b/c/d;p?q=1"


@pytest.mark.parametrize(
    ("href", "fetched"),
    [
        # RFC 3986 §5.4, less the fragments
        ("g", "http://a.com/b/c/g"),
        ("./g", "http://a.com/b/c/g"),
        ("g/", "http://a.com/b/c/g/"),
        ("/g", "http://a.com/g"),
        ("//g", "http://g/"),
        ("?y", "http://a.com/b/c/d;p?y"),
        ("g?y", "http://a.com/b/c/g?y"),
        ("#s", "http://a.com/b/c/d;p?q=1"),
        ("g#s", "http://a.com/b/c/g"),
        ("g?y#s", "http://a.com/b/c/g?y"),
        (";x", "http://a.com/b/c/;x"),
        ("g;x?y#s", "http://a.com/b/c/g;x?y"),
        ("", "http://a.com/b/c/d;p?q=1"),
        (".", "http://a.com/b/c/"),
        ("..", "http://a.com/b/"),
        ("../g", "http://a.com/b/g"),
        ("../../../../g", "http://a.com/g"),
        ("/./g", "http://a.com/g"),
        ("g.", "http://a.com/b/c/g."),
        ("..g", "http://a.com/b/c/..g"),
        ("./g/.", "http://a.com/b/c/g/"),
        ("g/../h", "http://a.com/b/c/h"),
        ("g?y/./x", "http://a.com/b/c/g?y/./x"),
        # as browsers do
        ("http:g", "http://a.com/b/c/g"),
        ("HTTP:/g", "http://a.com/g"),
        ("https:g", "https://g/"),
        ("https://x.org", "https://x.org/"),
        (" \n/g\t ", "http://a.com/g"),
        ("\t#s", "http://a.com/b/c/d;p?q=1"),
        ("/a\nb", "http://a.com/ab"),
        ("\\g\\h?i\\j", "http://a.com/g/h?i%5Cj"),
        ("\\\\x.org\\y", "http://x.org/y"),
        ("ä ö?ü", "http://a.com/b/c/%C3%A4%20%C3%B6?%C3%BC"),
        ("1:2", "http://a.com/b/c/1:2"),
        ("g:h", None),
        ("mailto:me@ex.com", None),
        ("JavaScript:void(0)", None),
        (" javascript:void(0)", None),
        ("java\nscript:void(0)", None),
        ("data:text/html,x", None),
        ("tel:+49123", None),
        ("about:blank", None),
        ("http://[bad", None),
        ("//[bad", None),
        ("http://", None),
        ("http://ex.com:99999/", None),
        ("data:image/png;base64," + "A" * 100_000, None),
        ("/" + "a" * 9000, None),
        ("/" + "a" * 2000, "http://a.com/" + "a" * 2000),
    ],
)
def test_join_resolves_as_a_browser_does(href, fetched):
    assert join(BASE, href) == fetched


def test_join_keeps_the_empty_segments_of_the_base():
    assert join("http://a.com//b//c", "d") == "http://a.com//b//d"
    assert join("http://a.com", "d") == "http://a.com/d"
    assert join("http://a.com?b/c", "d") == "http://a.com/d"


@pytest.mark.parametrize("base", ["about:blank", "", "/relative", "http://[bad"])
def test_join_with_a_base_that_is_no_url_knows_only_absolute_links(base):
    assert join(base, "g") is None
    assert join(base, "//g") is None
    assert join(base, "") is None
    assert join(base, "https://ex.com/a") == "https://ex.com/a"
    assert join(base, "mailto:x") is None


@given(st.text() | SPELLED, st.text() | SPELLED | PATHS)
def test_join_never_raises_and_gives_only_addresses(base, href):
    found = join(base, href)
    assert found is None or address(found).url == found


@given(st.sampled_from(["", "x", "x?q", "x?q/r#s", "./y"]), PATHS | QUERIES)
def test_pages_of_one_folder_share_the_cache_only_where_it_is_right(page, href):
    base = f"http://a.com/b/{page}"
    assert join(base, href) == urls._resolve(base, href)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("HTTP://Ex.com:80/a?b", "http://ex.com"),
        ("https://me:secret@ex.com:8443/", "https://ex.com:8443"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_the_origin_has_no_default_port_and_no_user(url, found):
    assert origin(url) == found


def test_origins_differ_by_scheme_host_and_port():
    assert same_origin("http://ex.com/a", "http://EX.com:80/b")
    assert not same_origin("http://ex.com/", "https://ex.com/")
    assert not same_origin("http://ex.com/", "http://www.ex.com/")
    assert not same_origin("http://ex.com/", "http://ex.com:81/")


def test_host_of_has_no_port():
    assert host_of("http://Ex.com:8080/") == "ex.com"


@given(st.text("ab&=%?.*_1", max_size=30))
def test_a_url_without_parameters_has_none_of_them_and_is_itself_where_it_had_none(query):
    url = f"https://ex.com/p?{query}"
    without = without_parameters(url, ["a*"])
    assert without_parameters(without, ["a*"]) == without
    assert without_parameters(url, ["zz"]) == url
    assert not any(pair.startswith("a") for pair in without.partition("?")[2].split("&"))
