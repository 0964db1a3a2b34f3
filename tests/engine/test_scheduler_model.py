"""The scheduler against a model that knows for each host what it has, since when, and until when it is left alone."""

from random import Random

from crawls import Limits
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scrapekit.engine.batch import Row
from scrapekit.engine.host import Queued
from scrapekit.engine.scheduler import Drained, Ready, Scheduler, Wait
from scrapekit.messages import Request

LIMITS = {
    "a.test": Limits(maxsize=1),
    "b.test": Limits(maxsize=3, delay=2.0, jitter=0.5),
    "c.test": Limits(maxsize=8, adaptive=True),
    "d.test": Limits(maxsize=2, delay=0.5),
}
WINDOW, MAX_HOSTS = 8, 3
hosts = st.sampled_from(sorted(LIMITS))


class Model(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.scheduler = Scheduler(LIMITS.__getitem__, Random(0), window=WINDOW, max_hosts=MAX_HOSTS)
        self.now = 100.0
        self.frontier = {}  # pending: id -> Queued
        self.window = {}  # leased, not started
        self.in_flight = {}  # id -> Queued
        self.added = self.finished = 0
        self.last_start = {}
        self.not_before = {}
        self.blocked = set()
        self.look_from = ""

    # What the engine does

    def commit(self):
        if self.scheduler.overflow_room:
            self.scheduler.forget_idle(self.now)
            self.scheduler.look(
                lambda after, count: sorted({q.host for q in self.frontier.values() if q.host > after})[:count]
            )
        for wish in self.scheduler.wishes():
            waiting = sorted(
                (q for q in self.frontier.values() if q.host == wish.host), key=lambda q: (-q.request.priority, q.id)
            )
            for queued in waiting[: wish.limit]:
                self.window[queued.id] = self.frontier.pop(queued.id)
            for lease_id in self.scheduler.refill(wish, waiting[: wish.limit], self.now):
                self.frontier[lease_id] = self.window.pop(lease_id)

    def may_start(self, host):
        delay = LIMITS[host].delay
        return self.now >= max(self.not_before.get(host, 0), self.last_start.get(host, 0) + delay)

    @rule(host=hosts, count=st.integers(1, 12), priority=st.integers(-1, 2))
    def find(self, host, count, priority):
        for _ in range(count):
            self.added += 1
            self.frontier[self.added] = Queued(self.added, Request(f"http://{host}/", priority=priority), host)
        self.scheduler.found(host, priority)
        self.commit()

    @rule(host=hosts, count=st.integers(1, 12), priority=st.integers(-1, 2))
    def find_for_the_window(self, host, count, priority):
        for _ in range(count):
            self.added += 1
            row = Row(b"", host, f"http://{host}/", None, priority, 0, 0, None, None)
            admitted = self.scheduler.admit(self.added, row, self.now)
            (self.window if admitted else self.frontier)[self.added] = row.queued(self.added)
        self.commit()

    @rule(fate=st.sampled_from(["start", "start", "start", "back", "gone"]))
    def dispatch(self, fate):
        answer = self.scheduler.next(self.now)
        if isinstance(answer, Ready):
            queued = answer.queued
            assert self.window.pop(queued.id) == queued
            assert queued.host not in self.blocked
            assert self.may_start(queued.host)
            ours = [q.request.priority for q in self.window.values() if q.host == queued.host]
            assert queued.request.priority >= max(ours, default=-99)
            if fate == "start":
                self.in_flight[queued.id] = queued
                self.last_start[queued.host] = self.now
            else:
                self.scheduler.put_back(queued, self.now, gone=fate == "gone")
                if fate == "back":
                    self.window[queued.id] = queued
                else:
                    self.finished += 1
        elif isinstance(answer, Wait):
            assert answer.until > self.now
        else:
            assert not self.window
            assert not self.in_flight
            assert not self.frontier
        self.commit()

    @precondition(lambda self: self.in_flight)
    @rule(which=st.integers(0), latency=st.floats(0, 1), pushed_back=st.booleans())
    def finish(self, which, latency, pushed_back):
        queued = self.in_flight.pop(sorted(self.in_flight)[which % len(self.in_flight)])
        if pushed_back:
            self.scheduler.pushed_back(queued.host, self.now - latency, self.now)
        else:
            self.scheduler.succeeded(queued.host, latency)
        self.scheduler.release(queued.host, self.now)
        self.finished += 1
        self.commit()

    @rule(host=hosts, seconds=st.floats(0, 20))
    def hold(self, host, seconds):
        self.scheduler.hold(host, self.now + seconds, "Retry-After")
        self.not_before[host] = max(self.not_before.get(host, 0), self.now + seconds)

    @rule(host=hosts)
    def block(self, host):
        self.scheduler.block(host, "robots.txt")
        self.blocked.add(host)

    @rule(host=hosts)
    def unblock(self, host):
        self.scheduler.unblock(host, self.now)
        self.blocked.discard(host)

    @rule(seconds=st.floats(0.001, 10))
    def pass_time(self, seconds):
        self.now += seconds
        self.scheduler.forget_idle(self.now)
        self.commit()

    # What always holds

    @invariant()
    def no_host_has_more_than_maxsize(self):
        for host, limits in LIMITS.items():
            assert sum(queued.host == host for queued in self.in_flight.values()) <= limits.maxsize

    @invariant()
    def nothing_is_lost(self):
        assert len(self.frontier) + len(self.window) + len(self.in_flight) + self.finished == self.added
        assert self.scheduler.queued == len(self.window)

    @invariant()
    def the_window_is_bounded(self):
        assert self.scheduler.queued <= 4 * WINDOW * MAX_HOSTS

    def teardown(self):
        """Left alone, all of it is fetched, and then it is drained."""
        for host in sorted(self.blocked):
            self.scheduler.unblock(host, self.now)
        self.blocked.clear()
        for _ in range(20 * self.added + 20):
            self.commit()
            answer = self.scheduler.next(self.now)
            if isinstance(answer, Drained):
                break
            if isinstance(answer, Ready):
                self.in_flight[answer.queued.id] = self.window.pop(answer.queued.id)
            elif self.in_flight:
                _, queued = self.in_flight.popitem()
                self.scheduler.release(queued.host, self.now)
                self.finished += 1
            else:
                self.now += 1
                self.scheduler.forget_idle(self.now)
        assert self.finished == self.added, "the crawl stands still"


Model.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestScheduler = Model.TestCase
