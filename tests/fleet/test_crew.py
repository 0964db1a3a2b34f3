"""The crew, with members that die when a test says so."""

import threading
from queue import Queue

import pytest

from scrapekit.download import PoolStats
from scrapekit.errors import FleetError, SpiderError
from scrapekit.fleet.crew import Crew, Member
from scrapekit.fleet.wire import encode
from scrapekit.messages import Failed, Lease, Lost, Request

WAIT = 30


class FakeMember(Member):
    """Answers each lease when it is told to; ``ready`` says or raises what it was made with."""

    def __init__(self, ready=True):
        super().__init__()
        self.says = ready
        self.asked = threading.Event()
        self.got = Queue()
        self.done = Queue()
        self.killed = False

    def ready(self, timeout):
        self.asked.set()
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def send(self, leases):
        for lease in leases:
            self.got.put(lease)

    def finish(self):
        self.done.put(b"")

    def receive(self):
        outcome = self.done.get()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def kill(self):
        self.killed = True
        self.done.put(b"")

    def epitaph(self):
        return "killed by a test"

    def answer(self, lease):
        self.tell(Failed(id=lease.id, error="ConnectError", message="no", url=lease.request.url))

    def tell(self, *outcomes, stats=None):
        self.done.put(encode((outcomes, stats)))


def crew_of(*members, workers=2, **options):
    waiting, inbox = list(members), Queue()

    def spawn():
        member = waiting.pop(0)
        if isinstance(member, Exception):
            raise member
        return member

    size = options.pop("size", len(members))
    crew = Crew(spawn, size=size, workers=workers, post=inbox.put, noun=("a member", "members"), **options)
    return crew, inbox


def lease(number, alone=False):
    return Lease(number, Request(f"http://a.example/{number}"), "a.example", alone=alone)


def test_leases_go_to_the_least_busy_and_one_that_is_to_be_alone_waits_for_an_idle_member():
    one, two = FakeMember(), FakeMember()
    crew, inbox = crew_of(one, two)
    for number in range(3):
        crew.submit(lease(number))
    first, second, third = one.got.get(timeout=WAIT), two.got.get(timeout=WAIT), one.got.get(timeout=WAIT)
    assert [first.id, second.id, third.id] == [0, 1, 2]
    crew.submit(lease(3, alone=True))
    crew.submit(lease(4))
    two.answer(second)
    assert [outcome.id for outcome in inbox.get(timeout=WAIT)] == [1]
    assert two.got.get(timeout=WAIT).id == 3
    one.answer(first)
    assert one.got.get(timeout=WAIT).id == 4
    crew.close(WAIT)
    assert two.got.empty()


def test_a_dead_member_gives_its_leases_back_and_an_heir_takes_its_place():
    one, heir = FakeMember(), FakeMember()
    crew, inbox = crew_of(one, heir, size=1)
    crew.submit(lease(1))
    one.got.get(timeout=WAIT)
    crew.submit(lease(2))
    crew.submit(lease(3))  # one more than it can take
    one.done.put(b"")
    lost = inbox.get(timeout=WAIT)
    assert (type(lost), lost.ids, lost.reason) == (Lost, [1, 2], "killed by a test")
    assert one.killed
    assert heir.got.get(timeout=WAIT).id == 3
    crew.close(WAIT)


def test_pools_are_known_while_members_live_and_their_counts_after_that():
    one, two, heir = FakeMember(), FakeMember(), FakeMember()
    crew, inbox = crew_of(one, two, heir, size=2)
    assert crew.stats() == PoolStats()
    one.tell(stats=PoolStats(requests=3, opened=2, maxsize=8, in_use=1, pools=1))
    two.tell(stats=PoolStats(requests=1, opened=1, maxsize=8, pools=1))
    two.tell(stats=PoolStats(requests=2, opened=1, maxsize=8, pools=1))
    crew.submit(lease(1))
    crew.submit(lease(2))
    one.answer(one.got.get(timeout=WAIT))
    two.answer(two.got.get(timeout=WAIT))
    assert {inbox.get(timeout=WAIT)[0].id, inbox.get(timeout=WAIT)[0].id} == {1, 2}  # and what came before is known
    assert crew.stats() == PoolStats(requests=5, opened=3, maxsize=16, in_use=1, pools=2)
    one.done.put(b"")  # it has died
    assert isinstance(inbox.get(timeout=WAIT), Lost)
    assert crew.stats() == PoolStats(requests=5, opened=3, maxsize=8, pools=1)
    crew.close(WAIT)
    assert crew.stats() == PoolStats(requests=5, opened=3)


def test_members_that_only_tell_of_their_pools_are_barren():
    members = [FakeMember() for _ in range(4)]
    for member in members:
        member.tell(stats=PoolStats())
        member.done.put(b"")
    crew, inbox = crew_of(*members, size=1)
    assert [type(inbox.get(timeout=WAIT)) for _ in range(3)] == [Lost, Lost, Lost]
    assert str(inbox.get(timeout=WAIT)) == "members keep dying: killed by a test"
    crew.close(WAIT)


def test_members_that_die_before_they_are_ready_are_an_error_where_all_do():
    with pytest.raises(SpiderError, match=r"^a member ended before it could start \(segfault\)$"):
        crew_of(FakeMember(ConnectionError("segfault")), FakeMember(ConnectionError("segfault")))


def test_a_member_that_dies_before_it_is_ready_is_replaced_where_others_live():
    one, young, heir = FakeMember(), FakeMember(ConnectionError("gone")), FakeMember()
    crew, _ = crew_of(one, young, heir, size=2, workers=1)
    crew.submit(lease(1))
    crew.submit(lease(2))
    assert {one.got.get(timeout=WAIT).id, heir.got.get(timeout=WAIT).id} == {1, 2}
    crew.close(WAIT)


def test_heirs_that_only_die_end_the_crawl():
    one = FakeMember()
    crew, inbox = crew_of(one, *(FakeMember(ConnectionError("gone")) for _ in range(3)), size=1)
    one.done.put(b"")
    assert isinstance(inbox.get(timeout=WAIT), Lost)
    assert str(inbox.get(timeout=WAIT)) == "members keep dying: gone"
    crew.close(WAIT)


@pytest.mark.parametrize(
    "heir",
    [OSError("no more processes"), FakeMember(SpiderError("no such module")), RuntimeError("no connection")],
    ids=["OSError", "SpiderError", "RuntimeError"],
)
def test_a_member_that_can_not_be_replaced_ends_the_crawl(heir):
    one = FakeMember()
    crew, inbox = crew_of(one, heir, size=1)
    one.done.put(b"")
    assert isinstance(inbox.get(timeout=WAIT), Lost)
    error = inbox.get(timeout=WAIT)
    assert isinstance(error, FleetError)
    assert str(error).startswith("a member can't be replaced: no ")
    crew.close(WAIT)


def test_an_heir_that_is_not_ready_when_the_crawl_ends_is_killed():
    one, heir = FakeMember(), FakeMember(ready=False)
    crew, inbox = crew_of(one, heir, size=1)
    one.done.put(b"")
    assert isinstance(inbox.get(timeout=WAIT), Lost)
    assert heir.asked.wait(WAIT)
    crew.close(WAIT)
    assert heir.killed


def test_the_crawl_ends_when_patience_does():
    with pytest.raises(FleetError, match=r"^none of 1 members could be started in 0 s$"):
        crew_of(FakeMember(ready=False), patience=0)
    one = FakeMember()
    crew, inbox = crew_of(one, FakeMember(ready=False), size=1, patience=0)
    one.done.put(b"")
    assert isinstance(inbox.get(timeout=WAIT), Lost)
    assert str(inbox.get(timeout=WAIT)) == "there are no members left, and none could be started in 0 s"
    crew.close(WAIT)


def test_what_can_not_be_spawned_leaves_nothing_behind():
    one = FakeMember()
    with pytest.raises(FleetError, match="^only 1 of 2 members could be started: no more processes$"):
        crew_of(one, OSError("no more processes"))
    assert one.killed


def test_a_member_that_talks_nonsense_ends_the_crawl_instead_of_hanging_it():
    one = FakeMember()
    crew, inbox = crew_of(one)
    one.done.put(ValueError("not MessagePack"))
    assert str(inbox.get(timeout=WAIT)) == "a member can't be read from any more: ValueError: not MessagePack"
    crew.close(WAIT)


def test_a_member_is_asked_to_give_a_lease_up_and_ended_by_force_if_it_does_not_answer():
    one, heir = FakeMember(), FakeMember()
    crew, inbox = crew_of(one, heir, size=1)
    assert not crew.abandon(1, by_force=False)
    for number in (1, 2, 3):
        crew.submit(lease(number))
    assert [one.got.get(timeout=WAIT).id for _ in range(2)] == [1, 2]
    assert not crew.abandon(3, by_force=True)  # it waits for a place
    assert crew.abandon(2, by_force=False)
    assert one.got.get(timeout=WAIT) == 2
    assert not one.killed
    assert crew.abandon(2, by_force=True)
    lost = inbox.get(timeout=WAIT)
    assert (type(lost), lost.ids, lost.reason) == (Lost, [1, 2], "killed because it hung")
    assert heir.got.get(timeout=WAIT).id == 3
    crew.close(WAIT)
