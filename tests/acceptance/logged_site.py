"""``python logged_site.py LOG``: the sample site in a process of its own, with every request in a log that tests read.

``+ TARGET`` is written when a request has come, ``- TARGET`` when it is answered, each with one write().
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from scrapekit.testing import Reply, RequestView, SampleSite, serve


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("log")
    parser.add_argument("--books", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--hang", default="", help="a target that is answered once LOG.go is there")
    options = parser.parse_args()
    signals = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    log = os.open(options.log, os.O_WRONLY | os.O_APPEND)
    go = Path(f"{options.log}.go")
    site = SampleSite(books=options.books, retry_after=0)

    def logged(request: RequestView) -> Reply:
        os.write(log, f"+ {request.target}\n".encode("ascii"))
        request.closing.wait(options.latency)
        while request.target == options.hang and not go.exists():
            if request.closing.wait(0.01):
                break
        reply = site(request)
        os.write(log, f"- {request.target}\n".encode("ascii"))
        return reply

    with serve(logged, port=options.port) as server:
        sys.stdout.write(f"{server.url}/\n")
        sys.stdout.flush()
        signal.sigwait(signals)


if __name__ == "__main__":
    main()
