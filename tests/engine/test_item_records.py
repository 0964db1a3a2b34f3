"""Items that are unique and items that are rejected: decided by the engine, and committed with their pages."""

import json

import pytest
from crawls import Killed, Sim, page
from test_crashes import MOMENTS, kill_at_commit

from scrapekit.errors import ItemError
from scrapekit.messages import Request
from scrapekit.spider import Spider

A = "http://a.test/"
PAGES = {A: page(), **{f"{A}{n}": page() for n in range(1, 40)}}


class Shared(Spider):
    """Of 40 pages, each has an item of its own, one of ten that several have, and one that is not as it must be."""

    unique = ("kind", "n")

    def start(self):
        for url in PAGES:
            yield Request(url)

    def parse(self, response):
        number = int(response.url.removeprefix(A) or 0)
        yield {"kind": "own", "n": number}
        yield {"kind": "shared", "n": number % 10, "from": number}
        yield ItemError("n: is wrong", {"n": number}, field="n", value=number)
        yield {"n": number, "lacks": "kind"}


def check(sim):
    found = [(item["kind"], item["n"]) for item in sim.items() if "kind" in item]
    assert sorted(found) == sorted([("own", n) for n in range(40)] + [("shared", n) for n in range(10)])
    assert sum("lacks" in item for item in sim.items()) == 40
    assert (sim.stats.items, sim.stats.dropped) == (90, {"duplicate": 30})
    assert sim.stats.item_errors["ItemError"].count == 40


def rejected(sim):
    return sorted(json.loads(record)["value"] for record in sim.frontier.rejected())


def test_of_items_with_the_same_key_one_is_written():
    sim = Sim(PAGES, spider=Shared())
    records = []
    close = sim.close
    sim.close = lambda: (records.extend(rejected(sim)), close())
    assert sim.run() == "finished"
    check(sim)
    assert records == list(range(40))


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [2, 5, 9])
def test_a_crash_leaves_unique_items_unique_and_rejected_ones_told_once(tmp_path, moment, number):
    sim = Sim(PAGES, spider=Shared(), folder=tmp_path)
    kill_at_commit(sim, number, moment)
    with pytest.raises(Killed):
        sim.run()
    sim = Sim(PAGES, spider=Shared(), folder=tmp_path, clock=sim.clock)
    kill_at_commit(sim, 3, moment)
    with pytest.raises(Killed):
        sim.run()
    sim = Sim(PAGES, spider=Shared(), folder=tmp_path, clock=sim.clock)
    assert sim.engine.run() == "finished"
    assert rejected(sim) == list(range(40))
    sim.close()
    check(sim)


def test_max_items_counts_what_is_written():
    class Same(Shared):
        def parse(self, response):
            yield {"kind": "same", "n": 1}

    sim = Sim(PAGES, spider=Same(), max_items=2)
    assert sim.run() == "finished"
    assert (sim.stats.items, sim.stats.dropped) == (1, {"duplicate": 39})
