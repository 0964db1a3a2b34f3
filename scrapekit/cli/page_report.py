"""The report as one HTML page: it holds its own style and plots, fetches nothing and runs nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from scrapekit.cli.display import size
from scrapekit.cli.pace import duration
from scrapekit.safe import safe

if TYPE_CHECKING:
    from scrapekit.project.ledger import Course
    from scrapekit.project.summary import Kind, Summary

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --paper: #fff; --faint: #667085; --line: #d9dee7; --good: #2f7d5b;
  --bad: #b42318; --bar: #3b6fb6; --panel: #f6f7f9 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --paper: #12161d; --faint: #98a2b3; --line: #2c3441;
  --good: #5fbf94; --bad: #f38b80; --bar: #7aa7e8; --panel: #1a2029 } }
body { margin: 0 auto; padding: 1.5rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif }
h1 { margin: 0; font-size: 1.5rem } h2 { margin: 2rem 0 .5rem; font-size: 1.1rem }
p { margin: .3rem 0 } .faint { color: var(--faint) } .bad { color: var(--bad) } .good { color: var(--good) }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .6rem; padding: 0 }
dl div { background: var(--panel); padding: .5rem .7rem; border-radius: .4rem }
dt { color: var(--faint); font-size: .85rem } dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
th { color: var(--faint); font-weight: 500 } .n { text-align: right; white-space: nowrap }
.w { overflow-wrap: anywhere } td.w { min-width: 10rem } td.u { min-width: 24rem }
.scroll { overflow-x: auto } svg { width: 100%; min-width: 40rem; height: auto }
svg text { fill: var(--faint); font: 11px system-ui, sans-serif }
.done { fill: var(--bar) } .lost { fill: var(--bad) } .axis { stroke: var(--line) } code { overflow-wrap: anywhere }
"""
_WIDTH, _HEIGHT, _FOOT = 900, 160, 18


def page_of(summary: Summary) -> str:
    """The page, as HTML."""
    title = f"{safe(summary.spider)} {_ending(summary)}"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="faint">{escape(_when(summary))}</p>',
        *([f'<p class="bad">{_text(summary.failure)}</p>'] if summary.failure else []),
        *([f"<p>To go on: <code>{_text(summary.resume)}</code></p>"] if summary.resume else []),
        _numbers(summary),
        *_section("Spiders", _spiders(summary)),
        *_section("Requests that ended, over time", _course(summary.course)),
        *_section("Statuses", _counts("status", summary.statuses)),
        *_section("How long responses took", _latency(summary)),
        *_section("Errors", _kinds(summary.errors)),
        *_section("Items that were not written", _kinds(summary.item_errors) + _counts("dropped", summary.dropped)),
        *_section("Skipped", _kinds(summary.skipped)),
        *_section("Hosts", _hosts(summary)),
        *_section("Slowest", _slowest(summary)),
        *_section("Flags", _counts("flag", summary.flags)),
        *_section("Quarantined", "".join(f"<p class=w>{_text(url)}</p>" for url in summary.quarantined_urls)),
        *_section("Output", "".join(f"<p class=w>{_text(path)}</p>" for path in [*summary.outputs, summary.rejected])),
    ]
    return "\n".join([
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        *body,
        "</body></html>",
        "",
    ])  # fmt: skip


def _ending(summary: Summary) -> str:
    return summary.state if summary.state != "finished" or not summary.failure else "failed"


def _when(summary: Summary) -> str:
    started = f"started {summary.started}" if summary.started else ""
    parts = [f"job {summary.job}", started, f"written {summary.written}"]
    reason = summary.reason if summary.reason not in {"", summary.state} else ""
    return ", ".join(part for part in (*parts, safe(reason)) if part)


def _numbers(summary: Summary) -> str:
    connections = summary.connections
    shown = {
        "pages": f"{summary.pages:,}",
        "pages a second": f"{summary.pages_per_second:,.1f}",
        "time": duration(summary.seconds),
        "items": f"{summary.items:,}",
        "requests": f"{summary.requests:,}",
        "bytes": size(summary.bytes),
        "failed": f"{summary.failed:,}",
        "retries": f"{summary.retries:,}",
        "left": f"{summary.pending:,}",
        **({"quarantined": f"{summary.quarantined:,}"} if summary.quarantined else {}),
        **({"processes died": f"{summary.deaths:,}"} if summary.deaths else {}),
        **({"connections": f"{connections.opened:,}"} if connections else {}),
        **({"reused": f"{connections.reused:,}"} if connections else {}),
    }
    return f"<dl>{''.join(f'<div><dt>{name}</dt><dd>{value}</dd></div>' for name, value in shown.items())}</dl>"


def _section(title: str, body: str) -> list[str]:
    return [f"<h2>{title}</h2>", body] if body else []


def _course(course: Course | None) -> str:
    if course is None:
        return ""
    most = max(map(sum, zip(course.done, course.failed, strict=True)), default=0) or 1
    step = _WIDTH / len(course.done)
    bars = []
    for at, (done, failed) in enumerate(zip(course.done, course.failed, strict=True)):
        low, high = _HEIGHT * done / most, _HEIGHT * failed / most
        left, wide = at * step, max(step - 1, 0.5)
        if done:
            bars.append(_bar("done", left, _HEIGHT - low, wide, low))
        if failed:
            bars.append(_bar("lost", left, _HEIGHT - low - high, wide, high))
    first, last = (
        datetime.fromtimestamp(when, UTC).strftime("%H:%M:%S")
        for when in (course.start, course.start + course.width * len(course.done))
    )
    most_a_second = f"at most {most / course.width:,.1f} a second"
    return _plot(bars, [(0, "start", f"{first} UTC"), (_WIDTH / 2, "middle", most_a_second), (_WIDTH, "end", last)])


def _latency(summary: Summary) -> str:
    times = summary.latency
    if not times.count:
        return ""
    most = max(bucket.count for bucket in times.buckets)
    step = _WIDTH / len(times.buckets)
    bars, labels = [], []
    for at, bucket in enumerate(times.buckets):
        high = _HEIGHT * bucket.count / most
        bars.append(_bar("done", at * step + 2, _HEIGHT - high, step - 4, high))
        labels.append(((at + 0.5) * step, "middle", _bound(bucket.up_to)))
    said = ", ".join(
        f"{name} within {seconds:.2g} s"
        for name, seconds in (("half", times.half), ("95 %", times.p95), ("99 %", times.p99))
        if seconds is not None
    )
    return f"<p>{times.count:,} responses: {said}</p>{_plot(bars, labels)}"


def _bound(seconds: float | None) -> str:
    if seconds is None:
        return "more"
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


def _bar(kind: str, left: float, top: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _plot(bars: Iterable[str], labels: Sequence[tuple[float, str, str]]) -> str:
    texts = (
        f'<text x="{at:.0f}" y="{_HEIGHT + _FOOT - 4}" text-anchor="{anchor}">{escape(label)}</text>'
        for at, anchor, label in labels
    )
    axis = f'<line class="axis" x1="0" y1="{_HEIGHT}" x2="{_WIDTH}" y2="{_HEIGHT}"/>'
    said = escape(", ".join(label for _, _, label in labels))
    start = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + _FOOT}" role="img" aria-label="{said}">'
    return f'<div class="scroll">{start}{"".join(bars)}{axis}{"".join(texts)}</svg></div>'


def _counts(title: str, counts: dict[str, int]) -> str:
    rows = [[_text(name), _count(count)] for name, count in sorted(counts.items(), key=lambda each: -each[1])]
    return _table([title, "#count"], rows)


def _kinds(kinds: Sequence[Kind]) -> str:
    rows = [[_text(kind.kind), _count(kind.count), f"{_text(kind.url)}<br>{_text(kind.message)}"] for kind in kinds]
    return _table(["kind", "#count", "such as"], rows)


def _spiders(summary: Summary) -> str:
    """What each of several has come to."""
    if len(summary.spiders) < 2:
        return ""
    rows = [
        [_text(name), _count(share.pages), _count(share.items), _count(share.failed), _text(share.stopped or "")]
        for name, share in summary.spiders.items()
    ]
    return _table(["spider", "#pages", "#items", "#failed", "ended by"], rows)


def _hosts(summary: Summary) -> str:
    rows = [
        [_text(host.host), _count(host.attempts), _count(host.failed), size(host.bytes), f"{host.seconds:.3g} s"]
        for host in summary.hosts
    ]
    return _table(["host", "#requests", "#failed", "#bytes", "#each took"], rows)


def _slowest(summary: Summary) -> str:
    rows = []
    for slow in summary.slowest:
        status = "" if slow.status is None else str(slow.status)
        rows.append([_text(slow.url), f"{slow.seconds:.3g} s", status, _text(slow.error or "")])
    return _table(["URL", "#took", "#status", "error"], rows)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already; titles that begin with # are of numbers."""
    if not rows:
        return ""
    classes = ["n" if title.startswith("#") else "w u" if title == "URL" else "w" for title in titles]
    head = "".join(f'<th class="{kind}">{title.lstrip("#")}</th>' for kind, title in zip(classes, titles, strict=True))
    lines = (
        "".join(f'<td class="{kind}">{cell}</td>' for kind, cell in zip(classes, row, strict=True)) for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(f"<tr>{line}</tr>" for line in lines)}</table></div>'


def _count(count: int) -> str:
    return f"{count:,}"


def _text(text: str) -> str:
    """Text of others, as HTML that shows it and does nothing else."""
    return escape(safe(text))
