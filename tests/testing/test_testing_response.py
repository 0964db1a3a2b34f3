"""Callbacks can be tested without a server."""

from scrapekit import Request, Spider
from scrapekit.testing import response


class Quotes(Spider):
    def parse(self, response):
        for quote in response.css("q"):
            yield {"text": quote.css("::text").get(), "row": response.meta.get("row")}
        yield from response.follow_all("a")


def test_a_callback_runs_on_a_page_made_of_text():
    page = response("https://example.org/a/", "<q>Grüße</q><a href=b>", meta={"row": 3})
    item, link = Quotes().parse(page)
    assert item == {"text": "Grüße", "row": 3}
    assert link.url == "https://example.org/a/b"
    assert (page.status, page.request.url, page.flags) == (200, "https://example.org/a/", [])


def test_all_of_it_can_be_chosen():
    request = Request("https://example.org/api", meta={"a": 1})
    page = response(
        request.url, b'{"b": 2}', status=404, headers={"content-type": "application/json"}, request=request, flags=["x"]
    )
    assert (page.status, page.doc, page.meta, page.flags) == (404, {"b": 2}, {"a": 1}, ["x"])


def test_parsers_of_a_spider_are_used():
    page = response(
        body="a b", headers={"Content-Type": "text/x-words"}, parsers={"text/x-words": lambda r: r.text.split()}
    )
    assert page.doc == ["a", "b"]
