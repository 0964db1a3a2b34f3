"""``python -m scrapekit.testing.simulate``: crawls many worlds, and stops at the first that goes wrong."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from scrapekit.errors import ScrapekitError
from scrapekit.testing.simulate import Result, World, draw, shrink, simulate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. 0: nothing was found; 1: something was, and its trace is on stdout; 2: bad usage."""
    parser = argparse.ArgumentParser("python -m scrapekit.testing.simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="worlds to crawl (1000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--seed", type=int, help="crawl this one world, and print its trace")
    parser.add_argument("--replay", type=Path, help="crawl the world of this file, as a failure printed it")
    given = parser.parse_args(arguments)
    if given.replay is not None:
        try:
            world = msgspec.json.decode(given.replay.read_bytes(), type=World)
        except (OSError, msgspec.MsgspecError) as error:
            parser.error(f"{given.replay}: {error}")
        with _quiet():
            return _show(world)
    with _quiet():
        if given.seed is not None:
            return _show(draw(given.seed))
        return _many(range(given.first, given.first + given.seeds))


@contextmanager
def _quiet() -> Iterator[None]:
    """No log: the worlds are full of failures."""
    logger = logging.getLogger("scrapekit")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _many(seeds: range) -> int:
    began = time.perf_counter()
    virtual = runs = fetches = kills = 0.0
    for seed in seeds:
        result = simulate(draw(seed))
        if result.violation is not None:
            return _explain(seed, result)
        virtual += result.virtual
        runs += result.runs
        fetches += result.fetches
        kills += result.kills
    spent = time.perf_counter() - began
    print(
        f"{len(seeds)} worlds, {runs:.0f} runs, {kills:.0f} of them killed, {fetches:.0f} requests: no violation. "
        f"{spent:.1f} s, {len(seeds) / spent:.0f} worlds a second, {virtual / spent:,.0f} times real time."
    )
    return 0


def _show(world: World) -> int:
    result = simulate(world)
    print(*result.trace, sep="\n")
    print(result.violation or "no violation")
    return 1 if result.violation else 0


def _explain(seed: int, result: Result) -> int:
    """The smallest world that fails, how to see it again, and its trace."""
    print(f"seed {seed}: {result.violation}", file=sys.stderr)
    small = shrink(draw(seed), lambda world: simulate(world).kind == result.kind)
    _show(small)
    print(f"\nseed {seed}, made small; --replay FILE with this line in the file shows it again:")
    print(msgspec.json.encode(small).decode())
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ScrapekitError as error:
        sys.exit(f"error: {error}")
