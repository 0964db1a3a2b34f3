"""``scrapekit shell``: Python with a page at hand."""

from __future__ import annotations

import html
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrapekit.cli.options import load_settings, override_option, settings_option
from scrapekit.cli.page import get

if TYPE_CHECKING:
    from scrapekit.messages import Request, Response
    from scrapekit.selection import SelectorList
    from scrapekit.settings import Settings

_HELP = """\
response           {response!r}
css('h1::text')    what a CSS selector selects; xpath('//h1') likewise
fetch(URL)         another page, or a Request; it is the response from then on
view()             the page in a browser, from a file"""


@click.command("shell", short_help="Open Python with a page at hand.")
@click.argument("url")
@override_option
@settings_option
def shell_command(url: str, overrides: tuple[str, ...], settings_file: str | None) -> None:
    """Fetch URL as a crawl would, and open Python with response, css(), xpath(), fetch() and view().

    It is IPython where that is installed. What comes through a pipe is run as a script.

    \b
    scrapekit shell https://quotes.toscrape.com/
    echo "print(css('title::text').get())" | scrapekit shell https://quotes.toscrape.com/
    """  # noqa: D301  (\b is click's: it leaves these lines as they are)
    bench = Bench(load_settings(settings_file, None, overrides).settings)
    bench.fetch(url)
    banner = _HELP.format(response=bench.names["response"])
    if sys.stdin is None or not sys.stdin.isatty():
        exec(compile("" if sys.stdin is None else sys.stdin.read(), "<stdin>", "exec"), bench.names)  # noqa: S102
        return
    try:
        from IPython import start_ipython
    except ImportError:
        import code

        code.interact(banner, local=bench.names, exitmsg="")
    else:
        sys.stderr.write(f"{banner}\n")
        start_ipython(argv=["--no-banner"], user_ns=bench.names)


class Bench:
    """The names that the shell has; ``fetch()`` replaces the ``response`` among them.

    Args:
        settings: What holds for what it fetches.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.names: dict[str, Any] = {"css": self.css, "xpath": self.xpath, "fetch": self.fetch, "view": self.view}

    @property
    def _response(self) -> Response:
        response: Response = self.names["response"]
        return response

    def fetch(self, url: str | Request) -> Response:
        """Fetch a URL, or a Request as it is. Raises RequestError."""
        response = self.names["response"] = get(url, self._settings)
        return response

    def css(self, query: str) -> SelectorList:
        """What a CSS selector selects on the page."""
        return self._response.css(query)

    def xpath(self, query: str, **variables: Any) -> SelectorList:
        """What an XPath expression selects on the page."""
        return self._response.xpath(query, **variables)

    def view(self) -> Path:
        """Open the page in a browser, from a file that stays; its path. Its links lead to where they did."""
        response = self._response
        folder = Path(tempfile.mkdtemp(prefix="scrapekit-"))
        if "html" in response.headers.get("content-type", "html").lower():
            path = folder / "page.html"
            base = f'<meta charset="utf-8"><base href="{html.escape(response.url)}">'
            path.write_text(f"{base}{response.text}", encoding="utf-8")
        else:
            path = response.save(folder / "page")
        webbrowser.open(path.as_uri())
        return path
