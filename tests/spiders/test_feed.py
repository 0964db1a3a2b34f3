"""Feeds."""

import pytest

from scrapekit.spiders import FeedSpider
from scrapekit.testing import response

RSS = """<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>Feed</title><link>https://ex.com/</link>
<item><title>One &lt;b&gt;</title><link> /1 </link><atom:link href="/no"/><guid isPermaLink="false">id-1</guid>
<pubDate>Mon, 06 Sep 2021 16:45:00 +0200</pubDate><description><![CDATA[<p>Hi</p>]]></description></item>
<item><guid>https://ex.com/2</guid><content:encoded>Whole</content:encoded><pubDate>soon</pubDate></item>
<item><guid isPermaLink="false">3</guid><title/></item></channel></rss>"""
RDF = """<?xml version="1.0"?><rdf:RDF xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><channel/><item><title>R</title><link>https://ex.com/r</link>
<dc:date>2021-01-01</dc:date></item></rdf:RDF>"""
ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xml:base="/blog/"><title>Feed</title>
<entry xml:base="2024/"><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">A <b>b</b></div></title><id>urn:1</id>
<link rel="self" href="no"/><link href="a"/><updated>2024-01-02T00:00:00Z</updated><published>2024-01-01T00:00:00Z</published>
<summary>S</summary><content>C</content></entry>
<a:entry xmlns:a="http://www.w3.org/2005/Atom"><a:link rel="alternate" href="b"/><a:updated>2024-01-02</a:updated>
<a:content>C</a:content></a:entry></feed>"""


def entry(title, link, published, summary, identity):
    return {"title": title, "link": link, "published": published, "summary": summary, "id": identity}


@pytest.mark.parametrize(
    ("feed", "entries"),
    [
        (RSS, [
            entry("One <b>", "https://ex.com/1", "2021-09-06T16:45:00+02:00", "<p>Hi</p>", "id-1"),
            entry(None, "https://ex.com/2", "soon", "Whole", "https://ex.com/2"),
            entry(None, None, None, None, "3"),
        ]),
        (RDF, [entry("R", "https://ex.com/r", "2021-01-01", None, "https://ex.com/r")]),
        (ATOM, [
            entry("A b", "https://ex.com/blog/2024/a", "2024-01-01T00:00:00Z", "S", "urn:1"),
            entry(None, "https://ex.com/blog/b", "2024-01-02", "C", "https://ex.com/blog/b"),
        ]),
    ],
    ids=["rss", "rdf", "atom"],
)  # fmt: skip
def test_entries(feed, entries):
    page = response("https://ex.com/feeds/all.xml", feed, headers={"Content-Type": "application/rss+xml"})
    assert list(FeedSpider().parse(page)) == entries
    assert page.flags == []


def test_a_feed_that_is_served_as_html_is_one_all_the_same():
    page = response("https://ex.com/", RSS)
    assert [entry["id"] for entry in FeedSpider().parse(page)] == ["id-1", "https://ex.com/2", "3"]


def test_a_feed_with_the_usual_mistakes_keeps_its_texts_and_links():
    feed = """\r\n<?xml version="1.0"?><rss><channel><item><title>R&D&nbsp;&eacute; &#xD83D;&#xDE00;</title>
    <link>https://ex.com/?a=1&b=2&amp;c=3</link><description><![CDATA[x &amp; y]]></description></item></channel></rss>"""
    page = response("https://ex.com/feed", feed, headers={"Content-Type": "text/plain"})
    [found] = FeedSpider().parse(page)
    assert (found["title"], found["link"]) == ("R&D\xa0é \ufffd\ufffd", "https://ex.com/?a=1&b=2&c=3")
    assert found["summary"] == "x &amp; y"


def test_a_page_names_its_feeds_in_many_ways():
    page = response(
        "https://ex.com/",
        """<link rel="stylesheet alternate" type="text/css" href=/no>
        <link rel=Alternate type="application/RSS+xml; charset=utf-8" href=/rss>
        <link rel="me alternate" type=application/atom+xml href=/atom><link rel=alternate href=/de>""",
    )
    assert [request.url for request in FeedSpider().parse(page)] == ["https://ex.com/rss", "https://ex.com/atom"]


def test_a_page_leads_to_its_feeds(site, crawl):
    class Blog(FeedSpider):
        start_urls = [f"{site.url}/"]

        def parse_entry(self, response, entry, node):
            if entry["title"]:
                yield {"title": entry["title"], "tag": node.root.tag}

    link = '<link rel="alternate" type="application/%s+xml" href="/%s.xml">'
    site.pages = {
        "/": link % ("rss", "rss") + link % ("atom", "atom") + '<link rel="alternate" hreflang="de" href="/de">',
        "/rss.xml": RSS,
        "/atom.xml": ATOM,
    }
    crawled = crawl(Blog)
    assert sorted(item["title"] for item in crawled.items) == ["A b", "One <b>"]
    assert set(crawled.hits) == {"/", "/rss.xml", "/atom.xml"}
