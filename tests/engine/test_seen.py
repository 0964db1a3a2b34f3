from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from scrapekit.engine.seen import Seen
from scrapekit.messages import Link


def fingerprints(count, first=0):
    return [blake2b(number.to_bytes(8, "big"), digest_size=16).digest() for number in range(first, first + count)]


def link(fingerprint):
    return Link("http://a.test/", "a.test", fingerprint)


def test_a_fingerprint_is_known_once_it_is_added():
    seen, (one, other) = Seen(), fingerprints(2)
    assert one not in seen
    assert seen.add(one) is True
    assert seen.add(one) is False
    assert one in seen
    assert other not in seen
    assert len(seen) == 1


def test_what_is_discarded_is_not_known_and_the_others_are():
    known = fingerprints(20_000)
    seen = Seen(known, len(known))
    for fingerprint in known[::2]:
        seen.discard(fingerprint)
    seen.discard(known[0])
    assert len(seen) == 10_000
    assert [fingerprint in seen for fingerprint in known] == [False, True] * 10_000


def test_it_grows_without_forgetting_anything():
    seen, known = Seen(), fingerprints(100_000)  # it doubles from 1,024 buckets to beyond 4,096, and stops in between
    assert all(map(seen.add, known))
    assert not any(map(seen.add, known))
    assert all(fingerprint in seen for fingerprint in known)
    assert not any(fingerprint in seen for fingerprint in fingerprints(10_000, first=100_000))
    assert len(seen) == 100_000


def test_a_table_that_is_taken_up_knows_what_it_knew_and_goes_on_growing():
    for guess in (0, 30_000, 1_000_000):  # a count that is wrong costs time, nothing else
        seen = Seen(iter(fingerprints(30_000)), guess)
        assert len(seen) == 30_000
        assert all(map(seen.add, fingerprints(30_000, first=30_000)))
        assert all(fingerprint in seen for fingerprint in fingerprints(60_000))


def test_unknown_links_are_those_not_added_and_those_without_a_fingerprint():
    seen, known = Seen(), fingerprints(40_000)
    for fingerprint in known[::2]:
        seen.add(fingerprint)
    links = [link(None), *map(link, known)]
    assert seen.unknown(links) == [links[0], *links[2::2]]


@given(st.lists(st.tuples(st.sampled_from(["add", "discard", "in"]), st.integers(0, 30))))
def test_it_is_a_set(steps):
    seen, model, all_of_them = Seen(), set(), fingerprints(31)
    for what, number in steps:
        fingerprint = all_of_them[number]
        if what == "add":
            assert seen.add(fingerprint) is (fingerprint not in model)
            model.add(fingerprint)
        elif what == "discard":
            seen.discard(fingerprint)
            model.discard(fingerprint)
        assert (fingerprint in seen) is (fingerprint in model)
        assert len(seen) == len(model)
