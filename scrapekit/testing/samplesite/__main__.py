"""``python -m scrapekit.testing.samplesite``: serve the sample site on loopback until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from scrapekit.testing.samplesite import SampleSite
from scrapekit.testing.server import serve
from scrapekit.testing.stopping import until_stopped


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the site's URL on the first line, serve until a signal says stop, then say what was served.

    Call it in the main thread, before there are others: the signals are blocked here and waited for, so that no thread
    is interrupted at a bad moment.
    """
    parser = argparse.ArgumentParser(prog="python -m scrapekit.testing.samplesite", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; 0, the default, takes a free one")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same site (default: 1)")
    parser.add_argument("--books", type=int, default=1000, help="how many books (default: 1000)")
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="SECONDS", help="hold each answer back (default: 0)"
    )
    parser.add_argument(
        "--retry-after", type=int, default=1, metavar="SECONDS", help="what 503 answers say (default: 1)"
    )
    options = parser.parse_args(arguments)
    with until_stopped() as wait:
        site = SampleSite(options.seed, options.books, retry_after=options.retry_after)
        with serve(site, port=options.port, latency=options.latency) as server:
            sys.stdout.write(f"{server.url}/\n")
            sys.stdout.flush()
            wait()
            busiest = max(server.max_open_by_host.values(), default=0)
        # To stderr, because whoever reads the URL from a pipe may be gone by now.
        seen = f"{server.hits.total()} requests over {server.connections} connections, at most {busiest} open at once"
        sys.stderr.write(f"sample site: {seen}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
