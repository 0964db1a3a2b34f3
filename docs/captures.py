"""``python docs/captures.py [dashboard|terminal|report]...``: make the pictures in docs/images/, of real crawls.

The sites are copies of the sample site, on loopback. Needs Chromium, and tmux for the terminal.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Self
from zlib import crc32

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "dashboard")]

from chromium import Chromium  # noqa: E402
from rich._export_format import CONSOLE_SVG_FORMAT  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.text import Text  # noqa: E402

from scrapekit.testing import Reply, RequestView, SampleSite, serve  # noqa: E402
from scrapekit.testing.terminal import Terminal  # noqa: E402

SPIDER = """
from spiders.books import Books as OneShop
from scrapekit import Request

class Books(OneShop):
    name = "books"

    def start(self):
        return [Request(url) for url in self.url.split()]
"""
SHOPS = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
SETTINGS = """
throttle:
  domains:
    127.0.0.2: {delay: 0.8}
    127.0.0.3: {maxsize: 2}
"""
SECONDS = 40.0  # that the crawl has run when the pictures are taken


class Shops:
    """Five shops, each on an address of its own, and a project to crawl them. A context manager."""

    def __enter__(self) -> Self:
        sample, began = SampleSite(books=1000, retry_after=1), time.monotonic()

        def shops(request: RequestView) -> Reply:  # of which one is slow, and one is busy now and then
            slow = {"127.0.0.4": 0.9}.get(request.host, 0.3)
            time.sleep(slow * (1 + crc32(request.target.encode()) % 7 / 7))
            if request.host == "127.0.0.5" and time.monotonic() > began + SECONDS - 12:
                return Reply(b"", 503, (("Retry-After", "90"),))
            return sample(request)

        self._stack = ExitStack()
        site = self._stack.enter_context(serve(shops, hosts=SHOPS))
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        (self.folder / "shops.py").write_text(SPIDER, encoding="utf-8")
        (self.folder / "settings.yaml").write_text(SETTINGS, encoding="utf-8")
        urls = " ".join(f"http://{host}:{site.port}/" for host in SHOPS)
        self.command = [sys.executable, "-m", "scrapekit", "crawl", "shops.py", "-a", f"url={urls}"]
        self.environment = {"PYTHONPATH": str(ROOT), "CI": ""}
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def dashboard() -> None:
    """The dashboard of a crawl of five shops, light and dark."""
    with Shops() as shops:
        crawl = subprocess.Popen(
            [*shops.command, "--ui", "0"],
            cwd=shops.folder,
            env=os.environ | shops.environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert crawl.stderr is not None
            url = next(line.split()[-1] for line in crawl.stderr if "the dashboard is at" in line)
            drain = Thread(target=crawl.stderr.read, daemon=True)  # or it would wait for a reader
            drain.start()
            time.sleep(SECONDS)
            photograph(url, "dashboard", shops.folder / "chromium", "document.querySelector('#hosts-rows tr')")
        finally:
            crawl.terminate()
            crawl.wait()


def terminal() -> None:
    """The live display of the same crawl, and what a Ctrl-C leaves of it, in a terminal of tmux."""
    with (
        Shops() as shops,
        Terminal(
            [*shops.command, "-s", "crawl.max_pages=2000"],
            columns=100,
            rows=28,
            folder=shops.folder,
            environment={**shops.environment, "TERM": "xterm-256color"},
        ) as screen,
    ):
        screen.await_text("Retry-After until", seconds=300)
        time.sleep(SECONDS / 8)
        draw(screen.screen(colours=True), "terminal")
        screen.press("C-c")
        screen.await_text(r"^\[exit 130\]$")
        draw(screen.screen(colours=True), "terminal-interrupted")


def report() -> None:
    """The page that ``--report`` writes, light and dark."""
    with Shops() as shops:
        command = [*shops.command, "-q", "--max-pages", "1500", "--report", "report.html"]
        subprocess.run(command, cwd=shops.folder, env=os.environ | shops.environment, check=True)
        photograph((shops.folder / "report.html").as_uri(), "report", shops.folder / "chromium", "document.body")


def draw(screen: str, name: str) -> None:
    """What a terminal shows, as a picture that holds its own style: it fetches no font."""
    lines = [Text.from_ansi(line) for line in screen.splitlines() if not line.startswith("[exit")]
    console = Console(record=True, width=max(100, *(line.cell_len for line in lines)), file=io.StringIO())
    for line in lines:
        console.print(line, soft_wrap=True)
    picture = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    console.save_svg(str(IMAGES / f"{name}.svg"), title="scrapekit", code_format=picture)


def photograph(url: str, name: str, profile: Path, ready: str) -> None:
    """A picture of the top of a page in each colour scheme."""
    browser = Chromium(profile)
    try:
        with browser.tab(width=1280, height=1000) as tab:
            tab.open(url)
            tab.wait(ready)
            for scheme in ("light", "dark"):
                tab.prefer(scheme)
                time.sleep(1)
                (IMAGES / f"{name}-{scheme}.png").write_bytes(tab.screenshot())
    finally:
        browser.close()


PICTURES = {"dashboard": dashboard, "terminal": terminal, "report": report}

if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for asked in sys.argv[1:] or PICTURES:
        PICTURES[asked]()
