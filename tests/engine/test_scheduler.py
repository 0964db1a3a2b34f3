"""The scheduler over a model of the frontier: lists by host."""

from random import Random

import pytest
from crawls import Limits

from scrapekit.engine.batch import Row
from scrapekit.engine.host import INFINITY, HostSnapshot, Queued
from scrapekit.engine.scheduler import Drained, Ready, Scheduler, Wait
from scrapekit.messages import Request


class Backing:
    """A frontier without SQLite: what is not in the window yet."""

    def __init__(self, **limits_by_host):
        self.limits = limits_by_host
        self.pending = {}
        self.known = {}
        self.last_id = 0
        self.scheduler = None

    def make(self, default=None, **options):
        default = default or Limits()
        self.scheduler = Scheduler(lambda name: self.limits.get(name, default), Random(1), **options)
        self.scheduler.overflow = False  # nothing from an earlier run
        return self.scheduler

    def add(self, host, count=1, *, priority=0, delay=None):
        for _ in range(count):
            self.last_id += 1
            request = Request(f"http://{host}/{self.last_id}", priority=priority, delay=delay)
            self.known[self.last_id] = Queued(self.last_id, request, host)
            self.pending.setdefault(host, []).append(self.known[self.last_id])
        self.scheduler.found(host, priority)

    def refill(self, now):
        """What a commit does."""
        for wish in self.scheduler.wishes():
            waiting = sorted(self.pending.get(wish.host, ()), key=lambda queued: (-queued.request.priority, queued.id))
            leased = waiting[: wish.limit]
            self.pending[wish.host] = waiting[wish.limit :]
            surplus = set(self.scheduler.refill(wish, leased, now))
            self.pending[wish.host] += [self.known[lease_id] for lease_id in surplus]

    def take(self, now, count=10_000, *, refill=True):
        """All that may start now."""
        started = []
        while len(started) < count:
            if refill:
                self.refill(now)
            answer = self.scheduler.next(now)
            if not isinstance(answer, Ready):
                break
            started.append(answer.queued)
        return started

    def left(self):
        return sum(map(len, self.pending.values())) + self.scheduler.queued


@pytest.fixture
def backing():
    return Backing()


def waiting(scheduler, now):
    """The hosts that wait, why, until when, and with how many requests."""
    return [(host.name, host.reason, host.until, host.queued) for host in scheduler.busiest(now) if host.reason]


def hosts(started):
    return [queued.host for queued in started]


def ids(started):
    return [queued.id for queued in started]


def test_an_empty_window_is_drained(backing):
    assert backing.make().next(0) == Drained()


def test_at_the_start_the_frontier_may_hold_hosts_that_nobody_has_looked_for():
    scheduler = Scheduler(lambda _: Limits(), Random(1))
    assert scheduler.next(0) == Wait(INFINITY)
    assert scheduler.overflow_room


def test_a_host_never_has_more_than_maxsize_in_flight(backing):
    scheduler = backing.make(Limits(maxsize=3))
    backing.add("a.test", 10)
    assert len(backing.take(0)) == 3
    assert scheduler.next(0) == Wait(INFINITY)
    assert scheduler.maxsize("a.test") == 3
    scheduler.release("a.test", 0)
    scheduler.release("a.test", 0)
    assert len(backing.take(0)) == 2


def test_what_is_in_flight_is_not_drained(backing):
    scheduler = backing.make()
    backing.add("a.test")
    backing.take(0)
    assert scheduler.next(0) == Wait(INFINITY)
    scheduler.release("a.test", 0)
    assert scheduler.next(0) == Drained()


def test_hosts_take_turns(backing):
    backing.make(Limits(maxsize=100))
    for host in ("a.test", "b.test", "c.test"):
        backing.add(host, 4)
    assert hosts(backing.take(0)) == ["a.test", "b.test", "c.test"] * 4


def test_of_one_host_the_first_found_goes_first(backing):
    backing.make(Limits(maxsize=100))
    backing.add("a.test", 20)
    assert ids(backing.take(0)) == list(range(1, 21))


def test_a_higher_priority_goes_first_across_hosts(backing):
    backing.make()
    backing.add("a.test", 2)
    backing.add("b.test", 2, priority=1)
    backing.add("c.test", 2, priority=-1)
    assert hosts(backing.take(0)) == ["b.test"] * 2 + ["a.test"] * 2 + ["c.test"] * 2


def test_a_more_urgent_request_overtakes_a_window_that_is_full(backing):
    scheduler = backing.make(Limits(maxsize=1), window=4)
    backing.add("a.test", 100)
    backing.refill(0)
    backing.add("a.test", priority=5)
    assert ids(backing.take(0)) == [101]
    scheduler.release("a.test", 0)
    assert ids(backing.take(0)) == [1]


def test_a_more_urgent_request_moves_its_host_ahead_of_others(backing):
    backing.make(Limits(maxsize=100))
    backing.add("a.test", 2)
    backing.add("b.test", 2)
    backing.refill(0)
    backing.add("b.test", priority=5)
    assert ids(backing.take(0)) == [5, 1, 3, 2, 4]


def test_more_urgent_requests_than_one_refill_takes_all_go_first(backing):
    scheduler = backing.make(Limits(maxsize=1), window=4)
    backing.add("a.test", 100)
    backing.refill(0)
    for priority in (1, 2, 3, 4, 5):
        backing.add("a.test", priority=priority)
    order = []
    for _ in range(7):
        order += ids(backing.take(0))
        scheduler.release("a.test", 0)
    assert order == [105, 104, 103, 102, 101, 1, 2]


def test_urgent_requests_do_not_fill_the_window_without_bound(backing):
    """As in a depth-first crawl, where each page finds links that go before all that is known."""
    scheduler = backing.make(Limits(maxsize=8), window=64)
    backing.add("a.test", 100)
    largest = 0
    for depth in range(1, 500):
        backing.refill(0)
        backing.add("a.test", 10, priority=depth)
        backing.refill(0)
        answer = scheduler.next(0)
        assert answer.queued.request.priority == depth
        scheduler.release("a.test", 0)
        largest = max(largest, scheduler.queued)
    assert largest <= 4 * 64
    assert backing.left() == 100 + 499 * 9


def test_the_delay_of_a_host_is_never_cut_short(backing):
    scheduler = backing.make(Limits(maxsize=8, delay=2.0))
    backing.add("a.test", 3)
    assert len(backing.take(10)) == 1
    scheduler.release("a.test", 10.5)
    assert scheduler.next(10.5) == Wait(12)
    assert scheduler.next(11.999) == Wait(12)
    assert len(backing.take(12)) == 1


def test_jitter_only_adds_to_the_delay(backing):
    scheduler = backing.make(Limits(maxsize=8, delay=2.0, jitter=0.5))
    backing.add("a.test", 200)
    now, gaps = 0.0, []
    backing.take(now)
    for _ in range(150):
        backing.refill(now)
        wait = scheduler.next(now)
        gaps.append(wait.until - now)
        now = wait.until
        assert len(backing.take(now)) == 1
        scheduler.release("a.test", now)
    assert 2 <= min(gaps) < 2.1
    assert 2.9 < max(gaps) < 3


def test_a_request_may_have_a_delay_of_its_own(backing):
    scheduler = backing.make(Limits(maxsize=8, delay=2.0))
    backing.add("a.test")
    backing.add("a.test", delay=5.0)
    backing.add("a.test", delay=0.0)
    assert ids(backing.take(0)) == [1]
    assert scheduler.next(0) == Wait(5)
    assert ids(backing.take(5)) == [2, 3]


def test_a_crawl_delay_only_slows_down(backing):
    scheduler = backing.make(Limits(maxsize=8, delay=2.0))
    backing.add("a.test", 3)
    scheduler.slow_down("a.test", 1.0)
    assert len(backing.take(0)) == 1
    assert scheduler.next(0) == Wait(2)
    scheduler.slow_down("a.test", 10.0)
    assert not backing.take(9.9)
    assert len(backing.take(10)) == 1
    assert scheduler.next(10) == Wait(20)


def test_a_held_host_waits_and_others_go_on(backing):
    scheduler = backing.make()
    backing.add("a.test", 1)
    backing.add("b.test", 1)
    scheduler.hold("a.test", 60, "Retry-After")
    assert hosts(backing.take(0)) == ["b.test"]
    assert scheduler.next(0) == Wait(60)
    assert waiting(scheduler, 0) == [("a.test", "Retry-After", 60, 1)]
    scheduler.hold("a.test", 30, "Retry-After")  # says less than the one before
    assert not backing.take(59.9)
    assert hosts(backing.take(60)) == ["a.test"]


def test_a_shorter_hold_does_not_end_a_longer_one(backing):
    scheduler = backing.make()
    backing.add("a.test", 1)
    scheduler.hold("a.test", 60, "Retry-After")
    scheduler.hold("a.test", 30, "Retry-After")
    assert not backing.take(30)
    assert scheduler.next(30) == Wait(60)


def test_a_hold_stops_a_host_that_was_ready(backing):
    scheduler = backing.make()
    backing.add("a.test", 2)
    backing.take(0, 1)
    scheduler.hold("a.test", 60, "Retry-After")
    assert not backing.take(1)
    assert hosts(backing.take(60)) == ["a.test"]


def test_a_blocked_host_waits_for_an_event(backing):
    scheduler = backing.make()
    backing.add("a.test", 2)
    backing.refill(0)
    scheduler.block("a.test", "robots.txt")
    assert scheduler.next(0) == Wait(INFINITY)
    assert waiting(scheduler, 0) == [("a.test", "robots.txt", INFINITY, 2)]
    scheduler.unblock("a.test", 7)
    assert len(backing.take(7)) == 2


def test_what_was_put_back_goes_first_and_costs_no_delay(backing):
    scheduler = backing.make(Limits(maxsize=1, delay=5))
    backing.add("a.test", 2)
    (first,) = backing.take(0)
    scheduler.put_back(first, 0)
    assert backing.take(0) == [first]


def test_what_is_gone_costs_no_delay(backing):
    scheduler = backing.make(Limits(maxsize=2, delay=5))
    backing.add("a.test", 3)
    for _ in range(2):
        (denied,) = backing.take(0)
        scheduler.put_back(denied, 0, gone=True)
    assert ids(backing.take(0)) == [3]
    scheduler.release("a.test", 0)
    assert scheduler.next(0) == Drained()


def test_a_slot_may_be_taken_for_what_is_not_in_the_window(backing):
    scheduler = backing.make(Limits(maxsize=2, delay=3))
    assert scheduler.take_slot("a.test", 0)
    assert not scheduler.take_slot("a.test", 1)
    assert scheduler.free_at("a.test") == 3
    assert scheduler.take_slot("a.test", 3)
    assert not scheduler.take_slot("a.test", 6)  # both slots are taken
    scheduler.release("a.test", 6)
    assert scheduler.take_slot("a.test", 6)
    scheduler.hold("b.test", 60, "Retry-After")
    assert not scheduler.take_slot("b.test", 59)
    assert scheduler.free_at("b.test") == 60


def test_a_giant_host_does_not_crowd_the_others_out(backing):
    scheduler = backing.make(Limits(maxsize=2), window=64)
    backing.add("giant.test", 5000)
    backing.refill(0)
    for n in range(20):
        backing.add(f"{n}.test", 3)
    started = hosts(backing.take(0))
    assert started.count("giant.test") == 2
    assert len(set(started)) == 21
    assert scheduler.queued <= 2 * 64


def test_the_window_is_bounded_with_many_hosts(backing):
    scheduler = backing.make(window=64, max_hosts=100)
    for n in range(100):
        backing.add(f"{n}.test", 50)
    backing.refill(0)
    assert scheduler.queued <= 64 + 2 * 100
    assert scheduler.room == 0


def test_a_host_without_room_in_the_window_is_remembered_as_overflow(backing):
    scheduler = backing.make(max_hosts=2)
    backing.add("a.test")
    backing.add("b.test")
    assert not scheduler.overflow
    backing.add("c.test")
    assert scheduler.overflow
    assert not scheduler.overflow_room
    backing.take(0)
    assert scheduler.next(0) == Wait(INFINITY)
    scheduler.release("a.test", 0)
    scheduler.forget_idle(0)
    assert scheduler.overflow_room


def test_hosts_of_the_frontier_are_looked_at_in_rounds(backing):
    names = [f"{n:04}.test" for n in range(600)]
    asked = []

    def hosts_after(name, count):
        asked.append(name)
        return [host for host in names if host > name][:count]

    scheduler = Scheduler(lambda _: Limits(), Random(1), window=4096, max_hosts=400)
    scheduler.look(hosts_after)
    assert scheduler.room == 400 - 256
    scheduler.look(hosts_after)
    assert scheduler.room == 0
    assert not scheduler.overflow_room
    assert scheduler.next(0) == Wait(INFINITY)
    for wish in scheduler.wishes():
        scheduler.refill(wish, [], 0)  # those are done, and may leave
    scheduler.forget_idle(0)
    scheduler.look(hosts_after)
    assert asked == ["", "0255.test", "0399.test"]
    assert scheduler.room == 256 - 200
    assert not scheduler.overflow_room  # the round is over, and no host was turned away in it


def test_a_host_that_found_no_room_begins_another_round(backing):
    scheduler = backing.make(max_hosts=1)
    scheduler.found("b.test")
    scheduler.found("a.test")
    scheduler.look(lambda name, count: [host for host in ("a.test", "b.test") if host > name])
    assert scheduler.overflow
    for wish in scheduler.wishes():
        scheduler.refill(wish, [], 0)
    scheduler.forget_idle(0)
    scheduler.look(lambda name, count: [host for host in ("a.test",) if host > name])
    assert not scheduler.overflow
    assert scheduler.room == 0


def test_hosts_are_forgotten_when_nothing_would_be_lost(backing):
    scheduler = backing.make(Limits(delay=5), max_hosts=4)
    for n in range(4):
        assert scheduler.take_slot(f"{n}.test", n)
        scheduler.release(f"{n}.test", n)
    assert scheduler.room == 0
    scheduler.forget_idle(6)
    assert scheduler.room == 2
    assert not scheduler.take_slot("2.test", 6)
    assert scheduler.take_slot("4.test", 60)
    assert scheduler.take_slot("5.test", 60)
    scheduler.forget_idle(60)
    assert scheduler.room == 2


def test_hosts_are_remembered_while_there_is_room(backing):
    scheduler = backing.make(max_hosts=4)
    scheduler.slow_down("a.test", 5)
    scheduler.forget_idle(60)
    assert scheduler.take_slot("a.test", 60)
    assert not scheduler.take_slot("a.test", 64)


def test_a_host_with_nothing_left_stays_until_the_window_is_crowded(backing):
    scheduler = backing.make(max_hosts=4)
    backing.add("a.test")
    backing.take(0)
    scheduler.release("a.test", 0)
    scheduler.forget_idle(0)
    assert scheduler.room == 3  # there is room enough
    backing.add("b.test")
    backing.add("c.test")
    backing.take(0)
    scheduler.forget_idle(0)
    assert scheduler.room == 2  # a.test had to leave, the others have requests in flight


def test_what_a_request_asked_of_a_host_outlives_its_queue(backing):
    scheduler = backing.make()
    backing.add("a.test", delay=5)
    backing.take(0)
    scheduler.release("a.test", 0)
    scheduler.forget_idle(1)
    backing.add("a.test", delay=5)
    backing.refill(1)
    assert scheduler.next(1) == Wait(5)


def test_a_host_that_pushed_back_is_remembered_though_its_queue_runs_empty(backing):
    scheduler = backing.make(Limits(maxsize=8, adaptive=True))
    for _ in range(3):
        backing.add("a.test")
        backing.take(0)
        scheduler.pushed_back("a.test", -1, 0)  # each was sent before the first of them came back
        scheduler.release("a.test", 0)
    backing.add("a.test", 8)
    assert len(backing.take(1)) == 2  # half of the half of eight


def test_when_nothing_else_helps_also_those_that_pushed_back_are_forgotten(backing):
    scheduler = backing.make(Limits(maxsize=8, adaptive=True), max_hosts=1)
    backing.add("a.test")
    backing.take(0)
    scheduler.pushed_back("a.test", 0, 0)
    scheduler.release("a.test", 0)
    scheduler.forget_idle(0)
    assert scheduler.room == 1


def test_a_wait_ends_when_the_first_host_may_go_on(backing):
    backing.limits |= {"a.test": Limits(delay=5), "b.test": Limits(delay=3), "c.test": Limits(delay=9)}
    scheduler = backing.make()
    for host in backing.limits:
        backing.add(host, 2)
    backing.take(0)
    assert scheduler.next(1) == Wait(3)
    assert hosts(backing.take(3)) == ["b.test"]
    assert scheduler.next(4) == Wait(5)


def test_an_adaptive_limit_cuts_slots_and_gives_them_back(backing):
    scheduler = backing.make(Limits(maxsize=8, adaptive=True))
    backing.add("a.test", 50)
    assert len(backing.take(0)) == 4
    for _ in range(4):
        scheduler.pushed_back("a.test", 0, 1)
        scheduler.release("a.test", 1)
    assert len(backing.take(1)) == 2
    assert scheduler.busiest(1)[0] == HostSnapshot("a.test", 2, 2, 8, 44, reason="adaptive limit")
    for _ in range(2):
        scheduler.succeeded("a.test", 0.1)
        scheduler.release("a.test", 2)
    assert len(backing.take(2)) == 2
    assert scheduler.maxsize("a.test") == 8


def test_a_host_with_one_slot_has_no_adaptive_limit(backing):
    scheduler = backing.make(Limits(maxsize=1, adaptive=True))
    backing.add("a.test", 3)
    backing.take(0)
    scheduler.pushed_back("a.test", 0, 0)
    scheduler.succeeded("a.test", 0)
    assert scheduler.busiest(0)[0] == HostSnapshot("a.test", 1, 1, 1, 2, reason="maxsize")


def test_who_waits_for_a_delay_says_so_and_who_could_go_does_not_wait(backing):
    scheduler = backing.make(Limits(maxsize=8, delay=5))
    backing.add("a.test", 2)
    backing.refill(0)
    assert waiting(scheduler, 0) == []
    backing.take(0)
    assert waiting(scheduler, 0) == [("a.test", "delay", 5, 1)]
    assert scheduler.busiest(0)[0].delay == 5


def test_a_delay_that_robots_txt_asks_for_is_told_from_that_of_the_settings(backing):
    scheduler = backing.make(Limits(maxsize=8, delay=1))
    backing.add("a.test", 2)
    scheduler.slow_down("a.test", 5)
    backing.take(0)
    assert waiting(scheduler, 0) == [("a.test", "Crawl-delay", 5, 1)]


def test_a_delay_of_a_request_is_its_own(backing):
    scheduler = backing.make(Limits(maxsize=8))
    scheduler.slow_down("a.test", 5)
    backing.add("a.test", 2, delay=9)
    backing.take(0)
    assert waiting(scheduler, 0) == [("a.test", "delay", 9, 1)]


def test_the_busiest_host_is_named_first_and_idle_ones_are_not(backing):
    scheduler = backing.make()
    for n in range(1, 8):
        backing.add(f"{n}.test", n)
        scheduler.block(f"{n}.test", "robots.txt")
    backing.refill(0)
    backing.add("slow.test", 9)
    assert len(backing.take(0)) == 8
    scheduler.hold("retried.test", 60, "Retry-After")  # what it has may all be in the frontier, not due yet
    scheduler.maxsize("idle.test")
    found = scheduler.busiest(0)
    assert [host.in_flight + host.queued for host in found] == [9, 7, 6, 5, 4, 3, 2, 1, 0]
    assert (found[0].name, found[0].in_flight, found[0].reason) == ("slow.test", 8, "maxsize")
    assert (found[-1].name, found[-1].reason, found[-1].until) == ("retried.test", "Retry-After", 60)
    assert scheduler.busiest(0, count=3) == found[:3]
    assert scheduler.host_count == 10


def test_a_host_keeps_count_of_its_pages(backing):
    scheduler = backing.make()
    backing.add("a.test", 3)
    for _ in backing.take(0):
        scheduler.page_came("a.test")
    assert scheduler.busiest(0)[0].pages == 3


def test_the_scheduler_has_room_until_half_of_the_window_is_full(backing):
    scheduler = backing.make(window=8)
    backing.add("a.test", 3)
    backing.refill(0)
    assert scheduler.has_room
    backing.add("b.test")
    backing.refill(0)
    assert not scheduler.has_room
    assert not scheduler.hungry


def test_a_request_that_was_kept_back_counts_as_started_when_it_starts(backing):
    scheduler = backing.make(Limits(delay=2.0))
    backing.add("a", 2)
    assert len(backing.take(100.0)) == 1
    assert scheduler.starts_late("a", 101.5)
    assert scheduler.next(103.0) == Wait(103.5)
    assert isinstance(scheduler.next(103.5), Ready)


def test_a_request_that_was_kept_back_may_not_start_once_its_host_wants_to_be_left_alone(backing):
    scheduler = backing.make()
    backing.add("a")
    assert len(backing.take(100.0)) == 1
    scheduler.hold("a", 110.0, "Retry-After")
    assert not scheduler.starts_late("a", 101.5)


def offer(scheduler, number, host, *, priority=0, now=0.0):
    return scheduler.admit(number, Row(None, host, f"http://{host}/{number}", None, priority, 1, 0, None, None), now)


def test_a_new_request_of_a_host_that_has_no_other_goes_straight_into_the_window(backing):
    scheduler = backing.make()
    assert offer(scheduler, 7, "a.test")
    assert not scheduler.hungry
    answer = scheduler.next(0.0)
    assert (answer.queued.id, answer.queued.request.url, answer.queued.depth) == (7, "http://a.test/7", 1)
    assert answer.queued.request.dont_filter


def test_a_new_request_waits_in_the_frontier_behind_others_of_its_host(backing):
    scheduler = backing.make()
    backing.add("a.test")
    assert not offer(scheduler, 7, "a.test")
    assert offer(scheduler, 8, "b.test")
    backing.take(0.0)
    assert offer(scheduler, 9, "a.test")  # there is none left


def test_no_host_gets_more_than_its_share_straight_into_the_window(backing):
    scheduler = backing.make(window=8)
    assert [offer(scheduler, number, "a.test") for number in range(10)] == [True] * 8 + [False] * 2
    assert scheduler.hungry is False  # its share is full
    assert [offer(scheduler, number, "b.test") for number in range(10, 16)] == [True] * 4 + [False] * 2


def test_the_more_urgent_of_those_that_came_straight_goes_first(backing):
    scheduler = backing.make()
    for number, (host, priority) in enumerate([("a.test", 0), ("b.test", 1), ("a.test", 5)], 1):
        assert offer(scheduler, number, host, priority=priority)
    assert [started.id for started in backing.take(0.0)] == [3, 2, 1]


def test_while_the_frontier_may_hold_unknown_hosts_a_new_one_does_not_go_ahead_of_them(backing):
    scheduler = backing.make(max_hosts=2)
    scheduler.overflow = True
    assert not offer(scheduler, 1, "a.test")
    assert scheduler.hungry
    scheduler.overflow = False
    assert offer(scheduler, 2, "b.test")
    assert not offer(scheduler, 3, "c.test")  # there is no room for the host
    assert scheduler.overflow
