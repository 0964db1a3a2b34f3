"""How far each slow fault gets beyond the deadline: directly, through an HTTP proxy, and through a CONNECT tunnel.

One fetch at a time, `total` seconds each, with connect and read timeouts that are longer: the total alone must end it.
"""

import argparse
import contextlib
import statistics
import threading
import time

from scrapekit.download import Downloader
from scrapekit.errors import DownloadError
from scrapekit.messages import Request
from scrapekit.testing.faults import FAULTS, serve_faults


def main():
    parser = argparse.ArgumentParser(prog="bench/faults.py", description=__doc__)
    parser.add_argument("--total", type=float, default=1.0, help="seconds that a fetch may take (default: 1)")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    slow = [fault for fault in FAULTS.values() if fault.slow]
    print(f"overshoot in ms, worst of {options.rounds}, total {options.total} s")
    print(f"{'fault':34} {'http':>8} {'https':>8} {'by proxy':>8} {'tunnel':>8}")
    seen = []
    with serve_faults() as server:
        make = {"workers": 4, "connect_timeout": 60, "read_timeout": 60, "pool_timeout": 60}
        with Downloader(**make, total_timeout=options.total, ca_bundle=server.ca_bundle) as downloader:

            def overshoot(path, tls, proxy):
                request = server.request(path, tls=tls, **({"proxy": server.proxy} if proxy else {}))
                began = time.perf_counter()
                with contextlib.suppress(DownloadError):
                    downloader.fetch(request, host="127.0.0.1")
                return time.perf_counter() - began - options.total

            for fault in slow:
                cells = []
                for tls, proxy in ((False, False), (True, False), (False, True), (True, True)):
                    if fault.door is not None and (tls or proxy):  # it has its own scheme, or is the proxy itself
                        cells.append("")
                        continue
                    worst = max(overshoot(fault.path, tls, proxy) for _ in range(options.rounds))
                    seen.append(worst)
                    cells.append(f"{worst * 1000:.1f}")
                print(f"{fault.path:34} " + " ".join(f"{cell:>8}" for cell in cells), flush=True)
    asked = threading.Event()  # never set before the end: the resolver gives no answer
    make |= {"resolve": lambda *_: asked.wait(30) and [], "dns_timeout": 60, "total_timeout": options.total}
    with Downloader(**make) as downloader:
        for scheme in ("http", "https"):
            began = time.perf_counter()
            with contextlib.suppress(DownloadError):
                downloader.fetch(Request(f"{scheme}://{scheme}.test/"), host="test")
            seen.append(time.perf_counter() - began - options.total)
            print(f"a resolver without an answer, {scheme:5} {seen[-1] * 1000:7.1f}", flush=True)
        asked.set()
    print(f"{len(seen)} measured: worst {max(seen) * 1000:.1f} ms, median {statistics.median(seen) * 1000:.1f} ms")
    early = min(seen)
    print(f"earliest {early * 1000:.1f} ms")


if __name__ == "__main__":
    main()
