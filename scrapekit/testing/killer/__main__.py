"""``python -m scrapekit.testing.killer``: kills crawls of the sample site, and counts what is wrong with the output."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scrapekit.testing.killer import Campaign

_ROOT = Path(__file__).resolve().parents[3]
_OUTPUTS = (
    *("out.jsonl", "out.jsonl.gz", "out.csv", "out.json", "out.csv.gz", "out.xml", "out.db"),
    *("parts.jsonl", "parts.csv", "parts.jsonl.gz"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. 0: nothing was found; 1: something was; 2: bad usage."""
    parser = argparse.ArgumentParser("python -m scrapekit.testing.killer", description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="deaths in all (300)")
    parser.add_argument("--seed", type=int, default=0, help="draws when and how (0)")
    parser.add_argument("--fleet", default="threads", help="as for scrapekit crawl (threads)")
    parser.add_argument("--books", type=int, default=150, help="size of the site (150)")
    parser.add_argument("--output", action="append", metavar="NAME", help=f"an output ({', '.join(_OUTPUTS)})")
    given = parser.parse_args(arguments)
    spider = _ROOT / "spiders" / "books.py"
    if not spider.is_file():
        parser.error(f"it needs a checkout of scrapekit: there is no spiders/books.py in {_ROOT}")
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "spiders").mkdir()
        shutil.copy(spider, project / "spiders")
        campaign = Campaign(project, seed=given.seed, fleet=given.fleet, books=given.books)
        tally = campaign.run(given.kills, given.output or list(_OUTPUTS))
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(tally.kinds.items()))
    print(f"{tally.kills} kills of {tally.crawls} crawls with --fleet {given.fleet}: {kinds}")
    print(f"besides, {tally.children} worker processes killed, {tally.stops} processes stopped for a while")
    again = tally.refetched or [0]
    print(f"pages fetched again after a kill: {sum(again) / len(again):.1f} on average, {max(again)} at most")
    for name, verdict in tally.wrong.items():
        print(f"{name}: {verdict}")
    if not tally.wrong:
        print("0 missing, 0 doubled, 0 torn")
    if max(again) > campaign.most_again:
        print(f"more were fetched again than a commit and the workers can have had: {campaign.most_again}")
    return 1 if tally.wrong or max(again) > campaign.most_again else 0


if __name__ == "__main__":
    sys.exit(main())
