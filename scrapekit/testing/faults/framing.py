"""Framing: status lines, headers, lengths and chunks that are wrong, odd, or right and rare."""

from __future__ import annotations

from scrapekit.testing.faults.registry import Door, fault
from scrapekit.testing.faults.talk import CHUNKED, HTML, Talk, chunk, head, reply

LAST = b"0\r\n\r\n"


# Lengths


@fault("/framing/length-twice", "ProtocolError")
def length_twice(talk: Talk) -> None:
    """Two Content-Length headers that differ."""
    size = len(talk.page)
    talk.send(head(HTML, f"Content-Length: {size}", f"Content-Length: {size + 5}"), talk.page)


@fault("/framing/length-repeated", "ok")
def length_repeated(talk: Talk) -> None:
    """The same Content-Length twice, and once more in a list."""
    size = len(talk.page)
    talk.send(head(HTML, f"Content-Length: {size}", f"Content-Length: {size}, {size}"), talk.page)


@fault("/framing/length-too-small", "ok, flag extra_bytes")
def length_too_small(talk: Talk) -> None:
    """A Content-Length that is less than what comes."""
    talk.send(head(HTML, f"Content-Length: {len(talk.page)}"), talk.page, b"and what was not counted")


@fault("/framing/length-too-large", "TruncatedBody")
def length_too_large(talk: Talk) -> None:
    """A Content-Length that is more than what comes before the connection is closed."""
    talk.send(head(HTML, f"Content-Length: {len(talk.page) + 5}"), talk.page)
    talk.close()


@fault("/framing/length-negative", "ProtocolError")
def length_negative(talk: Talk) -> None:
    """`Content-Length: -5`."""
    talk.send(head(HTML, "Content-Length: -5"), talk.page)
    talk.close()


@fault("/framing/length-underscore", "ProtocolError")
def length_underscore(talk: Talk) -> None:
    """`Content-Length: 1_0`, which is ten to Python."""
    talk.send(head(HTML, "Content-Length: 1_0"), talk.page)
    talk.close()


@fault("/framing/length-5000-digits", "ProtocolError")
def length_5000_digits(talk: Talk) -> None:
    """A Content-Length of 5,000 digits."""
    talk.send(head(HTML, f"Content-Length: {'9' * 5000}"), talk.page)
    talk.close()


@fault("/framing/length-and-chunks", "ok")
def length_and_chunks(talk: Talk) -> None:
    """Both Content-Length and chunks: the chunks count, and the connection is not used again."""
    talk.send(head(HTML, "Content-Length: 5", CHUNKED), chunk(talk.page), LAST)


# Chunks


@fault("/framing/chunk-negative", "ProtocolError")
def chunk_negative(talk: Talk) -> None:
    """A chunk of size -5."""
    talk.send(head(HTML, CHUNKED), chunk(talk.page), b"-5\r\nhello\r\n", LAST)


@fault("/framing/chunk-minus-one", "ProtocolError")
def chunk_minus_one(talk: Talk) -> None:
    """A chunk of size -1, which makes naive readers read without end."""
    talk.send(head(HTML, CHUNKED), chunk(talk.page), b"-1\r\nhello\r\n", LAST)
    talk.close()


@fault("/framing/chunk-huge", "BodyTooLarge")
def chunk_huge(talk: Talk) -> None:
    """A chunk of 16 exbibytes."""
    talk.send(head(HTML, CHUNKED), b"FFFFFFFFFFFFFFFF\r\n")
    talk.flood(b"x")


@fault("/framing/chunk-underscore", "ProtocolError")
def chunk_underscore(talk: Talk) -> None:
    """A chunk of size `1_0`, which is sixteen to Python."""
    talk.send(head(HTML, CHUNKED), b"1_0\r\n0123456789abcdef\r\n", LAST)


@fault("/framing/chunk-prefixed", "ProtocolError")
def chunk_prefixed(talk: Talk) -> None:
    """A chunk of size `0x10`."""
    talk.send(head(HTML, CHUNKED), b"0x10\r\n0123456789abcdef\r\n", LAST)


@fault("/framing/chunk-plus", "ProtocolError")
def chunk_plus(talk: Talk) -> None:
    """A chunk of size `+10`."""
    talk.send(head(HTML, CHUNKED), b"+10\r\n0123456789abcdef\r\n", LAST)


@fault("/framing/chunk-garbage", "ProtocolError")
def chunk_garbage(talk: Talk) -> None:
    """A chunk whose size is no number."""
    talk.send(head(HTML, CHUNKED), chunk(talk.page), b"hello\r\n", LAST)


@fault("/framing/chunk-empty-size", "ProtocolError")
def chunk_empty_size(talk: Talk) -> None:
    """A chunk without a size."""
    talk.send(head(HTML, CHUNKED), chunk(talk.page), b"\r\nhello\r\n", LAST)


@fault("/framing/chunk-too-long", "ProtocolError")
def chunk_too_long(talk: Talk) -> None:
    """A chunk that goes on after its size."""
    talk.send(head(HTML, CHUNKED), b"%x\r\n" % (len(talk.page) - 20), talk.page, b"\r\n", LAST)


@fault("/framing/chunk-extension", "ok")
def chunk_extension(talk: Talk) -> None:
    """A chunk with an extension."""
    talk.send(head(HTML, CHUNKED), b'%x;name="value"\r\n%b\r\n' % (len(talk.page), talk.page), LAST)


@fault("/framing/chunk-extension-megabytes", "ProtocolError")
def chunk_extension_megabytes(talk: Talk) -> None:
    """A chunk with an extension of 2 MB."""
    talk.send(head(HTML, CHUNKED), b"5;x=" + b"x" * 2_000_000, b"\r\nhello\r\n", LAST)


@fault("/framing/chunk-last-missing", "TruncatedBody")
def chunk_last_missing(talk: Talk) -> None:
    """The connection is closed instead of a last chunk."""
    talk.send(head(HTML, CHUNKED, "Connection: close"), chunk(talk.page))
    talk.close()


@fault("/framing/chunk-trailers", "ok")
def chunk_trailers(talk: Talk) -> None:
    """Trailers after the last chunk."""
    talk.send(head(HTML, CHUNKED, "Trailer: X-Sum"), chunk(talk.page), b"0\r\nX-Sum: 5\r\nSet-Cookie: a=b\r\n\r\n")


@fault("/framing/chunked-twice", "ProtocolError")
def chunked_twice(talk: Talk) -> None:
    """`Transfer-Encoding: chunked, chunked`."""
    talk.send(head(HTML, "Transfer-Encoding: chunked, chunked"), chunk(chunk(talk.page) + LAST), LAST)


@fault("/framing/transfer-coding-unknown", "ProtocolError")
def transfer_coding_unknown(talk: Talk) -> None:
    """A transfer coding that nobody asked for."""
    talk.send(head(HTML, "Transfer-Encoding: xor, chunked"), chunk(talk.page), LAST)


# Status lines


@fault("/framing/http-0-9", "ProtocolError")
def http_0_9(talk: Talk) -> None:
    """A body without a status line and headers, as HTTP/0.9 had it."""
    talk.send(talk.page)
    talk.close()


@fault("/framing/http-1-0", "ok")
def http_1_0(talk: Talk) -> None:
    """HTTP/1.0 without a length: the body ends with the connection."""
    talk.send(head(HTML, version="HTTP/1.0"), talk.page)
    talk.close()


@fault("/framing/http-2", "ProtocolError", door=Door(kind="raw"))
def http_2(talk: Talk) -> None:
    """A server that speaks HTTP/2 only: its SETTINGS, and a GOAWAY when it has seen the request."""
    talk.send(b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0d\0\4\0\x10\0\0\0\6\0\0@\0")
    talk.sock.recv(65_536)
    talk.send(b"\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\1")
    talk.close()


@fault("/framing/version-unknown", "ProtocolError")
def version_unknown(talk: Talk) -> None:
    """`HTTP/3.7 200 OK`."""
    talk.send(head(HTML, f"Content-Length: {len(talk.page)}", version="HTTP/3.7"), talk.page)


@fault("/framing/status-garbage", "ProtocolError")
def status_garbage(talk: Talk) -> None:
    """A status line that is none."""
    talk.send(b"\x16\x03\x01 what is this\r\n\r\n")


@fault("/framing/status-99", "ProtocolError")
def status_99(talk: Talk) -> None:
    """`HTTP/1.1 99`: a status has three digits."""
    talk.send(reply(talk.page, status="99 Too Low"))


@fault("/framing/status-1000", "ProtocolError")
def status_1000(talk: Talk) -> None:
    """`HTTP/1.1 1000`: a status has three digits."""
    talk.send(reply(talk.page, status="1000 Too High"))


@fault("/framing/status-999", "StatusError")
def status_999(talk: Talk) -> None:
    """`HTTP/1.1 999`: not defined, but a status."""
    talk.send(reply(talk.page, status="999 Request Denied"))


@fault("/framing/status-without-reason", "ok")
def status_without_reason(talk: Talk) -> None:
    """`HTTP/1.1 200` and nothing after it."""
    talk.send(head(HTML, f"Content-Length: {len(talk.page)}", status="200"), talk.page)


@fault("/framing/status-101", "StatusError")
def status_101(talk: Talk) -> None:
    """`101 Switching Protocols`, which nobody asked for."""
    talk.send(head("Upgrade: h2c", "Connection: Upgrade", status="101 Switching Protocols"))
    talk.close()


@fault("/framing/early-hints", "ok")
def early_hints(talk: Talk) -> None:
    """`103 Early Hints` before the answer."""
    talk.send(head("Link: </style.css>; rel=preload", status="103 Early Hints"), reply(talk.page))


@fault("/framing/204-with-body", "ok, flag extra_bytes", shows=b"")
def no_content_with_body(talk: Talk) -> None:
    """A 204 with a body, which it can't have."""
    talk.send(head(f"Content-Length: {len(talk.page)}", status="204 No Content"), talk.page)


@fault("/framing/304-with-body", "StatusError")
def not_modified_with_body(talk: Talk) -> None:
    """A 304 with a body, which it can't have."""
    talk.send(head(f"Content-Length: {len(talk.page)}", status="304 Not Modified"), talk.page)


@fault("/framing/head-with-body", "ok, flag extra_bytes", request={"method": "HEAD"}, shows=b"")
def head_with_body(talk: Talk) -> None:
    """An answer to HEAD with a body, which it can't have."""
    talk.send(reply(talk.page))


# Headers


@fault("/framing/header-without-colon", "ok, flag bad_headers")
def header_without_colon(talk: Talk) -> None:
    """A header line without a colon: it hides no other."""
    talk.send(head(HTML, "this is no header", f"Content-Length: {len(talk.page)}"), talk.page)


@fault("/framing/header-without-name", "ok, flag bad_headers")
def header_without_name(talk: Talk) -> None:
    """A header line without a name."""
    talk.send(head(HTML, ": no name", f"Content-Length: {len(talk.page)}"), talk.page)


@fault("/framing/header-space-before-colon", "ok")
def header_space_before_colon(talk: Talk) -> None:
    """A space between the name of a header and its colon."""
    talk.send(head(HTML, f"Content-Length : {len(talk.page)}"), talk.page)


@fault("/framing/header-folded", "ok")
def header_folded(talk: Talk) -> None:
    """Header values that go on in the next line."""
    talk.send(head(HTML, "X-Folded: one", " two", "\tthree", "Content-Length:", f" {len(talk.page)}"), talk.page)


@fault("/framing/header-control-bytes", "ok")
def header_control_bytes(talk: Talk) -> None:
    """NUL, escape and other control bytes in a header."""
    talk.send(head(HTML, "X-Odd: a\0b\x1b[31mc\x7f\x85\x80", f"Content-Length: {len(talk.page)}"), talk.page)


@fault("/framing/header-megabyte", "ProtocolError")
def header_megabyte(talk: Talk) -> None:
    """A header line of 1 MB."""
    talk.send(reply(talk.page, f"X-Large: {'x' * 1_000_000}"))


@fault("/framing/headers-10000", "ok")
def headers_10000(talk: Talk) -> None:
    """10,000 headers."""
    talk.send(reply(talk.page, *(f"X-{number}: {number}" for number in range(10_000))))


@fault("/framing/lines-end-in-lf", "ok")
def lines_end_in_lf(talk: Talk) -> None:
    """Header lines that end in LF alone."""
    talk.send(reply(talk.page).replace(b"\r\n", b"\n"))


@fault("/framing/lines-end-in-cr", "ProtocolError")
def lines_end_in_cr(talk: Talk) -> None:
    """Header lines that end in CR alone."""
    talk.send(reply(talk.page).replace(b"\r\n", b"\r"))
    talk.close()


@fault("/framing/empty-line-first", "ProtocolError")
def empty_line_first(talk: Talk) -> None:
    """An empty line before the status line."""
    talk.send(b"\r\n", reply(talk.page))


@fault("/framing/no-headers", "ok")
def no_headers(talk: Talk) -> None:
    """A status line and no header: the body ends with the connection."""
    talk.send(b"HTTP/1.1 200 OK\r\n\r\n", talk.page)
    talk.close()
