"""XML an element at a time."""

import tracemalloc

import pytest

import scrapekit
from scrapekit.errors import SpiderError
from scrapekit.messages import Request, Response
from scrapekit.messages.spool import Spool
from scrapekit.parse import Parsers
from scrapekit.spiders import XMLSpider, iter_nodes
from scrapekit.testing import Reply, response

FILE = (
    '<?xml version="1.0"?><shop xmlns="urn:s" xmlns:g="urn:g"><name>no item</name>'
    '<item id="1"><name>One &amp; only</name><g:price>1</g:price><item>within</item></item><group>'
    '<g:item id="2"><g:name>Two</g:name><name>of s</name></g:item></group></shop>'
)


def xml(body, content_type="application/xml"):
    return response("https://ex.com/f.xml", body, headers={"Content-Type": content_type})


def test_elements_come_one_after_the_other_with_the_prefixes_of_the_file():
    page = xml(FILE)
    first, second = iter_nodes(page, "item")
    assert first.attrib == {"id": "1"}
    assert first.css("name::text").get() == "One & only"
    assert first.css("g|price::text").getall() == first.xpath("g:price/text()").getall() == ["1"]
    assert first.xpath("item/text()").getall() == ["within"]
    assert second.xpath("name/text()").getall() == ["Two"]
    assert second.xpath("s:name/text()", {"s": "urn:s"}).get() == "of s"
    assert page.flags == []


def test_a_node_may_be_kept():
    nodes = list(iter_nodes(xml("<r>" + "<item><a>x</a></item> tail <!-- no --> " * 50_000 + "</r>"), "item"))
    assert len(nodes) == 50_000
    assert {node.get() for node in nodes} == {"<item><a>x</a></item>"}


def test_prefixes_may_be_given():
    first, _ = iter_nodes(xml(FILE), "item", namespaces={"price": "urn:g"})
    assert first.xpath("price:price/text()").get() == "1"


def test_several_names_and_text_between_elements():
    nodes = iter_nodes(xml("<r>text<a>1</a>text<b>2<c/>3</b></r>"), "a", "b")
    assert [(node.root.tag, node.xpath("string()").get()) for node in nodes] == [("a", "1"), ("b", "23")]


@pytest.mark.parametrize(
    ("body", "found"),
    [(b"", 0), (b"  ", 0), (b"plain", 0), (b"<r><item>1</item><item>2", 1), (b"<r><item>1</item></s>", 1)],
    ids=range(5),
)
def test_what_is_not_well_formed_is_read_as_far_as_it_goes_and_flagged(body, found):
    page = xml(body)
    assert len(list(iter_nodes(page, "item"))) == found
    assert page.flags == ["parse_recovered"]


def test_no_reference_is_lost_in_a_file_that_is_not_well_formed():
    body = "<a><b>x & y &amp; z</b><b>&nbsp;&lt;</b><b>&#xD83D;&#38;</b><b><![CDATA[&amp; &]]></b><d>\x02</d><b>&amp;</b></a>"
    page = response("https://ex.com/f.xml", f"\n<?xml version='1.0'?>{body}", headers={"Content-Type": "text/xml"})
    assert ["".join(node.xpath(".//text()").getall()) for node in iter_nodes(page, "b")] == [
        "x & y & z", "\xa0<", "\ufffd&", "&amp; &", "&"]  # fmt: skip
    assert page.flags == ["parse_recovered"]  # of the control character


def test_the_charset_of_the_header_wins():
    body = '<?xml version="1.0" encoding="ascii"?><r><item>é</item></r>'.encode("latin-1")
    [node] = iter_nodes(xml(body, "text/xml; charset=iso-8859-1"), "item")
    assert node.xpath("string()").get() == "é"
    utf16 = '<?xml version="1.0" encoding="utf-16"?><r><item>é</item></r>'.encode("utf-16")
    assert [node.xpath("string()").get() for node in iter_nodes(xml(utf16, "text/xml; charset=nope"), "item")] == ["é"]


def test_no_entity_is_expanded_and_nothing_is_loaded():
    body = '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY x SYSTEM "file:///etc/passwd">]><r><item>1<b/>&a;&x;</item></r>'
    [node] = iter_nodes(xml(body), "item")
    assert node.get() == "<item>1<b/>&a;&x;</item>"
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    page = xml(f'<!DOCTYPE r [<!ENTITY l0 "ha">{levels}]><r><item>&l9;</item></r>')
    assert sum(len(node.get()) for node in iter_nodes(page, "item")) < 100
    assert page.flags == ["parse_recovered"]


def test_memory_goes_with_the_largest_element_and_not_with_the_file():
    spool = Spool()
    spool.write(b"<shop>")
    for _ in range(10):
        spool.write(b"<other><deep>text</deep></other><item><name>some name</name><price>1</price></item>\n" * 5000)
    spool.write(b"</shop>")
    page = Response("https://ex.com/", body=spool, request=Request("https://ex.com/"), parse=Parsers())
    tracemalloc.start()
    try:
        count = sum(1 for _ in iter_nodes(page, "item"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        spool.close()
    assert count == 50_000
    assert len(spool) > 4_000_000
    assert peak < len(spool) / 3


class Shop(XMLSpider):
    itertag = "item"
    namespaces = {"x": "urn:g"}

    def parse_node(self, response, node):
        return {"id": node.attrib["id"], "price": node.xpath("x:price/text()").get()}


def test_a_spider_gets_each_element(site, crawl):
    site.pages["/f.xml"] = FILE
    crawled = crawl(type("One", (Shop,), {"start_urls": [f"{site.url}/f.xml"]}))
    assert crawled.items == [{"id": "1", "price": "1"}, {"id": "2", "price": None}]


def test_a_tag_that_is_no_local_name_is_refused_before_anything_is_fetched():
    with pytest.raises(SpiderError, match="itertag must be a local name such as 'item', not 'g:item'"):
        Shop(itertag="g:item")


def test_a_broken_file_is_flagged_in_the_report(site, crawl):
    site.pages["/f.xml"] = FILE[:-30]
    assert crawl(type("Cut", (Shop,), {"start_urls": [f"{site.url}/f.xml"]})).report.stats.flags == {
        "parse_recovered": 1
    }
    [blank] = [type("Blank", (XMLSpider,), {"start_urls": [f"{site.url}/f.xml"]})]
    assert "has no parse_node() method" in crawl(blank).report.stats.errors["CallbackError"].message


def test_a_feed_in_a_file_is_read_from_there(site, tmp_path):
    site.pages["/f.xml"] = Reply(FILE.encode() + b" " * 5000, headers=(("Content-Type", "text/xml"),))
    settings = {"robots": {"obey": False}, "http": {"spool_above": "1KiB"}}
    spider = type("Spooled", (Shop,), {"start_urls": [f"{site.url}/f.xml"]})
    assert scrapekit.run(spider, output=tmp_path / "o.jsonl", settings=settings).stats.items == 2
