from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.web.robots import (
    ALLOW_ALL,
    DENY_ALL,
    MAX_BYTES,
    MAX_WILDCARDS,
    RobotsRules,
    parse,
    product_token,
    rules_for_status,
)

US = "scrapekit/0.1 (+https://example.org/bot)"
SITE = "https://ex.com"


def rules(text: str | bytes, max_delay: float = 30, user_agent: str = US) -> RobotsRules:
    return parse(text.encode() if isinstance(text, str) else text, user_agent, max_delay)


def allowed(found: RobotsRules, *paths: str) -> list[str]:
    return [path for path in paths if found.allows(SITE + path)]


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("User-agent: *\nDisallow: /a", ["/", "/b"]),
        ("User-agent: *\nDisallow: /\nAllow: /b", ["/b"]),
        ("User-agent: *\nDisallow: /\n\nUser-agent: ScrapeKit\nDisallow: /b", ["/", "/a", "/a/b"]),
        ("User-agent: ScrapeKit\nDisallow: /b\n\nUser-agent: *\nDisallow: /", ["/", "/a", "/a/b"]),
        ("User-agent: other\nUser-agent: scrapekit\nDisallow: /a", ["/", "/b"]),
        ("User-agent: scrapekit\nUser-agent: other\nDisallow: /a", ["/", "/b"]),
        ("User-agent: scrapekit\nSitemap: /s.xml\nUser-agent: other\nDisallow: /a", ["/", "/b"]),
        ("User-agent: scrapekit # us\n\n# more\nDisallow: /a # this", ["/", "/b"]),
        ("User-agent: scrapekit/2.0\nDisallow: /a", ["/", "/b"]),
        ("User-agent: scrape*\nDisallow: /a", ["/", "/b"]),
        ("User-agent: **\nDisallow: /a", ["/", "/b"]),
        ("User-agent: other\nDisallow: /\nUser-agent: *\nDisallow:", ["/", "/a", "/b", "/a/b"]),
        ("User-agent: other\nDisallow: /", ["/", "/a", "/b", "/a/b"]),
        ("User-agent: myscrapekit\nDisallow: /", ["/", "/a", "/b", "/a/b"]),
        ("User-agent: kit\nDisallow: /", ["/", "/a", "/b", "/a/b"]),
        ("User-agent:\nDisallow: /", ["/", "/a", "/b", "/a/b"]),
        ("Disallow: /", ["/", "/a", "/b", "/a/b"]),
        ("user agent *\rdissalow /a\r", ["/", "/b"]),
        ("User-agent: *\nDisallow: /*/b$", ["/", "/a", "/b"]),
        ("<html><body>404 Disallow: /</body></html>", ["/", "/a", "/b", "/a/b"]),
        ("", ["/", "/a", "/b", "/a/b"]),
    ],
)
def test_what_is_allowed(text, paths):
    assert allowed(rules(text), "/", "/a", "/b", "/a/b") == paths


def test_the_fast_way_is_taken_when_nothing_is_forbidden_to_us():
    assert rules("User-agent: other\nDisallow: /\n\nUser-agent: *\nDisallow: # all\nAllow: /")._can_fetch is True
    assert rules("User-agent: *\nDisallow: /a")._can_fetch is not True


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbfUser-agent: *\nDisallow: /\xc3\xa4",
        "\ufeffUser-agent: *\nDisallow: /ä".encode("utf-16-le"),
        "User-agent: *\nDisallow: /ä".encode("latin-1"),
        b"User-agent: *\r\nDisallow: /%C3%A4\r\n",
        b"User-agent: *\r\nDisallow: /%c3%a4\r\n\x00\xff",
    ],
)
def test_boms_and_wrong_encodings(body):
    assert allowed(rules(body), "/%C3%A4", "/ok") == ["/ok"]


def test_what_is_over_500_kib_is_ignored_from_the_line_on():
    body = b"User-agent: *\nDisallow: /a\n" + b"# " + b"x" * (MAX_BYTES - 40) + b"\nDisallow: /bbbbbbbbbbbbbbbbbbbb\n"
    assert allowed(rules(body), "/a", "/b", "/bbbbbbbbbbbbbbbbbbbb") == ["/b", "/bbbbbbbbbbbbbbbbbbbb"]
    assert allowed(rules(b"User-agent: *" + b" " * MAX_BYTES + b"\nDisallow: /"), "/") == ["/"]


def test_a_file_that_multiplies_crawlers_by_rules_costs_only_ours():
    crawlers = "".join(f"User-agent: bot{n}\n" for n in range(12_000))
    assert allowed(rules(crawlers + "Disallow: /x\n" * 20_000 + "User-agent: *\nDisallow: /a"), "/a", "/x") == ["/x"]


def test_beyond_the_most_wildcards_what_is_forbidden_is_so_up_to_its_wildcard():
    many = "User-agent: *\n" + "Disallow: /*/a$\n" * (MAX_WILDCARDS // 2)
    assert allowed(rules(many), "/", "/x", "/x/a") == ["/", "/x"]
    more = many + "Allow: /b/*/c\nDisallow: /b/*/d\nDisallow: /c\nCrawl-delay: 7\nSitemap: /s*.xml\nUser-agent: *"
    assert allowed(rules(more), "/x", "/x/a", "/b/x", "/b/x/c", "/c") == ["/x"]
    assert rules(more).delay == 7
    assert rules(more).sitemaps == ("/s*.xml",)


@pytest.mark.parametrize(
    ("line", "delay"),
    [
        ("Crawl-delay: 5", 5.0),
        ("crawl-delay: 0.5", 0.5),
        ("Crawl-delay: 0", 0.0),
        ("Crawl-delay: 1e308", 30),
        ("Crawl-delay: 99999999999999999999", 30),
        ("Crawl-delay: nan", None),
        ("Crawl-delay: inf", None),
        ("Crawl-delay: -1", None),
        ("Crawl-delay: soon", None),
        ("Crawl-delay: 2\nRequest-rate: 1/10", 2.0),
        ("Request-rate: 1/10", 10.0),
        ("Request-rate: 10/1m", 6.0),
        ("Request-rate: 1/" + "9" * 4000, 30),
        ("Request-rate: " + "9" * 4000 + "/1", 0.0),
        ("Request-rate: 0/1", None),
        ("Disallow:", None),
    ],
)
def test_the_delay_is_clamped(line, delay):
    assert rules(f"User-agent: *\n{line}").delay == delay


def test_the_delay_of_others_is_not_ours():
    assert rules("User-agent: other\nCrawl-delay: 5").delay is None


def test_sitemaps_belong_to_no_group():
    text = "Sitemap: https://ex.com/a.xml\nUser-agent: other\nDisallow: /\nsitemap: https://ex.com/b.xml#x"
    assert rules(text).sitemaps == ("https://ex.com/a.xml", "https://ex.com/b.xml")
    assert ALLOW_ALL.sitemaps == ()


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (None, DENY_ALL),
        (500, DENY_ALL),
        (503, DENY_ALL),
        (429, DENY_ALL),
        (404, ALLOW_ALL),
        (403, ALLOW_ALL),
        (301, ALLOW_ALL),
        (200, None),
        (204, None),
    ],
)
def test_what_a_status_means(status, found):
    assert rules_for_status(status) is found


def test_all_and_nothing():
    assert ALLOW_ALL.allows(SITE)
    assert not DENY_ALL.allows(SITE)


@pytest.mark.parametrize(
    ("user_agent", "token"),
    [
        (US, "scrapekit"),
        ("Foo_Bot-x", "foo_bot-x"),
        ("Mozilla/5.0 (compatible; FooBot/2.1; +http://foo.test/)", "foobot"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "mozilla"),
        ("", "*"),
        ("(nameless)", "*"),
    ],
)
def test_the_product_token(user_agent, token):
    assert product_token(user_agent) == token
    assert not rules(f"User-agent: {token}\nDisallow: /", user_agent=user_agent).allows(SITE + "/")


LINES = st.sampled_from(
    ["User-agent: *", "User-agent: scrapekit", "Disallow: /", "Disallow: /%", "Allow: *$", "Crawl-delay: 1"]
)


@given(st.binary() | st.lists(LINES | st.text(max_size=20)).map(lambda lines: "\n".join(lines).encode()), st.text())
def test_nothing_in_a_robots_txt_raises(body, user_agent):
    found = rules(body, 30, user_agent)
    assert found.allows(SITE + "/") in {True, False}
    assert found.delay is None or 0 <= found.delay <= 30
