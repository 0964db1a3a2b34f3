"""Spiders as YAML files, and small sites to run them on."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest
from writtensite import crawl, site

from scrapekit.declarative import load
from scrapekit.errors import ItemError, SpiderError
from scrapekit.messages import Request
from scrapekit.testing import response

URL = "https://example.org/list/"


__all__ = ["crawl", "site"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def spider(folder):
    """The class of a spider that is written down here."""

    def spider(text: str, name: str = "it.yaml"):
        Path(name).write_text(dedent(text), encoding="utf-8")
        return load(name)

    return spider


@pytest.fixture
def refusal(spider):
    """What is said about a file that is no spider: one line."""

    def refusal(text: str) -> str:
        with pytest.raises(SpiderError) as caught:
            spider(text)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return refusal


class Taken(NamedTuple):
    """What a callback yields of a page."""

    items: list[dict[str, Any]]
    requests: list[Request]
    errors: list[ItemError]


@pytest.fixture
def take(spider):
    """What a spider with these lines takes from one page, by ``parse`` or another method."""

    def take(
        text: str, body: str | bytes, *, url: str = URL, method: str = "parse", headers=None, **arguments
    ) -> Taken:
        made = spider(f"start: {URL}\n" + dedent(text))(**arguments)
        html = "{" not in str(body)[:3]
        page = response(url, body, headers=headers or ({"Content-Type": "text/html"} if html else {}))
        taken = Taken([], [], [])
        for one in getattr(made, method)(page):
            if isinstance(one, Request):
                taken.requests.append(one)
            elif isinstance(one, ItemError):
                taken.errors.append(one)
            elif one.problem is not None:
                taken.errors.append(one.problem)
            else:
                taken.items.append(one.model_dump())
        return taken

    return take


@pytest.fixture
def field(take):
    """What one field, written as YAML, makes of a page: its value, or the error."""

    def field(written: str, body: str | bytes, **more) -> Any:
        taken = take(f"items:\n  fields:\n    it: {written}\n", body, **more)
        if taken.errors:
            return str(taken.errors[0])
        return taken.items[0]["it"]

    return field
