"""Heads of responses: whatever is in them, http.client's users find a message, or an HTTPException."""

import contextlib
import http.client
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrapekit.download.head import Head, HeadedResponse


class Wire:
    def __init__(self, data):
        self.data = data

    def makefile(self, _mode):
        return io.BufferedReader(io.BytesIO(self.data))


def begin(data, method="GET"):
    defects = []
    response = HeadedResponse(Wire(data), lambda: defects.append(1), method)
    response.begin()
    return response, bool(defects)


def head(*lines):
    return Head(iter(lines))


def test_headers_keep_order_case_and_repetition():
    found = head("A: 1\r\n", "b:2 \r\n", "a:\t3\r\n", "Empty:\r\n")
    assert found.items() == [("A", "1"), ("b", "2"), ("a", "3"), ("Empty", "")]
    assert found.bad_lines == 0


def test_folded_lines_are_joined():
    assert head("A: 1\r\n", " 2\r\n", "\t3\r\n").items() == [("A", "1 2 3")]


@pytest.mark.parametrize(
    "line", ["no colon\r\n", ": no name\r\n", "b\xe4d: 1\r\n", "two words: 1\r\n", "\x00: 1\r\n", " folded first\r\n"]
)
def test_a_line_that_is_no_header_is_counted_and_hides_nothing(line):
    found = head(line, "A: 1\r\n")
    assert (found.items(), found.bad_lines) == ([("A", "1")], 1)


def test_a_space_before_the_colon_is_forgiven():
    assert head("A : 1\r\n").items() == [("A", "1")]


def test_control_characters_in_values_become_spaces():
    assert head("A: 1\x00\r2\r\n").items() == [("A", "1 2")]


@pytest.mark.parametrize(
    ("data", "length", "chunked", "closes"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 5, False, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", 5, False, False),
        (b"HTTP/1.1 200 OK\nContent-Length: 5\n\n", 5, False, False),
        (b"HTTP/1.1 200 OK\r\n\r\n", None, False, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", None, False, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 05\r\n\r\n", 5, False, False),
        (b"HTTP/1.1 204 None\r\n\r\n", 0, False, False),
        (b"HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n", 0, False, False),
        (b"HTTP/1.1 101 Switching\r\n\r\n", 0, False, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", None, True, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", None, True, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", None, True, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x, Close\r\n\r\n", 5, False, True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", 5, False, True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n", 5, False, False),
        (b"HTTP/0.9 200 OK\r\nContent-Length: 5\r\n\r\n", 5, False, True),
        (b"HTTP/1.7 200\r\nContent-Length: 5\r\n\r\n", 5, False, False),
    ],
)
def test_framing(data, length, chunked, closes):
    response, _ = begin(data)
    assert (response.length, response.chunked, response.will_close) == (length, chunked, closes)


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: \xb2",
        b"Content-Length: 5,6",
        b"Content-Length: 5,",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: chunk",
    ],
)
def test_framing_that_cannot_be_trusted_is_refused(header):
    with pytest.raises(http.client.HTTPException):
        begin(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n\r\n")


def test_the_answer_to_head_has_no_body():
    assert begin(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD")[0].length == 0


def test_interim_answers_are_skipped():
    response, _ = begin(b"HTTP/1.1 103 Early Hints\r\nA: 1\r\n\r\nHTTP/1.1 200 Fine \r\nB: 2\r\n\r\n")
    assert (response.status, response.reason, response.msg.items()) == (200, "Fine", [("B", "2")])


def test_defects_are_told():
    assert begin(b"HTTP/1.1 200 OK\r\nbad\r\n\r\n")[1]
    assert not begin(b"HTTP/1.1 200 OK\r\ngood: 1\r\n\r\n")[1]


@given(st.binary(max_size=300), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length:"]))
def test_any_bytes_give_a_head_or_an_http_exception(data, start):
    try:
        response, _ = begin(start + data + b"\r\n\r\n")
    except (http.client.HTTPException, ConnectionError):
        return
    assert 101 <= response.status <= 999
    for name, value in response.msg.items():
        assert name.isascii()
        assert name
        assert not set("\r\n\0") & set(value)
    assert response.length is None or response.length >= 0


LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 100 Continue",
        b"A: b",
        b": x",
        b" folded",
        b"Content-Length: 5",
        b"Connection: close",
    ]
)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(st.lists(LINES | st.binary(max_size=12), max_size=12), st.sampled_from([b"\r\n", b"\n", b"\r"]))
def test_any_head_is_a_message_or_an_http_exception(lines, end):
    try:
        response, _ = begin(end.join([b"HTTP/1.1 200 OK", *lines, b"", b""]))
    except http.client.HTTPException:
        return
    assert response.length is None or response.length >= 0
    assert all("\n" not in value and "\0" not in value for _, value in response.headers.items())


@pytest.mark.parametrize(
    "line", [b" \n", b"A\n", b"A:\n", b":\n", b"Content-Length: 5\n", b" ,\n", b"Connection: a,\n"]
)
def test_a_head_of_many_lines_is_read_or_refused_soon(line):
    with contextlib.suppress(http.client.HTTPException):
        begin(b"HTTP/1.1 200 OK\r\nA: b\r\n" + line * (2**18 // len(line)) + b"\r\n")
