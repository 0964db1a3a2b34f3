"""What ``scrapekit init`` and ``scrapekit new`` write."""

from __future__ import annotations

import re

GITIGNORE = """\
.scrapekit/
results/
__pycache__/
.venv/
"""

SPIDER = '''\
"""The quotes of https://quotes.toscrape.com/, a site made to be scraped."""

from scrapekit import Spider


class Quotes(Spider):
    """Text, author and tags of every quote."""

    name = "quotes"
    start_urls = ["https://quotes.toscrape.com/"]

    def parse(self, response):
        """A page of quotes: an item for each, and on to the next page."""
        for quote in response.css("div.quote"):
            yield {
                "text": quote.css("span.text::text").get(),
                "author": quote.css("small.author::text").get(),
                "tags": quote.css("a.tag::text").getall(),
            }
        yield from response.follow_all("li.next a")
'''

TEST = '''\
"""Tests of the spider quotes, without a network. Run them with: pip install pytest; python -m pytest"""

from scrapekit import Request
from scrapekit.testing import response
from spiders.quotes import Quotes

PAGE = """
<div class="quote"><span class="text">To be</span><small class="author">W. S.</small><a class="tag">life</a></div>
<ul><li class="next"><a href="/page/2/">Next</a></li></ul>
"""


def test_a_page_gives_its_quotes_and_leads_to_the_next():
    quote, following = Quotes().parse(response("https://quotes.toscrape.com/", PAGE))
    assert quote == {"text": "To be", "author": "W. S.", "tags": ["life"]}
    assert isinstance(following, Request)
    assert following.url == "https://quotes.toscrape.com/page/2/"
'''

_HEADER = """\
# Settings of this project: every key with its default, commented out. Take the # away from what you change.
# `scrapekit settings --explain KEY` says what a key does, `scrapekit settings` what holds and who said so.
# Times are in seconds, sizes in bytes or as 500KB, 32MiB. ${NAME} and ${NAME:-default} are read from the environment.

"""

_SPIDER = '''\
"""Spider {name}: {url}"""

from scrapekit import Spider


class {cls}(Spider):
    """What it takes from {host}."""

    name = "{name}"
    start_urls = ["{url}"]

    def parse(self, response):
        """{says}"""
{body}'''


def commented(settings: str) -> str:
    """The settings file with each value commented out; its sections stay, so that one line alone can be taken back."""
    _, _, body = settings.partition("\n\n")
    return _HEADER + re.sub(r"^( *)([\w-]+:)(?= +[^ #\n])", r"\1# \2", body, flags=re.MULTILINE)


def spider(name: str, url: str, host: str, says: str, body: str) -> str:
    """The file of a spider.

    Args:
        name: The spider's.
        url: Where it starts, as Request spells it: ASCII without blanks and quotes.
        host: Its host, for the docstring.
        says: The docstring of ``parse``.
        body: The lines of ``parse``, indented for it, each with its line end.
    """
    return _SPIDER.format(name=name, url=url, host=host, says=says, body=body, cls=class_name(name))


def class_name(name: str) -> str:
    """A class's name for the spider ``name``: ``my-shop.2`` is ``MyShop2``."""
    words = "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name))
    return words if words[:1].isalpha() else f"Spider{words}"
