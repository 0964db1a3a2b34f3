"""``scrapekit new``: a spider for a site, guessed from one of its pages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from scrapekit.cli.options import override_option, settings_option
from scrapekit.cli.page import get_with, reading, request_to
from scrapekit.safe import safe

if TYPE_CHECKING:
    from scrapekit.messages import Response

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_DEEP = 4  # levels of JSON in which a list is looked for
_EMPTY = """\
        # What 'scrapekit select URL SELECTOR' shows is what response.css() and response.xpath() find.
        yield {"url": response.url, "title": response.css("title::text").get()}
        # yield from response.follow_all("li.next a")
"""


class Draft(NamedTuple):
    """What ``parse`` of the new spider does.

    Args:
        says: Its docstring.
        body: Its lines.
    """

    says: str
    body: str


@click.command("new", short_help="Write a spider for a site, guessed from one of its pages.")
@click.argument("name")
@click.argument("url")
@click.option("--empty", is_flag=True, help="Fetch nothing: write a plain spider, to be filled in.")
@click.option("--yaml", is_flag=True, help="Write spiders/NAME.yaml: a spider without Python.")
@override_option
@settings_option
def new_command(
    name: str, url: str, *, empty: bool, yaml: bool, overrides: tuple[str, ...], settings_file: str | None
) -> None:
    """Fetch URL as a crawl would, guess what is listed there, and write the spider NAME into spiders/NAME.py.

    With --yaml, it is written into spiders/NAME.yaml, without Python. The records of the list, their fields and the
    link to the next page are guesses: look at the file. Nothing is overwritten.

    \b
    scrapekit new shop https://books.toscrape.com/
    scrapekit new shop https://books.toscrape.com/ --empty
    scrapekit new shop https://books.toscrape.com/ --yaml
    """  # noqa: D301  (\b is click's: it leaves these lines as they are)
    from scrapekit.cli.init import write_new
    from scrapekit.cli.templates import spider
    from scrapekit.cli.yamldraft import described
    from scrapekit.errors import StatusError
    from scrapekit.web import host_of

    if not _NAME.fullmatch(name):
        raise click.UsageError(f"NAME must be letters, digits, '_' and '-', and begin with a letter, not {name!r}")
    path = Path("spiders", f"{name}.yaml" if yaml else f"{name}.py")
    for suffix in (".py", ".yaml", ".yml"):  # whichever it is, two of one name are one too many
        _refuse(path.with_suffix(suffix), there=path.with_suffix(suffix).exists())
    response = None
    if empty:
        url = request_to(url).url
    else:
        response = get_with(url, overrides, settings_file)
        if response.status >= 400:
            failure = StatusError(f"there is nothing to guess from a page of status {response.status}")
            failure.add_note("give the URL of another page, or --empty")
            raise failure
        url = response.url
    with reading(url):
        if yaml:
            text = described(name, url, host_of(url), response)
        else:
            draft = Draft("A page: what to take from it.", _EMPTY) if response is None else draft_for(response)
            text = spider(name, url, host_of(url), draft.says, draft.body)
    _refuse(path, there=not write_new(path, text))
    said = []
    if response is not None:
        try:
            said = _outcome(path, response)
        except BaseException:
            path.unlink()  # so that the same command can be given again, when what was missing is there
            raise
    click.echo(f"wrote  {path}")
    for line in said:
        click.echo(safe(line))
    click.echo(f"\nnext:\n  scrapekit parse {shlex.quote(url)} --spider {name}")
    click.echo(f"  scrapekit crawl {name} -O {name}.jsonl --max-pages 10")


def _refuse(path: Path, *, there: bool) -> None:
    from scrapekit.errors import ConfigError

    if there:
        raise ConfigError(f"{path} is there already: choose another name, or delete it")


def draft_for(response: Response) -> Draft:
    """What a spider may take from a page like ``response``. Pure.

    Raises:
        ParseError: The body is not what its media type says.
    """
    from scrapekit.parse import HtmlDocument

    doc = response.doc
    if isinstance(doc, HtmlDocument):
        return _html(response)
    if isinstance(doc, dict | list):
        where = next(lists(doc, ()), None)
        source = "response.doc" + "".join(f"[{_quoted(key)}]" for key in where or ())
        if where is None:
            return Draft("A page: one item.", '        yield {"url": response.url, "data": response.doc}\n')
        return Draft("A page: an item for each record.", f"        yield from {source}\n")
    fields = '"url": response.url, "status": response.status, "size": response.size'
    return Draft("A response: one item.", f"        yield {{{fields}}}\n")


def _html(response: Response) -> Draft:
    from scrapekit.cli.guess import next_page, records

    found, following = records(response), next_page(response)
    if found:
        fields = "".join(
            f'                "{field.name}": record.css({_quoted(field.query)}).get{"all" * field.many}(),\n'
            for field in found.fields
        )
        body = f"        for record in response.css({_quoted(found.records)}):\n            yield {{\n{fields}"
        body += "            }\n"
    else:
        body = (
            "        yield {\n"
            '            "url": response.url,\n'
            '            "title": response.css("title::text").get(),\n'
            '            "heading": response.css("h1 ::text").get(),\n'
            "        }\n"
        )
    if following:
        body += f"        yield from response.follow_all({_quoted(following)})\n"
    what = "an item for each record" if found else "one item"
    return Draft(f"A page: {what}{', and on to the next page' if following else ''}.", body)


def lists(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The keys to each list of objects in a JSON document."""
    if isinstance(value, list):
        if value and all(isinstance(each, dict) for each in value):
            yield path
    elif isinstance(value, dict) and len(path) < _DEEP:
        for key, inner in value.items():
            yield from lists(inner, (*path, key))


def _quoted(text: str) -> str:
    """``text`` as a Python literal, in double quotes where it has none."""
    literal = repr(text)
    return f'"{literal[1:-1]}"' if literal[0] == "'" and '"' not in text else literal


def _outcome(path: Path, response: Response) -> list[str]:
    """What the new spider makes of the page that it was guessed from; and if that is little, why."""
    from scrapekit.messages import Request
    from scrapekit.project.spiders import load_spider

    yielded = list(load_spider(str(path), Path.cwd())().parse(response))
    items = [each for each in yielded if not isinstance(each, Request)]
    first = items[0].model_dump() if items and not isinstance(items[0], dict) else [*items, {}][0]
    fields = f", with {', '.join(first)}" if items else ""
    following = ", and the link to the next page" if len(items) < len(yielded) else ""
    found = f"{len(items)} item{'s'[: len(items) != 1]} on this page{fields}{following}"
    return [found] if len(items) > 1 else [found, *_why_little(response)]


def _why_little(response: Response) -> list[str]:
    """Why no list was found on a page, and what to do."""
    from scrapekit.parse import HtmlDocument, XmlDocument

    match response.doc:
        case HtmlDocument():
            return [
                "no list was seen there: 'scrapekit select URL SELECTOR' tries what may find one",
                "what a browser shows may have been put there by scripts: 'scrapekit fetch URL --text' shows what came",
            ]
        case XmlDocument():
            return ["sitemaps, feeds and other XML have spiders of their own: docs/kinds.md"]
        case dict() | list():
            return ["no list of several objects was seen there: 'scrapekit shell URL' has it as response.doc"]
    kind = response.headers.get("content-type", "data")
    return [f"nothing can be guessed from {kind}: 'scrapekit shell URL' has it as response.doc"]
