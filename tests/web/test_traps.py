"""Which URLs are of a shape that no honest site has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.errors import PathTooDeep, RepeatingPath, TooManyParameters, UrlTooLong
from scrapekit.settings import Settings
from scrapekit.web.traps import ANY_URL, UrlLimits, trap_in
from scrapekit.web.urls import address

A = "http://a.test/"
GIVEN = Settings().crawl.limits
DEFAULTS = UrlLimits(GIVEN.url_length, GIVEN.path_depth, GIVEN.repeated_segments, GIVEN.query_parameters)


@pytest.mark.parametrize(
    ("good", "bad", "limits", "kind", "message"),
    [
        (A + "12345", A + "123456", UrlLimits(length=19), UrlTooLong, "20 characters, more than crawl.limits.url_leng"),
        (A + "a/b/", A + "a/b/c", UrlLimits(depth=2), PathTooDeep, "3 segments, more than crawl.limits.path_depth (2)"),
        (A + "?a/b/c/d", A + "a//b", UrlLimits(depth=2), PathTooDeep, "3 segments, more than"),
        (A, A + "a/b", UrlLimits(depth=1), PathTooDeep, "2 segments, more than"),
        (
            A + "a/b/a/b/c",
            A + "a/b/a/b/a/c",
            UrlLimits(repeats=2),
            RepeatingPath,
            "'a' 3 times in the path, more than crawl.limits.repeated_segments (2)",
        ),
        (A + "a/b/a?/a/a/a", A + "b/a/a/a/c", UrlLimits(repeats=2), RepeatingPath, "'a' 3 times in the path"),
        (A + "//", A + "///", UrlLimits(repeats=2), RepeatingPath, "'' 3 times in the path"),
        (A + "?a=1&b", A + "?a=1&b=2&a=3", UrlLimits(parameters=2), TooManyParameters, "3 parameters, more than"),
        (A + "a&b&c", A + "?&&", UrlLimits(parameters=2), TooManyParameters, "3 parameters, more than"),
    ],
)
def test_a_url_beyond_a_limit_is_a_trap_and_the_message_names_the_limit(good, bad, limits, kind, message):
    assert trap_in(good, limits) is None
    found = trap_in(bad, limits)
    assert found.kind is kind
    assert found.message.startswith(message)
    assert trap_in(bad, ANY_URL) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://en.example.org/wiki/Main_Page",
        "https://git.example.org/org/repo/-/blob/main/module/src/main/java/org/example/project/service/internal/Impl.java",
        "https://tiles.example.org/styles/0/0/0/0/0.png",
        "https://archive.example.org/web/20200101000000/https://www.example.org/a/b/",
        "https://example.org/2011/11/11/11/",
        "https://shop.example.org/search?" + "&".join(f"filter%5B{n}%5D=value{n}" for n in range(60)),
        "https://bucket.example.org/key?" + "X-Amz-Security-Token=" + "A" * 2500 + "&X-Amz-Signature=" + "0" * 64,
        "https://example.org/" + "%E3%81%82" * 200,
    ],
    ids=range(8),
)
def test_the_defaults_let_every_honest_url_through(url):
    assert trap_in(address(url).url, DEFAULTS) is None


@given(st.text(alphabet="ab/?&=%.", max_size=60), *[st.none() | st.integers(1, 9)] * 4)
def test_whatever_keeps_to_the_limits_is_none_and_nothing_raises(rest, length, depth, repeats, parameters):
    url = address(A + rest).url
    limits = UrlLimits(None if length is None else length * 10, depth, repeats, parameters)
    path, _, query = url.partition("?")
    segments = path.removesuffix("/").split("/")[3:]
    keeps = (
        (limits.length is None or len(url) <= limits.length)
        and (depth is None or len(segments) <= depth)
        and (repeats is None or all(segments.count(segment) <= repeats for segment in segments))
        and (parameters is None or not query or len(query.split("&")) <= parameters)
    )
    assert (trap_in(url, limits) is None) == keeps
