"""``python docs/captures.py``: make the pictures in docs/images/, of a real crawl of the sample site on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Thread
from zlib import crc32

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "dashboard")]

from chromium import Chromium  # noqa: E402

from scrapekit.testing import Reply, RequestView, SampleSite, serve  # noqa: E402

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


def dashboard() -> None:
    """The dashboard of a crawl of five shops, light and dark."""
    sample, began = SampleSite(books=1000, retry_after=1), time.monotonic()

    def shops(request: RequestView) -> Reply:  # of which one is slow, and one is busy now and then
        slow = {"127.0.0.4": 0.9}.get(request.host, 0.3)
        time.sleep(slow * (1 + crc32(request.target.encode()) % 7 / 7))
        if request.host == "127.0.0.5" and time.monotonic() > began + SECONDS - 12:
            return Reply(b"", 503, (("Retry-After", "90"),))
        return sample(request)

    with serve(shops, hosts=SHOPS) as site, tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "shops.py").write_text(SPIDER, encoding="utf-8")
        (project / "settings.yaml").write_text(SETTINGS, encoding="utf-8")
        urls = " ".join(f"http://{host}:{site.port}/" for host in SHOPS)
        crawl = subprocess.Popen(
            [sys.executable, "-m", "scrapekit", "crawl", "shops.py", "-a", f"url={urls}", "--ui", "0"],
            cwd=project,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert crawl.stderr is not None
            url = next(line.split()[-1] for line in crawl.stderr if "the dashboard is at" in line)
            drain = Thread(target=crawl.stderr.read, daemon=True)  # or it would wait for a reader
            drain.start()
            time.sleep(SECONDS)
            photograph(url, "dashboard", project / "chromium")
        finally:
            crawl.terminate()
            crawl.wait()


def photograph(url: str, name: str, profile: Path) -> None:
    """A picture of the top of a page in each colour scheme."""
    browser = Chromium(profile)
    try:
        with browser.tab(width=1280, height=1000) as tab:
            tab.open(url)
            tab.wait("document.querySelector('#hosts-rows tr')")
            for scheme in ("light", "dark"):
                tab.prefer(scheme)
                time.sleep(1)
                (IMAGES / f"{name}-{scheme}.png").write_bytes(tab.screenshot())
    finally:
        browser.close()


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    dashboard()
