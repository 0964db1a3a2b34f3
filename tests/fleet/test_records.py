"""Log records between processes: what they tell arrives, and nothing else of them does."""

from __future__ import annotations

import logging
from http import HTTPStatus

from scrapekit.download import PoolStats
from scrapekit.fleet.records import Forward, Logged
from scrapekit.fleet.wire import decode_batch, encode
from scrapekit.messages import Failed


def sent(*records):
    put = []
    forward = Forward(put.append)
    for record in records:
        forward.handle(record)
    return put


def record(message, *args, **extra):
    made = logging.LogRecord("mine.own", logging.WARNING, "f.py", 1, message, args, extra.pop("exc_info", None))
    made.__dict__.update(extra)
    return made


def test_a_record_travels_beside_outcomes_and_is_said_where_it_arrives(caplog):
    one = sent(record("at %s \udc80", "http://a.test/", url="http://a.test/", status=404, host=object()))
    failed = Failed(id=1, error="DNSError", message="x")
    with caplog.at_level(logging.DEBUG):
        assert decode_batch(encode(([*one, failed], None))) == ([failed], None)
        assert decode_batch(encode((one, PoolStats(opened=1)))) == ([], PoolStats(opened=1))
    said = caplog.records[0]
    assert len(caplog.records) == 2
    assert (said.name, said.levelname, said.getMessage()) == ("mine.own", "WARNING", "at http://a.test/ \ufffd")
    assert (said.url, said.status, hasattr(said, "host")) == ("http://a.test/", 404, False)
    assert said.created == one[0].created


class Text(str):
    """As those that lxml gives."""

    __slots__ = ()


def test_facts_of_any_kind_can_travel(caplog):
    facts = {
        "url": Text("http://a.test/"),
        "host": "\ud800",
        "status": HTTPStatus.GONE,
        "error": 2**70,
        "event": Text("\udcff"),
    }
    one = sent(record("m", **facts))
    with caplog.at_level(logging.DEBUG):
        assert decode_batch(encode((one, None))) == ([], None)
    [said] = caplog.records
    assert [getattr(said, name) for name in facts] == ["http://a.test/", "\ufffd", 410, str(2**70), "\ufffd"]


def test_a_traceback_goes_with_its_record():
    try:
        raise ValueError("x")
    except ValueError as error:
        (one,) = sent(record("it failed", exc_info=(ValueError, error, error.__traceback__)))
    assert one.message.startswith("it failed\nTraceback")
    assert one.message.endswith("ValueError: x")


def test_a_message_of_percent_signs_is_said_as_it_is(caplog):
    Logged(logging.ERROR, "mine", "100 %s %d", 0.0).say()
    assert caplog.messages == ["100 %s %d"]


def test_a_record_that_cannot_be_formatted_is_reported_and_not_sent(capsys):
    assert sent(record("%d", "text")) == []
    assert "--- Logging error ---" in capsys.readouterr().err
