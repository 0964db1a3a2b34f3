from hypothesis import given
from hypothesis import strategies as st

from scrapekit import Request
from scrapekit.messages import link_of, owned, owned_key, owner_of

NAMES = st.from_regex(r"\w[\w.-]*", fullmatch=True)


@given(NAMES, st.sampled_from([None, "parse", "parse_book", "files.save"]))
def test_a_stored_callback_says_whose_it_is(spider, callback):
    link = owned(link_of(Request("http://a.test/", callback)), spider)
    assert owner_of(link.callback) == spider
    assert link.callback == f"{spider}:{callback or 'parse'}"


def test_what_stands_alone_is_nobodys():
    assert [owner_of(None), owner_of("parse"), owner_of("files.save")] == ["", "", ""]


def test_the_same_request_of_two_spiders_is_two():
    link = link_of(Request("http://a.test/"))
    one, other = owned(link, "one"), owned(link, "other")
    assert len({link.fingerprint, one.fingerprint, other.fingerprint}) == 3
    assert owned(link, "one") == one
    assert len(owned_key(b"key", "one")) == 16


def test_one_that_is_not_filtered_stays_so():
    assert owned(link_of(Request("http://a.test/", dont_filter=True)), "one").fingerprint is None
