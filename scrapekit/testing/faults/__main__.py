"""``python -m scrapekit.testing.faults``: serve the faults on loopback until SIGTERM or SIGINT, or list them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from scrapekit.testing.faults import FAULTS, serve_faults
from scrapekit.testing.stopping import until_stopped


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the server's URL on the first line, then every fault's; serve until a signal says stop.

    Call it in the main thread, before there are others: the signals are blocked here and waited for.
    """
    parser = argparse.ArgumentParser(prog="python -m scrapekit.testing.faults", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; 0, the default, takes a free one")
    parser.add_argument("--tls", action="store_true", help="speak TLS on it, with a CA of its own (needs trustme)")
    parser.add_argument("--list", action="store_true", help="list the faults and what scrapekit answers, and exit")
    parser.add_argument("--markdown", action="store_true", help="as --list, as the table of docs/robustness.md")
    parser.add_argument(
        "--places", action="store_true", help="print a second line: JSON of where each fault is, and the CA bundle"
    )
    options = parser.parse_args(arguments)
    if options.list or options.markdown:
        row = "| `{0.path}` | {0.why} | {0.answer} |\n" if options.markdown else "{0.path:36} {0.answer:28} {0.why}\n"
        sys.stdout.writelines(map(row.format, FAULTS.values()))
        return 0
    try:
        with until_stopped() as wait, serve_faults(options.host, options.port, tls=options.tls) as server:
            sys.stdout.write(f"{server.url}/\n")
            if options.places:
                places = {"ca_bundle": server.ca_bundle, "proxy": server.proxy, "faults": server.places()}
                sys.stdout.write(f"{json.dumps(places)}\n")
            elif options.tls:
                sys.stdout.write(f"http.ca_bundle: {server.ca_bundle}\n")
            sys.stdout.flush()
            wait()
            served = f"{server.hits.total()} requests over {server.connections} connections"
        sys.stderr.write(f"faults: {served}\n")
    except (OSError, RuntimeError) as error:
        sys.stderr.write(f"faults: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
