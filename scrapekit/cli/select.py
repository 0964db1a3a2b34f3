"""``scrapekit select``: try a selector on a page."""

from __future__ import annotations

import re

import click

from scrapekit.cli.live import print_line
from scrapekit.cli.options import override_option, settings_option
from scrapekit.cli.page import code_of, get_with, reading
from scrapekit.safe import safe, safe_lines

_AXES = "ancestor|attribute|child|descendant|following|namespace|parent|preceding|self"
_XPATH = re.compile(rf"\s*(?:/|\.\.?/|\(|[\w-]+\(|(?:{_AXES})(?:-or-self|-sibling)?::)")  # no CSS begins like that


@click.command("select", short_help="Show what a CSS selector or an XPath selects on a page.")
@click.argument("url")
@click.argument("query", metavar="'CSS OR XPATH'")
@override_option
@settings_option
def select_command(url: str, query: str, overrides: tuple[str, ...], settings_file: str | None) -> int:
    """Fetch URL as a crawl would, and show what a CSS selector or an XPath selects there, one result a line.

    What begins like 'h1', '.price' or '#main' is CSS, with ::text and ::attr(name); what begins with '/', './', '(' or
    a function such as 'count(' is XPath.

    The exit code is 0 if something was selected, 1 if nothing was, or the page did not come, 2 if it is no selector.

    \b
    scrapekit select https://quotes.toscrape.com/ 'span.text::text'
    scrapekit select https://quotes.toscrape.com/ '//li[@class="next"]/a/@href'
    """  # noqa: D301  (\b is click's: it leaves these lines as they are)
    from scrapekit.parse import XmlDocument

    response = get_with(url, overrides, settings_file)
    try:
        with reading(response.url):
            found = response.xpath(query) if _XPATH.match(query) else response.css(query)
    except ValueError as error:
        raise click.UsageError(safe(str(error))) from error
    for text in found.getall():
        click.echo(safe_lines(" ".join(text.split())))
    if not found:
        print_line(f"nothing on {safe(response.url)} is selected by {safe(query)}")
        if isinstance(response.doc, XmlDocument):
            print_line("what is in a namespace of XML is selected by '*|name', or by '//*[local-name()=\"name\"]'")
        else:
            print_line("what a browser shows may have been put there by scripts: look at 'scrapekit fetch URL'")
        return 1
    return code_of(response)
