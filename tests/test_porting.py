"""The page for those who come from Scrapy: its ported spiders give what they should, and what it names is there.

With Scrapy 2.19.0, the originals that stand beside them gave the same items from the same site.
"""

import difflib
import re
from pathlib import Path

import pytest

import scrapekit
from scrapekit.cli.app import scrapekit as commands
from scrapekit.hooks.runner import POINTS
from scrapekit.settings import Settings, load
from scrapekit.settings.shape import all_keys
from scrapekit.testing import SampleSite, serve

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "coming-from-scrapy.md").read_text(encoding="utf-8")
THEIRS = re.findall(r"^```py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
OURS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
KEYS = [key for key, _ in all_keys(Settings)]


@pytest.fixture(scope="module")
def site():
    return SampleSite()


@pytest.fixture
def spiders(site):
    """The ported spiders by name, with the sample site's URL in place of the practice site's."""
    names = {"__name__": "ported"}
    with serve(site) as server:
        for text in OURS:
            exec(text.replace("https://quotes.toscrape.com/", f"{server.url}/quotes/"), names)
        yield names


@pytest.mark.parametrize("tag", [None, "forest"])
def test_the_ported_quotes_spider_gives_the_quotes_of_all_or_of_one_tag(spiders, site, tag):
    spider = spiders["QuotesSpider"]
    found = list(scrapekit.crawl(spider, **({} if tag is None else {"tag": tag})))
    wanted = [
        {"text": quote["text"], "author": quote["author"]}
        for quote in site.expected_quotes()
        if tag is None or tag in quote["tags"]
    ]
    assert sorted(found, key=str) == sorted(wanted, key=str)
    assert len(found) == (100 if tag is None else 6)


def test_the_ported_author_spider_gives_each_author_once(spiders, site):
    found = list(scrapekit.crawl(spiders["AuthorSpider"]))
    authors = {quote.author for quote in site.quotes}
    wanted = [{"name": who.name, "birthdate": who.born, "bio": who.description} for who in authors]
    assert sorted(found, key=str) == sorted(wanted, key=str)
    assert len(found) == 29


def test_the_ports_differ_from_the_originals_in_the_names_alone():
    assert len(THEIRS) == len(OURS) == 2
    for theirs, ours in zip(THEIRS, OURS, strict=True):
        changed = [line for line in difflib.ndiff(theirs.splitlines()[1:], ours.splitlines()[1:]) if line[0] in "+-"]
        assert all(re.search(r"import|class|def start|Request\(", line) for line in changed), changed


def test_the_settings_that_it_names_are_there_with_these_defaults():
    section = PAGE.partition("## Settings")[2].partition("\n## ")[0]
    ours = [row.split(" | ")[1] for row in section.splitlines() if row.startswith("| `")]
    named = re.findall(r"`([a-z_]+(?:\.[a-z_]+)*)`(?: ([\w.]+(?: MiB)?))?", " | ".join(ours))
    assert len(named) >= 30
    words = {"on": "true", "off": "false"}
    for key, default in named:
        assert any(re.fullmatch(rf"{re.escape(key)}(\..+)?", known) for known in KEYS) or key in {
            "dev", "http", "pipelines", "hooks",
        }, key  # fmt: skip
        if default and default != "of":
            value = words.get(default, default.replace(" ", ""))
            assert load(None, overrides=[f"{key}={value}"]).settings == Settings(), (key, default)


def test_the_commands_and_hooks_that_it_names_are_there():
    for command in re.findall(r"`scrapekit (\w+)", PAGE):
        assert command in commands.commands
    for hook in re.findall(r"`(on_\w+|\w+_request|\w+_response)\b", PAGE):
        assert hook in {*POINTS, "process_request", "process_response", "get_retry_request"}, hook
