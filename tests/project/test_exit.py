"""A program that ends in the middle of a crawl ends."""

import subprocess
import sys

from scrapekit.testing import SampleSite, serve

PROGRAM = """
import sys, scrapekit

class Quotes(scrapekit.Spider):
    start_urls = [sys.argv[1]]

    def parse(self, response):
        for quote in response.css("div.quote"):
            yield {"text": quote.css("span.text::text").get()}
        yield from response.follow_all("li.next a")

items = scrapekit.crawl(Quotes)
print(next(items)["text"])
"""


def test_a_script_that_leaves_a_crawl_half_read_ends(tmp_path):
    script = tmp_path / "half_read.py"
    script.write_text(PROGRAM)
    with serve(SampleSite(books=20, quotes=50)) as server:
        done = subprocess.run(
            [sys.executable, script, f"{server.url}/quotes/"], capture_output=True, text=True, timeout=60
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("“")
