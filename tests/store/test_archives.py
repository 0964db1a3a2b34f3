"""Archives: valid WARC 1.1 by warcio's judgement, whole after any crash, and replayed as they were recorded."""

import gzip
import os
import signal
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path

import pytest
from urllib3 import HTTPHeaderDict
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from scrapekit.download import Downloader
from scrapekit.download import Reply as Fetched
from scrapekit.download.decoding import brotli, zstd
from scrapekit.errors import ArchiveError, ConnectError, DownloadError, NotRecorded, ProtocolError, TruncatedBody
from scrapekit.messages import Request, Spool
from scrapekit.store import archive
from scrapekit.store.tape import Recording, Replaying
from scrapekit.testing import Reply, serve

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "x.warc.gz")


def fetch(source, url, **arguments):
    return source.fetch(Request(url, **arguments), host="127.0.0.1")


def bare(reply):
    body = reply.body.head(len(reply.body)) if isinstance(reply.body, Spool) else reply.body
    return reply.url, reply.status, list(reply.headers.iteritems()), body


def records(path):
    """All records, their digests checked; each begins a gzip member of its own."""
    found = []
    with open(path, "rb") as file:
        for record in (iterator := ArchiveIterator(file, check_digests="raise")):
            content = record.raw_stream.read()
            found.append((record.rec_type, record.rec_headers, record.http_headers, content))
            assert iterator.get_record_length()
        assert iterator.err_count == 0
    return found


class Recorded:
    """A recording under way."""

    def __init__(self, path, source, **options):
        archive.begin(path, resume=options.get("resume", False))
        self.path = path
        self.source = Recording(source, path, {"User-Agent": "x", "X-Token": "secret"}, tell)

    def __enter__(self):
        return self.source

    def __exit__(self, *_):
        self.source.close()
        self.source.close()
        archive.end(self.path)


def tell(name, value):
    return None if name.lower() in {"x-token", "authorization", "cookie"} else value


def app(view):
    if view.path == "/gzip":
        return Reply(gzip.compress(b"packed"), headers=(("Content-Encoding", "gzip"), ("Content-Type", "text/plain")))
    if view.path == "/odd":
        return Reply(b"?", headers=(("Content-Encoding", "odd"),))
    if view.path == "/moved":
        return Reply(b"", 302, (("Location", "/caf\xc3\xa9"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")))
    if view.path == "/post":
        return Reply(view.body)
    if view.path == "/large":
        return Reply(bytes(range(256)) * 1000)
    if view.path == "/retry":
        return Reply(str(view.visit).encode(), 503 if view.visit == 1 else 200)
    return Reply(b"<p>page", 404 if view.path == "/gone" else 200)


def test_what_is_recorded_is_replayed_to_the_byte(path):
    asked = [
        {"url": "/gzip"},
        {"url": "/odd"},
        {"url": "/moved"},
        {"url": "/gone"},
        {"url": "/large"},
        {"url": "/post", "method": "POST", "body": b"one"},
        {"url": "/post", "method": "POST", "body": b"two"},
        {"url": "/", "method": "HEAD"},
        {"url": "/"},
    ]
    with serve(app) as site, Downloader(workers=1, spool_above=100_000) as net:
        requests = [{**each, "url": site.url + each["url"]} for each in asked]
        with Recorded(path, net) as source:
            seen = [bare(fetch(source, **each)) for each in requests]
            assert source.stats().opened == 1
    replay = Replaying(path, spool_above=100_000)
    again = [fetch(replay, **each) for each in requests]
    assert [bare(reply) for reply in again] == seen
    assert {reply.flags for reply in again} == {("replayed",), ("unknown_encoding", "replayed")}
    assert isinstance(again[4].body, Spool)
    again[4].body.close()
    assert replay.stats().opened == 0
    replay.close()


def test_the_records_are_valid_warc(path):
    with serve(app) as site, Downloader(workers=1) as net, Recorded(path, net) as source:
        fetch(
            source, f"{site.url}/gzip?q=1".replace("//", "//user:password@"), headers={"Cookie": "secret", "X-A": "1"}
        )
        fetch(source, f"{site.url}/post", form={"a": "1"})
    found = records(path)
    assert [kind for kind, *_ in found] == ["warcinfo", "response", "request", "response", "request"]
    assert {headers.protocol for _, headers, *_ in found} == {"WARC/1.1"}
    _, (_, response, http, body), (_, request, sent, _), *_, (_, _, posted, form) = found
    assert response["WARC-Target-URI"] == request["WARC-Target-URI"] == f"{site.url}/gzip?q=1"
    assert request["WARC-Concurrent-To"] == response["WARC-Record-ID"]
    assert response["WARC-Date"] == request["WARC-Date"]
    assert response["Content-Type"] == "application/http; msgtype=response"
    assert (http.statusline, body) == ("200 OK", b"packed")
    assert (http["Content-Encoding"], http["X-Archive-Orig-Content-Encoding"]) == (None, "gzip")
    assert http["Content-Length"] == "6"
    assert (sent.protocol, sent.statusline) == ("GET", "/gzip?q=1 HTTP/1.1")
    assert sent.headers == [("Host", site.url[7:]), ("User-Agent", "x"), ("X-A", "1")]
    assert (posted.protocol, form) == ("POST", b"a=1")
    raw = gzip.decompress(Path(path).read_bytes())
    assert b"secret" not in raw
    assert b"password" not in raw
    assert os.stat(path).st_mode & 0o077 == 0


def test_failures_are_recorded_and_replayed_in_their_turn(path):
    with serve(app) as site:
        url = f"{site.url}/retry"
    with Downloader(workers=1) as net, Recorded(path, net) as source:
        with pytest.raises(ConnectError) as told:
            fetch(source, url)
        with serve(app, port=site.port):
            assert [fetch(source, url).status for _ in range(2)] == [503, 200]
    replay = Replaying(path)
    with pytest.raises(ConnectError) as again:
        fetch(replay, url)
    assert str(again.value) == str(told.value)
    assert [fetch(replay, url).body for _ in range(3)] == [b"1", b"2", b"2"]
    records(path)


def test_what_was_not_recorded_is_a_clear_error(path):
    with serve(app) as site, Downloader(workers=1) as net, Recorded(path, net) as source:
        fetch(source, f"{site.url}/")
    for other in ({"url": f"{site.url}/x"}, {"url": f"{site.url}/", "method": "POST", "body": b"x"}):
        with pytest.raises(NotRecorded, match=r"x.warc.gz has no answer to this (GET|POST)"):
            fetch(Replaying(path), **other)


class Large:
    """A source whose body lies in a file."""

    def __init__(self):
        self.body = Spool()
        self.body.write(b"x" * 300_000)

    def fetch(self, request, **hop):
        return Fetched(request.url, 200, HTTPHeaderDict(), self.body, 0.0, ())

    def close(self):
        self.body.close()


def test_a_body_in_a_file_is_recorded_piece_by_piece(path):
    with Recorded(path, Large()) as source:
        fetch(source, "http://example.org/")
    assert [len(content) for kind, _, _, content in records(path) if kind == "response"] == [300_000]


def test_threads_write_whole_records(path):
    with serve(app) as site, Downloader(workers=8) as net, Recorded(path, net) as source:

        def write(start):
            for number in range(start, start + 20):
                fetch(source, f"{site.url}/{number}")

        threads = [threading.Thread(target=write, args=(start,)) for start in range(0, 160, 20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    replay = Replaying(path)
    assert {fetch(replay, f"{site.url}/{n}").body for n in range(160)} == {b"<p>page"}
    assert len(records(path)) == 1 + 2 * 160


WRITER = """
import sys
sys.path.insert(0, {tests!r})
from test_archives import Large, Recording, tell, Request
source = Recording(Large(), sys.argv[1], {{}}, tell)
print("ready", flush=True)
number = 0
while True:
    source.fetch(Request(f"http://example.org/{{sys.argv[2]}}/{{number}}"), host="x")
    number += 1
    print(number, flush=True)
"""


def test_processes_that_are_killed_leave_whole_records(path):
    """Each is killed at whatever it does; what it had said to be written is there, and others go on after it."""
    archive.begin(path, resume=False)
    code = WRITER.format(tests=str(Path(__file__).parent))
    said = {}
    for turn in range(4):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", code, path, f"{turn}-{number}"],
                env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
            )
            for number in range(2)
        ]  # fmt: skip
        for writer in writers:
            for line in writer.stdout:
                if line.strip() == str(3 + turn):
                    break
        for number, writer in enumerate(writers):
            writer.send_signal(signal.SIGKILL)
            said[f"{turn}-{number}"] = len(writer.stdout.read().split()) + 3 + turn
            writer.wait()
            writer.stdout.close()
    replay = Replaying(path)  # before it was ended
    archive.end(path)
    assert not Path(f"{path}.length").exists()
    urls = [headers["WARC-Target-URI"] for kind, headers, *_ in records(path) if kind == "response"]
    for name, count in said.items():
        mine = [url for url in urls if f"/{name}/" in url]
        assert mine == [f"http://example.org/{name}/{number}" for number in range(len(mine))]
        assert len(mine) in {count, count + 1}
        assert fetch(replay, mine[-1]).flags == ("replayed",)


def test_a_torn_record_is_cut_off_by_the_next_writer_the_end_and_a_resume(path):
    for mend in ("write", "end", "resume"):
        Path(path).unlink(missing_ok=True)
        with Recorded(path, Large()) as source:
            fetch(source, "http://example.org/1")
            with open(path, "ab") as file:
                file.write(b"\x1f\x8b\x08torn")
            assert fetch(Replaying(path), "http://example.org/1").status == 200
            if mend == "write":
                fetch(source, "http://example.org/2")
            elif mend == "resume":
                archive.begin(path, resume=True)
        assert len(records(path)) == (5 if mend == "write" else 3)


def test_an_archive_is_neither_overwritten_nor_appended_to_but_by_its_own_crawl(path):
    with Recorded(path, Large()) as source:
        fetch(source, "http://example.org/1")
    with pytest.raises(ArchiveError, match=r"x.warc.gz is there already: record to another file, or delete it"):
        archive.begin(path, resume=False)
    with Recorded(path, Large(), resume=True) as source:
        fetch(source, "http://example.org/2")
    assert [kind for kind, *_ in records(path)] == ["warcinfo", *["response", "request"] * 2]


def test_nothing_recorded_leaves_nothing(path):
    with Recorded(path, Large()):
        pass
    assert not Path(path).exists()


def test_what_can_not_be_recorded_to_is_a_config_error(tmp_path):
    (tmp_path / "file").write_text("")
    for bad in (tmp_path / "file" / "x.warc.gz", tmp_path):
        with pytest.raises(ArchiveError, match="(can't be recorded to|is there already)"):
            archive.begin(str(bad), resume=False)
    with pytest.raises(ArchiveError, match="can't be recorded to"):
        archive.Archive(str(tmp_path / "not-begun.warc.gz"))


def test_an_archive_that_takes_no_more_fails_the_page(path):
    archive.begin(path, resume=False)
    source = Recording(Large(), path, {}, tell)
    source._archive.close()
    with pytest.raises(DownloadError, match=r"x.warc.gz: can't be recorded to"):
        fetch(source, "http://example.org/")
    source.close()


@pytest.mark.parametrize(
    "content",
    [b"", b"hello\nworld\n", gzip.compress(b"hello"), b"\x1f\x8b\x08"],
    ids=["empty", "text", "gzip of text", "cut off"],
)
def test_what_is_no_archive_is_a_config_error(path, content):
    Path(path).write_bytes(content)
    with pytest.raises(ArchiveError, match=r"x.warc.gz: can't be replayed: "):
        Replaying(path)


def test_a_missing_archive_is_a_config_error(path):
    with pytest.raises(ArchiveError, match=r"x.warc.gz: can't be replayed: No such file"):
        Replaying(path)


@pytest.mark.parametrize("packed", [True, False])
def test_archives_of_others_are_replayed(path, packed):
    """The request may come first or be missing, the body chunked and encoded, and there may be records of other kinds."""
    body = gzip.compress(b"theirs")
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    with open(path, "wb") as file:
        writer = WARCWriter(file, gzip=packed)
        writer.write_record(writer.create_warcinfo_record("x", {"software": "theirs"}))
        writer.write_record(writer.create_warc_record("dns:example.org", "response", BytesIO(b"x"), 1, "text/dns"))
        writer.write_record(
            writer.create_warc_record("http://[bad", "response", BytesIO(b"HTTP/1.0 200 OK\r\n\r\nx"), 20)
        )
        writer.write_record(writer.create_warc_record("http://example.org/", "metadata", BytesIO(b"a: b"), 4))
        line = StatusAndHeaders("POST /form HTTP/1.1", [("Host", "example.org")], is_http_request=True)
        request = writer.create_warc_record("http://example.org/form", "request", BytesIO(b"a"), 1, http_headers=line)
        writer.write_record(request)
        head = StatusAndHeaders("200 Fine", [("Content-Type", "text/plain")], protocol="HTTP/1.1")
        partner = {"WARC-Concurrent-To": request.rec_headers["WARC-Record-ID"]}
        writer.write_record(
            writer.create_warc_record(
                "http://example.org/form",
                "response",
                BytesIO(b"posted"),
                6,
                http_headers=head,
                warc_headers_dict=partner,
            )
        )
        head = StatusAndHeaders(
            "200 OK", [("Transfer-Encoding", "chunked"), ("Content-Encoding", "gzip")], protocol="HTTP/1.1"
        )
        writer.write_record(
            writer.create_warc_record("http://EXAMPLE.org:80", "response", BytesIO(chunked), len(chunked), http_headers=head)
        )  # fmt: skip
    replay = Replaying(path)
    assert fetch(replay, "http://example.org/form", method="POST", body=b"a").body == b"posted"
    assert fetch(replay, "http://example.org/").body == b"theirs"


PAGE = b"<title>theirs</title>" * 20


def theirs(path, body=PAGE, status="200 OK", **headers):
    """An archive of another program, with one answer; its record."""
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    with open(path, "wb") as file:
        writer = WARCWriter(file, gzip=False)
        head = StatusAndHeaders(status, fields, protocol="HTTP/1.1")
        record = writer.create_warc_record("http://a.test/", "response", BytesIO(body), len(body), http_headers=head)
        writer.write_record(record)
    return record


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("br", brotli.compress),
        ("zstd", zstd.compress),
        ("x-gzip", gzip.compress),
        ("gzip, br", lambda body: brotli.compress(gzip.compress(body))),
        ("gzip", lambda body: body),
    ],
    ids=["br", "zstd", "x-gzip", "two", "decoded before it was recorded"],
)
def test_what_others_recorded_is_decoded_whatever_its_coding(path, coding, encode):
    theirs(path, encode(PAGE), Content_Encoding=coding)
    reply = fetch(Replaying(path), "http://a.test/")
    assert (reply.body, reply.flags) == (PAGE, ("replayed",))


def test_a_coding_that_nobody_knows_stays_and_is_flagged(path):
    theirs(path, b"???", Content_Encoding="sdch")
    reply = fetch(Replaying(path), "http://a.test/")
    assert (reply.body, reply.flags) == (b"???", ("unknown_encoding", "replayed"))


@pytest.mark.parametrize(
    ("cut", "headers", "error"),
    [
        (30, {}, "the archive breaks off within this body"),
        (30, {"Transfer_Encoding": "chunked"}, "the archive breaks off within this body"),
        (0, {"Content_Encoding": "gzip", "body": gzip.compress(PAGE)[:-9]}, "the body breaks off within its gzip"),
        (0, {"status": "OK"}, "the recorded answer has no HTTP status"),
    ],
    ids=["cut", "chunked", "gzip", "status"],
)
def test_an_answer_that_is_damaged_is_an_error_and_no_page(path, cut, headers, error):
    theirs(path, **headers)
    os.truncate(path, os.path.getsize(path) - cut)
    with pytest.raises(DownloadError, match=error):
        fetch(Replaying(path), "http://a.test/")


def test_an_answer_without_a_length_is_not_all_the_rest_of_the_archive(path):
    length = theirs(path).rec_headers["Content-Length"]
    data = Path(path).read_bytes()
    Path(path).write_bytes(data.replace(f"Content-Length: {length}\r\n".encode(), b"", 1) + data)
    with pytest.raises(ProtocolError, match="the record has no length"):
        fetch(Replaying(path), "http://a.test/")


def test_what_was_recorded_once_for_several_is_found_for_each(path):
    """Revisit records, as archivers write them for a body that they have already, or for a 304."""
    first = theirs(path, gzip.compress(PAGE), Content_Encoding="gzip", X="first")
    digest, date = first.rec_headers["WARC-Payload-Digest"], first.rec_headers["WARC-Date"]
    with open(path, "ab") as file:
        writer = WARCWriter(file, gzip=False)
        for name, status, known in (
            ("b", "301 Moved", digest),
            ("c", "304 Not Modified", digest),
            ("d", "200", "sha1:X"),
        ):
            head = StatusAndHeaders(status, [("X", name)], protocol="HTTP/1.1")
            arguments = (f"http://a.test/{name}", known, "http://a.test/", date)
            writer.write_record(writer.create_revisit_record(*arguments, http_headers=head))
    replay = Replaying(path)
    answers = [fetch(replay, f"http://a.test/{name}") for name in ("", "b", "c")]
    assert [(reply.status, reply.headers["x"], reply.body) for reply in answers] == [
        (200, "first", PAGE), (301, "b", PAGE), (200, "first", PAGE)]  # fmt: skip
    with pytest.raises(NotRecorded):
        fetch(replay, "http://a.test/d")
    data = Path(path).read_bytes()
    Path(path).write_bytes(data.replace(f"WARC-Payload-Digest: {digest}\r\n".encode(), b"", 1))
    with pytest.raises(NotRecorded):  # what it repeats is not known to be the answer that has no digest
        fetch(Replaying(path), "http://a.test/d")


@pytest.mark.parametrize("packed", [True, False])
def test_an_archive_that_breaks_off_anywhere_is_read_up_to_there(path, packed, caplog):
    with open(path, "wb") as file:
        writer = WARCWriter(file, gzip=packed)
        for name in ("a", "b"):
            head = StatusAndHeaders("200 OK", [("Content-Type", "text/plain")], protocol="HTTP/1.1")
            content = (BytesIO(PAGE), len(PAGE))
            record = writer.create_warc_record(f"http://a.test/{name}", "response", *content, http_headers=head)
            begin = file.tell()
            writer.write_record(record)
    data = Path(path).read_bytes()
    for end in range(begin, len(data), 7):
        Path(path).write_bytes(data[:end])
        replay = Replaying(path)
        assert fetch(replay, "http://a.test/a").body == PAGE
        try:
            body = fetch(replay, "http://a.test/b").body
        except (NotRecorded, ProtocolError, TruncatedBody):
            continue
        assert body == PAGE
    Path(path).write_bytes(data[:begin] + (gzip.compress(b"no record") if packed else b"no record\r\n"))
    assert fetch(Replaying(path), "http://a.test/a").body == PAGE
    assert f"{path}: damaged, or cut off, behind byte {begin}: it is read up to there" in caplog.text


def test_an_archive_that_is_compressed_as_a_whole_says_what_mends_it(path):
    theirs(path)
    Path(path).write_bytes(gzip.compress(Path(path).read_bytes() * 2))
    with pytest.raises(ArchiveError, match="it is compressed as a whole: warcio recompress mends that"):
        Replaying(path)


def test_a_recorded_failure_that_nobody_knows_is_a_download_error(path):
    with open(path, "wb") as file:
        writer = WARCWriter(file)
        said = b"scrapekit-failure: SkippedBeat so%20it%20is\r\n"
        writer.write_record(writer.create_warc_record("http://example.org/", "metadata", BytesIO(said), len(said)))
    with pytest.raises(DownloadError, match="so it is"):
        fetch(Replaying(path), "http://example.org/")
