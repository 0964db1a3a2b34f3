"""Bodies between memory, temporary files and stores."""

import io
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.messages import Spool
from scrapekit.store.bodies import BodyReader, body_of, pieces_of


def content(body):
    return b"".join(pieces_of(body))


@given(st.binary(max_size=300_000), st.integers(0, 300_000))
def test_a_body_stays_what_it_is_and_lies_in_memory_if_it_is_small(data, spool_above):
    body = body_of(iter(partial(io.BytesIO(data).read, 65_536), b""), spool_above, None)
    assert isinstance(body, Spool) is (len(data) > spool_above)
    assert (len(body), content(body)) == (len(data), data)
    if isinstance(body, Spool):
        body.close()


def test_a_body_that_breaks_off_leaves_no_temporary_file_open():
    def breaks():
        yield from [b"x" * 65_536] * 2
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        body_of(breaks(), 1000, None)


def test_a_large_body_is_read_again_from_its_beginning_and_from_nowhere_else():
    spool = Spool()
    data = bytes(range(256)) * 1000
    spool.write(data)
    reader = BodyReader(spool)
    assert (reader.readable(), reader.seekable()) == (True, True)
    for _ in range(2):
        assert (reader.read(), reader.tell(), reader.read(1)) == (data, len(data), b"")
        assert reader.seek(0) == 0
    for position in ((1, 0), (0, 2)):
        with pytest.raises(io.UnsupportedOperation):
            reader.seek(*position)
    spool.close()
