import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.messages.reason import reason, storable


class Mean(Exception):
    def __str__(self):
        raise SystemExit(self)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (ValueError("one\n  two\tthree"), "one two three"),
        (ValueError(), ""),
        (KeyError("k"), "'k'"),
        ("héllo \U0001f600", "héllo \U0001f600"),
        ("\ud800x", "\ufffdx"),
        (Mean(), "(SystemExit in its __str__)"),
        (5, "5"),
        ("y" * 10_000_000, "y" * 1000),
    ],
)
def test_a_reason_is_one_short_line(said, text):
    assert reason(said) == text


@given(st.text(alphabet=st.characters(), max_size=50))
def test_a_reason_can_always_be_stored(said):
    assert msgspec.json.decode(msgspec.json.encode(reason(said))) == reason(said)
    assert len(reason(said).splitlines()) <= 1
    assert storable(storable(said)) == storable(said)
