"""What the live display shows: a snapshot as a few lines of text that fit the terminal and are safe to show. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from scrapekit.cli.pace import Pace, duration
from scrapekit.safe import safe

if TYPE_CHECKING:
    from rich.text import Text

    from scrapekit.engine import HostSnapshot, Snapshot

HOSTS = 5
_MOST_LINES = 24
_LONGEST_BAR = 30
_WIDE = 80  # columns, from which there is room for how many are queued
_GLYPHS = ("━", "╌", "▁▂▃▄▅▆▇█")
_ASCII = ("#", "-", "_.:-=+*#")
_UNITS = ("B", "kB", "MB", "GB", "TB")


class Look(NamedTuple):
    """What there is to draw on.

    Args:
        width: Columns.
        height: Rows of the whole terminal.
        ascii: Whether it can show ASCII only.
        verbose: Whether to say more.
    """

    width: int
    height: int
    ascii: bool = False
    verbose: bool = False


def picture(title: str, snapshot: Snapshot, pace: Pace, look: Look) -> Text:
    """The display, at most two rows less than the terminal has: what goes first is what matters least.

    Args:
        title: The spider's name.
        snapshot: How the crawl stands.
        pace: Has learnt from it.
        look: What there is to draw on.
    """
    from rich.text import Text

    room = max(1, min(_MOST_LINES, look.height - 2))
    head = [_head(title, snapshot, pace, look)]
    counters = [Text(line) for line in flow(counts(snapshot), look.width)]
    rate = [_rate(pace, look)]
    error = [Text(f"last error: {safe(snapshot.last_error)}", style="red")] if snapshot.last_error else []
    details = [Text(line, style="dim") for line in flow(_details(snapshot), look.width)] if look.verbose else []
    most = len(snapshot.hosts) if look.verbose else HOSTS
    hosts = _hosts(snapshot, look, min(most, room - sum(map(len, (head, counters, rate, error, details)))))
    lines = [*head, *rate, *counters, *details, *hosts, *error]
    if len(lines) > room:
        lines = [*head, *counters, *error, *rate, *details][:room]
    for line in lines:
        line.truncate(max(1, look.width), overflow="crop" if look.ascii else "ellipsis")
    return Text("\n", no_wrap=True).join(lines)


def status_line(snapshot: Snapshot, rate: float) -> str:
    """The same as one line, for logs."""
    waiting = [f"{safe(host.name)}: {why(host)}" for host in snapshot.hosts if host.reason]
    more = [f"{len(waiting) - 2:,} more hosts wait"] if len(waiting) > 2 else []
    state = ["paused"] if snapshot.paused else []
    return "  ".join([f"{snapshot.pages:,} pages", f"{rate:,.1f}/s", *counts(snapshot), *state, *waiting[:2], *more])


def counts(snapshot: Snapshot) -> list[str]:
    """The counters that are always shown, and those that are when there is something to count."""
    of = f" of {snapshot.workers:,}" if snapshot.workers else ""
    some = (
        (snapshot.retries, "retries", "retry"),
        (snapshot.quarantined, "quarantined", "quarantined"),
        (sum(snapshot.dropped.values()), "items dropped", "item dropped"),
    )
    return [
        f"{max(0, snapshot.pending - snapshot.in_flight):,} queued",
        f"{snapshot.in_flight:,}{of} in flight",
        f"{snapshot.items:,} item{'s'[: snapshot.items != 1]}",
        f"{snapshot.failed:,} error{'s'[: snapshot.failed != 1]}",
        *(f"{count:,} {one if count == 1 else several}" for count, several, one in some if count),
    ]


def why(host: HostSnapshot) -> str:
    """Why a host waits, in a few words; empty where it doesn't."""
    if host.reason in {"delay", "Crawl-delay"}:
        return f"{host.reason} {host.delay:.1f} s"
    if host.reason == "robots.txt":
        return "robots.txt is being fetched"
    if host.reason == "adaptive limit":
        return f"adaptive limit {host.limit} of {host.maxsize}"
    if host.reason == "maxsize":
        return f"maxsize {host.maxsize} reached"
    if host.reason and host.until < float("inf"):
        return f"{safe(host.reason)} until {time.strftime('%H:%M:%S', time.localtime(host.until))}"
    return safe(host.reason)


def flow(parts: Iterable[str], width: int) -> list[str]:
    """Parts in as many lines as they need, two blanks apart."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 2 + len(part) <= width:
            lines[-1] += f"  {part}"
        else:
            lines.append(part)
    return lines


def sparkline(values: Sequence[float], glyphs: str) -> str:
    """Values as one glyph each, from the lowest for nothing to the highest for the most."""
    most = max(values, default=0) or 1
    return "".join(glyphs[round(value / most * (len(glyphs) - 1))] for value in values)


def size(count: float) -> str:
    """Bytes as people say them."""
    for unit in _UNITS[:-1]:
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} {_UNITS[-1]}"


def _head(title: str, snapshot: Snapshot, pace: Pace, look: Look) -> Text:
    from rich.text import Text

    line = Text(safe(title), style="bold")
    progress = pace.progress(snapshot)
    line.append(f"  {snapshot.pages:,} pages")
    if snapshot.reason:
        what = f"{snapshot.in_flight:,} in flight" if snapshot.in_flight else "the output"
        line.append(f"  finishing {what}", style="yellow")
    elif snapshot.paused:
        line.append("  paused", style="yellow")
    if progress is None:
        line.append(f"  {duration(snapshot.elapsed_now)}", style="not bold")
        return line
    share = min(1.0, max(0.0, progress.share))
    tail = f"  {share:.0%}  about {duration(progress.seconds)} left"
    cells = min(_LONGEST_BAR, look.width - line.cell_len - len(tail) - 2)
    if cells >= 5:
        done, rest = (_ASCII if look.ascii else _GLYPHS)[:2]
        filled = int(share * cells)
        line.append("  ").append(done * filled, style="green").append(rest * (cells - filled), style="dim")
    line.append(tail, style="not bold")
    return line


def _rate(pace: Pace, look: Look) -> Text:
    from rich.text import Text

    line = Text(f"{pace.rate():,.1f} pages/s  ")
    bars = pace.bars()[-max(1, look.width - line.cell_len) :]
    return line.append(sparkline(bars, (_ASCII if look.ascii else _GLYPHS)[2]), style="cyan")


def _details(snapshot: Snapshot) -> list[str]:
    """What ``-v`` shows besides."""
    latency = snapshot.latency
    shares = (("half", 0.5), ("95 %", 0.95), ("99 %", 0.99))
    times = [f"{name} within {seconds:.2g} s" for name, share in shares if (seconds := latency.quantile(share))]
    return [
        *times,
        size(snapshot.bytes),
        *(f"{status}: {count:,}" for status, count in sorted(snapshot.statuses.items())),
        *(f"{kind}: {tally.count:,}" for kind, tally in [*snapshot.errors.items(), *snapshot.skipped.items()]),
        *([f"duplicates: {snapshot.duplicates:,}"] if snapshot.duplicates else []),
        *(f"items of {spider}: {count:,}" for spider, count in snapshot.items_of.items()),
    ]


def _hosts(snapshot: Snapshot, look: Look, count: int) -> list[Text]:
    """The busiest hosts, by name, so that none jumps about, and how many there are besides."""
    from rich.text import Text

    if count < 1:
        return []
    shown = snapshot.hosts[: count if len(snapshot.hosts) <= count else max(1, count - 1)]
    longest = max((len(host.name) for host in shown), default=0)
    column = min(longest, max(12, look.width // 3))
    lines = []
    for host in sorted(shown, key=lambda each: each.name):
        line = Text(
            f"  {_shortened(safe(host.name), column):{column}}  {host.in_flight}/{host.limit}".ljust(column + 9)
        )
        if look.width >= _WIDE:
            line.append(f"{host.queued:>6,} queued  ", style="dim")
        lines.append(line.append(why(host), style="yellow"))
    more = snapshot.host_count - len(shown)
    if more > 0 and len(lines) < count:
        lines.append(Text(f"  and {more:,} more host{'s'[: more != 1]}", style="dim"))
    return lines


def _shortened(name: str, length: int) -> str:
    """A host's name without its middle: both ends tell hosts apart."""
    if len(name) <= length:
        return name
    tail = (length - 2) // 2
    return f"{name[: length - 2 - tail]}..{name[-tail:]}"
