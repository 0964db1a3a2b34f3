"""Exchanges as records of WARC 1.1 (ISO 28500:2017), written and read by warcio."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from http.client import responses
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NamedTuple
from urllib.parse import quote, unquote

from urllib3 import HTTPHeaderDict
from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from scrapekit.download import Reply
from scrapekit.errors import DownloadError, ProtocolError, RequestInvalid, request_error
from scrapekit.messages import Request, Spool
from scrapekit.store.bodies import BodyReader, body_of
from scrapekit.store.payload import payload
from scrapekit.web.urls import address

logger = logging.getLogger("scrapekit")

_IN_MEMORY = 8 * 2**20  # bytes of a compressed exchange
# The body is recorded decoded and in one piece, so what says otherwise gets another name, as other archivers have it.
_ORIGINAL = "X-Archive-Orig-"
_FRAMING = frozenset({"content-encoding", "transfer-encoding", "content-length"})
_FAILURE = "scrapekit-failure"
_VISITOR = "Scrapekit-Session"
COMPRESSED_AS_ONE = "warcio recompress"
"""What warcio says of an archive whose records are not compressed one by one."""
_STATUS = re.compile(r"[1-9][0-9]{2}", re.ASCII).fullmatch


class Answered(NamedTuple):
    """What an archive has for one request.

    Args:
        method: Of the request.
        url: Its URL, without user and password.
        body: Its body.
        visitor: What :func:`visitor_of` says of its session.
        offset: Where the record of the answer begins.
        content: Where the record begins that has its body: the same, but for a revisit record.
    """

    method: str
    url: str
    body: bytes
    visitor: str
    offset: int
    content: int


def info(software: str) -> IO[bytes]:
    """The warcinfo record, for the beginning of an archive; the caller closes it."""
    buffer = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  (the caller closes it)
    writer = WARCWriter(buffer, warc_version="1.1")
    fields = {"software": software, "format": "WARC File Format 1.1"}
    writer.write_record(writer.create_warcinfo_record(None, fields))
    buffer.seek(0)
    return buffer


def exchange(request: Request, sent: Mapping[str, str], answer: Reply | DownloadError) -> IO[bytes]:
    """The records of one exchange, compressed, to be read from the beginning; the caller closes it.

    Args:
        request: What was asked for.
        sent: The headers that it was sent with, as they may be told.
        answer: The response, or why there is none, which becomes a metadata record.
    """
    buffer = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  (the caller closes it)
    writer = WARCWriter(buffer, warc_version="1.1")
    uri = public(request.url)
    headers = {"WARC-Date": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")}
    if isinstance(answer, DownloadError):
        said = f"{_FAILURE}: {type(answer).__name__} {quote(str(answer), safe=' ')}\r\n".encode()
        record = writer.create_warc_record(
            uri, "metadata", BytesIO(said), len(said), "application/warc-fields", warc_headers_dict=headers
        )
    else:
        record = writer.create_warc_record(
            uri, "response", *_payload(answer.body), http_headers=_response_head(answer), warc_headers_dict=headers
        )
    body = request.body or b""
    asked = writer.create_warc_record(
        uri,
        "request",
        *_payload(body),
        http_headers=_request_head(request, uri, sent),
        warc_headers_dict=headers | ({_VISITOR: visitor} if (visitor := visitor_of(request.session)) else {}),
    )
    writer.write_request_response_pair(asked, record)
    buffer.seek(0)
    return buffer


def index(file: IO[bytes], end: int) -> Iterator[Answered]:
    """All answers in the first ``end`` bytes of an archive, in the order in which they were recorded.

    Raises:
        ArchiveLoadFailed: It is no WARC file.
    """
    answers: list[tuple[str, str, str, int, int]] = []  # id, id of the request, URL, offsets
    contents: dict[str, int] = {}  # offsets of responses by their id, and by the digest of their body
    requests: dict[str, tuple[str, bytes, str]] = {}  # by the id of the request, and by that of its response
    if not file.read(5).startswith((b"WARC/", b"\x1f\x8b")):  # warcio would try, and talk about it on stderr
        raise ArchiveLoadFailed("neither WARC nor gzip")
    file.seek(0)
    records = ArchiveIterator(_UpTo(file, end))
    for record in _readable(records, file.name):
        kind = record.rec_type
        name, partner, uri = map(record.rec_headers.get, ("WARC-Record-ID", "WARC-Concurrent-To", "WARC-Target-URI"))
        failed = kind == "metadata" and record.raw_stream.read(len(_FAILURE)) == _FAILURE.encode()
        asked = None
        if kind == "request" and record.http_headers is not None:
            visitor = record.rec_headers.get(_VISITOR) or ""
            asked = record.http_headers.protocol.upper(), record.raw_stream.read(), visitor
        offset = records.get_record_offset()
        if asked is not None:
            requests[name] = asked
            if partner:
                requests[partner] = asked
        elif (failed or (kind == "response" and record.http_headers is not None)) and uri:
            answers.append((name, partner or "", uri, offset, offset))
            for mark in (name, record.rec_headers.get("WARC-Payload-Digest")):
                if mark:
                    contents.setdefault(mark, offset)
        elif kind == "revisit" and uri:
            known = map(record.rec_headers.get, ("WARC-Refers-To", "WARC-Payload-Digest"))
            content = next((contents[mark] for mark in known if mark in contents), None)
            if content is not None:
                head = record.http_headers
                whole = head is None or head.get_statuscode() == "304"  # what a 304 refers to is what a visitor sees
                answers.append((name, partner or "", uri, content if whole else offset, content))
    for name, partner, uri, offset, content in answers:
        try:
            url = public(address(uri).url)
        except RequestInvalid:  # such as that of a DNS record
            continue
        method, body, visitor = requests.get(name) or requests.get(partner) or ("GET", b"", "")
        yield Answered(method, url, body, visitor, offset, content)


def _readable(records: Any, name: str) -> Iterator[Any]:
    """The records, up to one that can't be read: there the archive is damaged, or breaks off.

    Raises:
        ArchiveLoadFailed: The first is none, or all are compressed as one.
    """
    first = True
    while True:
        try:
            record = next(records)
        except StopIteration:
            return
        except Exception as error:  # warcio stumbles over half a header in many ways
            if isinstance(error, ArchiveLoadFailed) and (first or COMPRESSED_AS_ONE in str(error)):
                raise
            logger.warning("%s: damaged, or cut off, behind byte %d: it is read up to there", name, records.offset)
            return
        first = False
        yield record


class _UpTo:
    """The first ``end`` bytes of a file."""

    def __init__(self, file: IO[bytes], end: int) -> None:
        self._file = file
        self._end = end
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes."""
        return self._file.read(min(size, max(self._end - self._file.tell(), 0)))


def answer(file: IO[bytes], place: tuple[int, int], request: Request, spool_above: int, spool_dir: str | None) -> Reply:
    """The answer at ``place``: the ``offset`` and ``content`` of an :class:`Answered`.

    Raises:
        DownloadError: The one that was recorded; or the record is damaged.
    """
    offset, content = place
    file.seek(offset)
    record = next(ArchiveIterator(file))
    if record.rec_type == "metadata":
        kind, _, message = record.raw_stream.read().decode().strip().partition(": ")[2].partition(" ")
        error = request_error(kind)(unquote(message), request)
        raise error if isinstance(error, DownloadError) else DownloadError(str(error), request)
    head = record.http_headers
    if not _STATUS(head.get_statuscode()):
        raise ProtocolError("the recorded answer has no HTTP status", request)
    if content != offset:
        file.seek(content)
        record = next(ArchiveIterator(file))
    pieces, known = payload(record)
    flags = ("replayed",) if known else ("unknown_encoding", "replayed")
    body = body_of(pieces, spool_above, spool_dir)
    return Reply(request.url, int(head.get_statuscode()), _original(head.headers), body, 0.0, flags)


def visitor_of(session: str) -> str:
    """A digest of a session's name, which may be that of an account; none for the session without a name."""
    return blake2b(session.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest() if session else ""


def public(url: str) -> str:
    """A URL without user and password."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def _payload(body: bytes | Spool) -> tuple[Any, int]:
    """A body for warcio, with its length."""
    return BodyReader(body) if isinstance(body, Spool) else BytesIO(body), len(body)


class _Latin1(StatusAndHeaders):  # type: ignore[misc]  # warcio has no types
    """Headers as they came over the wire; warcio would escape what is not ASCII."""

    def compute_headers_buffer(self, header_filter: Any = None) -> None:
        self.headers_buff = self.to_bytes(header_filter, "latin-1")


def _response_head(reply: Reply) -> StatusAndHeaders:
    encoded = "unknown_encoding" in reply.flags  # the body is as it came
    headers = [
        (
            name
            if name.lower() not in _FRAMING or (encoded and name.lower() == "content-encoding")
            else _ORIGINAL + name,
            value,
        )
        for name, value in reply.headers.iteritems()
    ]
    headers.append(("Content-Length", str(len(reply.body))))
    return _Latin1(f"{reply.status} {responses.get(reply.status, '')}".rstrip(), headers, protocol="HTTP/1.1")


def _request_head(request: Request, uri: str, sent: Mapping[str, str]) -> StatusAndHeaders:
    authority, slash, path = uri.partition("://")[2].partition("/")
    headers = [
        ("Host", authority),
        *((name, value) for name, value in sent.items() if name.lower() not in {"host", "content-length"}),
    ]
    if request.body is not None:
        headers.append(("Content-Length", str(len(request.body))))
    return _Latin1(f"{request.method} {slash}{path} HTTP/1.1", headers, is_http_request=True)


def _original(headers: list[tuple[str, str]]) -> HTTPHeaderDict:
    """The headers as they were when the response came."""
    ours = any(name.startswith(_ORIGINAL) for name, _ in headers)
    kept = HTTPHeaderDict()
    for name, value in headers:
        if ours and name.lower() == "content-length":
            continue
        text = value if value.isascii() else value.encode().decode("latin-1")  # warcio has taken it for UTF-8
        kept.add(name.removeprefix(_ORIGINAL), text)
    return kept


__all__ = ["COMPRESSED_AS_ONE", "ArchiveLoadFailed", "answer", "exchange", "index", "info", "public", "visitor_of"]
