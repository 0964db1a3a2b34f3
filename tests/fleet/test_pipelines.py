import threading

import pytest

from scrapekit.errors import DropItem, StopCrawl
from scrapekit.fleet.pipelines import Pipelines
from scrapekit.messages import Yielded


def run(stages, *items, unique=()):
    yielded = Yielded()
    Pipelines(stages, unique).encode(items, yielded, "http://x/1")
    return yielded


class Doubler:
    def process(self, item):
        return {**item, "n": item["n"] * 2}


def test_items_pass_through_functions_and_classes_in_order():
    assert run([Doubler, lambda item: item | {"m": item["n"] + 1}, Doubler], {"n": 1}).items == [b'{"n":4,"m":3}']


def test_an_instance_is_used_as_it_is():
    assert run([Doubler()], {"n": 1}).items == [b'{"n":2}']


@pytest.mark.parametrize(("signal", "reason"), [(DropItem("old"), "old"), (DropItem(), "DropItem")])
def test_a_dropped_item_is_counted_by_reason(signal, reason):
    def drop(item):
        if item["n"] > 1:
            raise signal
        return item

    yielded = run([drop], {"n": 1}, {"n": 2}, {"n": 3})
    assert (yielded.items, yielded.dropped) == ([b'{"n":1}'], {reason: 2})


def test_stop_crawl_costs_its_item_and_the_others_of_the_page_count():
    def stop(item):
        if item["n"] == 2:
            raise StopCrawl("seen 2")
        return item

    yielded = run([stop], {"n": 1}, {"n": 2}, {"n": 3})
    assert (yielded.items, yielded.stop) == ([b'{"n":1}', b'{"n":3}'], "seen 2")


def function(item):
    return None


class Forgetful:
    def process(self, item):
        return None


class Callable:
    def __call__(self, item):
        return None


@pytest.mark.parametrize(
    ("stage", "name"), [(function, "function"), (Forgetful, "Forgetful.process"), (Callable(), "Callable")]
)
def test_a_pipeline_that_forgets_to_return_the_item_is_told(stage, name):
    (rejected,) = run([stage], {"n": 1}).rejected
    assert rejected.message == f"pipeline {name} returned None: return the item, or raise DropItem"


def test_what_a_pipeline_raises_costs_the_item_only():
    def fragile(item):
        return {"n": 1 / item["n"]}

    yielded = run([fragile], {"n": 0}, {"n": 2})
    assert yielded.items == [b'{"n":0.5}']
    assert [each.message for each in yielded.rejected] == ["pipeline raised ZeroDivisionError: division by zero"]


def test_what_can_not_be_written_costs_the_item_only():
    yielded = run([], {"n": object()}, {"n": 2})
    assert yielded.items == [b'{"n":2}']
    assert len(yielded.rejected) == 1


def test_each_thread_has_its_own_instances_and_closes_them_last_first():
    log = []

    class Numbered:
        def __init__(self):
            self.thread = threading.get_ident()
            log.append(("open", type(self).__name__, self.thread))

        def process(self, item):
            assert threading.get_ident() == self.thread
            return item

        def close(self):
            assert threading.get_ident() == self.thread
            log.append(("close", type(self).__name__, self.thread))

    class Second(Numbered):
        pass

    pipelines = Pipelines([Numbered, Second, Doubler])

    def work():
        for _ in range(3):
            pipelines.encode([{"n": 1}], Yielded())
        pipelines.close_thread()
        pipelines.close_thread()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ident in {ident for _, _, ident in log}:
        events = [entry[:2] for entry in log if entry[2] == ident]
        once = [("open", "Numbered"), ("open", "Second"), ("close", "Second"), ("close", "Numbered")]
        assert events == once * (len(events) // 4)
    assert len(log) == 12


def test_an_instance_that_is_shared_is_not_closed():
    class Shared:
        def process(self, item):
            return item

        def close(self):
            raise AssertionError("it is not ours")

    pipelines = Pipelines([Shared()])
    pipelines.encode([{"n": 1}], Yielded())
    pipelines.close_thread()


def test_a_pipeline_that_can_not_be_closed_is_reported_and_the_others_are_closed(caplog):
    closed = []

    class Good:
        def process(self, item):
            return item

        def close(self):
            closed.append(1)

    class Bad(Good):
        def close(self):
            raise OSError("disk full")

    pipelines = Pipelines([Good, Bad])
    pipelines.encode([{"n": 1}], Yielded())
    pipelines.close_thread()
    assert closed == [1]
    assert "pipeline Bad could not be closed" in caplog.text


def test_a_thread_without_items_has_nothing_to_close():
    Pipelines([Doubler]).close_thread()
