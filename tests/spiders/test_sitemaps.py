from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.spiders import sitemaps
from scrapekit.spiders.sitemaps import DAMAGED, MAX_BYTES, TRUNCATED, UNKNOWN, Entry, read_sitemap

URL = "https://ex.com/maps/a.xml"
NS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:x="http://www.w3.org/1999/xhtml"'


def urlset(*entries: str, ns: str = NS) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><urlset {ns}>{"".join(entries)}</urlset>'.encode()


def page(n: object = 1, more: str = "") -> str:
    return f"<url><loc> https://ex.com/{n}\n</loc>{more}</url>"


PAGES = urlset(page(1, "<lastmod>2024-05-01</lastmod><priority>1</priority>"), page("a&amp;b"))
FOUND = [Entry("https://ex.com/1", "2024-05-01"), Entry("https://ex.com/a&b")]


@pytest.mark.parametrize(
    "body",
    [
        PAGES,
        b"\xef\xbb\xbf \n" + PAGES.partition(b"?>")[2],
        PAGES.replace(NS.encode(), b""),
        PAGES.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        gzip.compress(PAGES),
        gzip.compress(PAGES[:70]) + gzip.compress(b"") + gzip.compress(PAGES[70:]),
        gzip.compress(PAGES) + b"\0" * 512,
        PAGES.replace(b"<loc> https://ex.com/1\n</loc>", b"<loc><![CDATA[../1]]></loc>"),
    ],
    ids=["plain", "bom", "no namespace", "utf-16", "gzip", "members", "padded", "cdata"],
)
def test_pages_are_found_whatever_the_wrapping(body):
    assert read_sitemap(body, URL) == (FOUND, [], ())


def test_translations_are_alternates():
    links = '<x:link rel="alternate" hreflang="de" href="/de"/><x:link rel="canonical" href="/c"/>'
    bad = '<x:link rel="alternate" hreflang="fr" href="javascript:x"/>'
    [entry] = read_sitemap(urlset(page(1, links + bad)), URL).urls
    assert entry.alternates == {"de": "https://ex.com/de"}


def test_an_index_names_other_sitemaps():
    body = f"<sitemapindex {NS}><sitemap><loc>b.xml.gz</loc></sitemap><url><loc>/no</loc></url></sitemapindex>"
    assert read_sitemap(body.encode(), URL) == ([], [Entry("https://ex.com/maps/b.xml.gz")], ())


def test_what_cant_be_fetched_is_left_out():
    locs = ["", "javascript:x", "http://[bad", "mailto:a@b", "file:///etc/passwd", "https://ex.com/" + "a" * 9000]
    body = urlset(*(f"<url><loc>{loc}</loc></url>" for loc in locs), "<url/>", page())
    assert read_sitemap(body, URL).urls == [Entry("https://ex.com/1")]


def test_only_the_urls_own_loc_counts():
    image = "<image><loc>https://ex.com/image.png</loc></image>"
    assert read_sitemap(urlset(f"<url>{image}</url>", page(1, image)), URL).urls == [Entry("https://ex.com/1")]


def test_a_text_has_a_url_a_line():
    body = "\ufeffhttps://ex.com/1\r\nhttps://ex.com/ä\r\rno url\n\nhttps://ex.com/3".encode()
    found = [Entry("https://ex.com/1"), Entry("https://ex.com/%C3%A4"), Entry("https://ex.com/3")]
    assert read_sitemap(body, URL) == (found, [], ())
    assert read_sitemap(gzip.compress(body), URL).urls == found
    many = b"".join(b"https://ex.com/%05d\n" % n for n in range(20_000))
    assert [entry.loc[-5:] for entry in read_sitemap(many, URL).urls] == [f"{n:05}" for n in range(20_000)]


@pytest.mark.parametrize(
    ("body", "flags"),
    [
        (b"", ()),
        (b"<!doctype html><html><body><p>Not found</html>", (UNKNOWN,)),
        (b"<html/>", (UNKNOWN,)),
        (b"Not found", (UNKNOWN,)),
        (b"<", (UNKNOWN,)),
        (b"\x1f\x8bnonsense", (DAMAGED,)),
        (gzip.compress(gzip.compress(PAGES)), (UNKNOWN,)),
    ],
    ids=["empty", "page", "xhtml", "text", "begun", "no gzip", "gzip twice"],
)
def test_what_is_no_sitemap_is_flagged(body, flags):
    assert read_sitemap(body, URL) == ([], [], flags)


def test_what_is_damaged_is_read_as_far_as_it_goes():
    for body in (PAGES[:-30], gzip.compress(PAGES * 100)[:-9], gzip.compress(PAGES) + gzip.compress(PAGES)[:15]):
        found = read_sitemap(body, URL)
        assert found.urls[0] == FOUND[0]
        assert DAMAGED in found.flags


@pytest.mark.parametrize("wrong", ["", "<x>&</x>", "<x></y>", "<x>&#xD83D;</x>", "<x>&nbsp;</x>"])
def test_no_reference_is_lost_where_something_is_wrong(wrong):
    body = urlset(wrong, page("?b=1&amp;c=2&d"), "<url><loc>/&#xD83D;</loc></url>")
    found = read_sitemap(b"\r\n" + body, URL)
    assert [entry.loc for entry in found.urls] == ["https://ex.com/?b=1&c=2&d", "https://ex.com/%EF%BF%BD"]


def test_no_entity_is_expanded_nor_loaded(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    laughs = "".join(f'<!ENTITY x{n} "{f"&x{n - 1};" * 10}">' for n in range(1, 12))
    doctype = f'<!DOCTYPE urlset SYSTEM "{secret.as_uri()}" [<!ENTITY x0 "ha"><!ENTITY f SYSTEM "{secret.as_uri()}">{laughs}]>'
    body = f"{doctype}<urlset>{page(1)}{page('&f;')}{page('&x11;')}</urlset>".encode()
    assert read_sitemap(body, URL) == ([], [], (UNKNOWN,))
    assert read_sitemap(PAGES.replace(b"?>", b"?><!DOCTYPE urlset>"), URL) == ([], [], (UNKNOWN,))
    assert read_sitemap(urlset(page("&x;")), URL).flags == (DAMAGED,)


def test_the_limit_of_entries(monkeypatch):
    monkeypatch.setattr(sitemaps, "MAX_ENTRIES", 3)
    found = read_sitemap(urlset(*map(page, range(5))), URL)
    assert ([entry.loc for entry in found.urls], found.flags) == (
        [f"https://ex.com/{n}" for n in range(3)],
        (TRUNCATED,),
    )
    found = read_sitemap(b"https://ex.com/1\n" * 5, URL)
    assert (len(found.urls), found.flags) == (3, (TRUNCATED,))


def test_the_limit_of_elements(monkeypatch):
    monkeypatch.setattr(sitemaps, "_MAX_ELEMENTS", 100)
    found = read_sitemap(urlset(page(), "<a/>" * 200, page()), URL)
    assert (len(found.urls), found.flags) == (1, (TRUNCATED,))


def test_thousands_of_empty_members_end():
    found = read_sitemap(gzip.compress(b"") * 5000 + gzip.compress(PAGES), URL)
    assert found == ([], [], (TRUNCATED,))


@pytest.mark.parametrize("head", [b"<urlset><url><loc>https://ex.com/1</loc></url>", b"https://ex.com/1\n"])
def test_a_bomb_is_cut_off_in_flat_memory(head):
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(head) + b"".join(packer.compress(b" " * 2**20) for _ in range(60)) + packer.flush()
    assert len(bomb) < MAX_BYTES / 500
    tracemalloc.start()
    try:
        found = read_sitemap(bomb, URL)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.urls == [Entry("https://ex.com/1")]
    assert TRUNCATED in found.flags
    assert peak < 2 * 2**20


PARTS = st.sampled_from(
    [
        b"<urlset>",
        b"<url>",
        b"</url>",
        b"<loc>",
        b"</loc>",
        b"http://a/",
        b"<sitemapindex>",
        b"<sitemap>",
        b"&x;",
        b"<!DOCTYPE a [",
    ]
)


@given(
    st.binary() | st.lists(PARTS | st.binary(max_size=9)).map(b"".join), st.booleans(), st.integers(0, 30), st.text()
)
def test_nothing_in_a_sitemap_raises(body, zipped, cut, url):
    found = read_sitemap(gzip.compress(body)[: 1 - cut or None] if zipped else body, url)
    assert all(entry.loc.startswith("http") for entry in [*found.urls, *found.sitemaps])


@given(st.sampled_from([PAGES, gzip.compress(PAGES), b"https://ex.com/1\nhttps://ex.com/2"]), st.integers(2, 99))
def test_a_body_in_pieces_says_the_same(body, size):
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    assert read_sitemap(pieces, URL) == read_sitemap(body, URL)
