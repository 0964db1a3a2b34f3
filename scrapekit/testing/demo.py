"""``python -m scrapekit.testing.demo``: serve the sample site, crawl it as a user would, show the first items."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_SHOWN = 5
_OWN_GROUP: dict[str, Any] = {"process_group": 0} if hasattr(os, "setpgid") else {}


def main() -> int:
    """Crawl the sample site with the ``books`` spider into ``results/demo.jsonl``.

    Returns:
        The exit code of ``scrapekit crawl``; 2 outside a checkout, which has the spider.
    """
    if not (_ROOT / "spiders" / "books.py").is_file():
        sys.stderr.write(f"the demo needs a checkout of scrapekit: there is no spiders/books.py in {_ROOT}\n")
        return 2
    output = _ROOT / "results" / "demo.jsonl"
    output.parent.mkdir(exist_ok=True)
    output.unlink(missing_ok=True)  # so that what is shown is what this run has written
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exit that passes through `finally`
    with _sample_site() as url:
        command = ["scrapekit", "crawl", "books", "-a", f"url={url}", "-O", str(output.relative_to(_ROOT))]
        sys.stdout.write(f"The sample site is at {url}\n$ {shlex.join(command)}\n")
        sys.stdout.flush()
        code = _crawl([sys.executable, "-m", *command])
    if output.is_file():
        _show(output)
    return code


@contextmanager
def _sample_site() -> Iterator[str]:
    """The URL of a sample site in a process of its own, in a group of its own: Ctrl-C is for the crawl to handle."""
    command = [sys.executable, "-m", "scrapekit.testing.samplesite"]
    with subprocess.Popen(  # noqa: S603  (our own command)
        command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, **_OWN_GROUP
    ) as site:
        try:
            assert site.stdout is not None
            url = site.stdout.readline().strip()
            if not url:
                raise RuntimeError("the sample site did not start; it says why above")
            yield url
        finally:
            site.terminate()


def _crawl(command: list[str]) -> int:
    """Run the crawl and wait for it, also after Ctrl-C, which the crawl gets too and answers by draining."""
    with subprocess.Popen(command, cwd=_ROOT) as crawl:  # noqa: S603  (our own command)
        while True:
            try:
                return crawl.wait()
            except KeyboardInterrupt:
                continue
            except SystemExit:
                crawl.terminate()
                raise


def _show(output: Path) -> None:
    with output.open(encoding="utf-8") as lines:
        items: list[dict[str, Any]] = [json.loads(line) for line in islice(lines, _SHOWN)]
    sys.stdout.write(f"\nThe first {len(items)} items of {output}:\n")
    width = max((len(name) for item in items for name in item), default=0)
    for item in items:
        sys.stdout.write("\n" + "".join(f"  {name:{width}}  {value}\n" for name, value in item.items()))


if __name__ == "__main__":
    sys.exit(main())
