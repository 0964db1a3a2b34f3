"""What was measured: medians, ratios, the table, and how the outputs differ."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field


@dataclass
class Run:
    """One process, from its start to its exit. ``pages`` counts each URL once.

    ``seconds`` is wall-clock time; ``cpu`` is user and system seconds with those of its children; ``memory`` is the
    peak resident set in MB (of the largest process, where there are several).
    """

    pages: int
    seconds: float
    cpu: float
    memory: float
    exit_code: int


@dataclass
class Row:
    """One system at one latency and one number of requests in flight."""

    system: str
    latency: int
    in_flight: int
    runs: list[Run] = field(default_factory=list)
    start_up: list[float] = field(default_factory=list)
    differences: set[str] = field(default_factory=set)

    def median(self, value: str) -> float:
        return statistics.median(getattr(run, value) for run in self.runs)

    @property
    def rate(self) -> float:
        """Pages a second over the life of the process."""
        return statistics.median(run.pages / run.seconds for run in self.runs)

    @property
    def net_rate(self) -> float:
        """Pages a second without what the crawl of a site of one page takes: start-up and shutdown."""
        fixed = statistics.median(self.start_up)
        return statistics.median(run.pages / max(run.seconds - fixed, 1e-9) for run in self.runs)


def differences(pages: list[dict], reference: dict[str, dict]) -> list[str]:
    """How ``pages`` differ from ``reference``, which has them by URL: one line each kind."""
    mine = {page["url"]: page for page in pages}
    found = []
    if doubled := len(pages) - len(mine):
        twice = sorted(mine.keys() - {page["url"] for page in pages if pages.count(page) == 1})
        found.append(f"{doubled} pages written twice, such as {(twice or ['?'])[0]}")
    for what, urls in (("missing", reference.keys() - mine.keys()), ("more", mine.keys() - reference.keys())):
        if urls:
            found.append(f"{len(urls)} pages {what}, such as {min(urls)}")
    for name in ("title", "headings", "text_length"):
        other = [url for url in mine.keys() & reference.keys() if plain(mine[url][name]) != plain(reference[url][name])]
        if other:
            found.append(f"{name} differs on {len(other)} pages, such as {min(other)}")
    return found


def plain(value: object) -> object:
    """``value`` with its whitespace made equal."""
    if isinstance(value, list):
        return [text for text in map(plain, value) if text]
    return " ".join(value.split()) if isinstance(value, str) else value


def summary(row: Row, rows: list[Row]) -> dict[str, object]:
    """One row's medians and ratios, and its runs."""
    same = {other.system: other for other in rows if (other.latency, other.in_flight) == (row.latency, row.in_flight)}
    pages = row.median("pages")
    return {
        "system": row.system,
        "latency_ms": row.latency,
        "in_flight": row.in_flight,
        "pages": pages,
        "pages_per_second": round(row.rate, 1),
        "net_pages_per_second": round(row.net_rate, 1),
        "start_up_seconds": round(statistics.median(row.start_up), 3),
        "cpu_seconds_per_1000_pages": round(row.median("cpu") / pages * 1000, 3) if pages else 0.0,
        "peak_memory_mb": round(row.median("memory"), 1),
        "to_scrapy": _ratio(row, same.get("scrapy")),
        "to_hand": _ratio(row, same.get("hand")),
        "ideal_pages_per_second": row.in_flight / row.latency * 1000 if row.latency else None,
        "differences": sorted(row.differences),
        "runs": [asdict(run) for run in row.runs],
    }


def table(rows: list[Row]) -> str:
    """The rows as text, aligned."""
    heads = ["ms", "in flight", "system", "pages", "pages/s", "net", "CPU s/1000", "MB", "x Scrapy", "x hand", "output"]
    lines = [heads]
    for row in rows:
        told = summary(row, rows)
        ratios = [f"{told[name]:.2f}" if told[name] is not None else "-" for name in ("to_scrapy", "to_hand")]
        lines.append(
            [
                str(row.latency), str(row.in_flight), row.system, f"{told['pages']:.0f}", f"{row.rate:.0f}",
                f"{row.net_rate:.0f}", f"{told['cpu_seconds_per_1000_pages']:.2f}", f"{told['peak_memory_mb']:.0f}",
                *ratios, "differs" if row.differences else "same",
            ]
        )  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = (2, 10)  # the columns of words
    return "\n".join(
        "  ".join(
            cell.ljust(w) if n in left else cell.rjust(w) for n, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _ratio(row: Row, other: Row | None) -> float | None:
    return round(row.rate / other.rate, 2) if other and other.rate else None
