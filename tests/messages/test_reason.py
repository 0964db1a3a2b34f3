import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.messages.reason import reason, storable, trace


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


def test_a_trace_ends_with_what_was_raised_and_is_bounded():
    def deep(levels):
        if levels:
            deep(levels - 1)
        raise ValueError("at http://me:secret@a.test/ \ud800" + "y" * 10_000_000)

    with pytest.raises(ValueError, match="at http") as raised:
        deep(50)
    shown = trace(raised.value)
    assert "in deep" in shown
    assert "in test_a_trace" not in shown
    assert "ValueError: at http://***@a.test/ \ufffdyyy" in shown
    assert len(shown) == 20_000


@given(st.text(alphabet=st.characters(), max_size=50))
def test_a_reason_can_always_be_stored(said):
    assert msgspec.json.decode(msgspec.json.encode(reason(said))) == reason(said)
    assert len(reason(said).splitlines()) <= 1
    assert storable(storable(said)) == storable(said)
