"""Files of hundreds of megabytes: saved whole, in flat memory, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from harness import Shell

import scrapekit
from scrapekit import Failed, Request

MIB = 2**20
MEMORY = 120 * MIB

SPIDER = '''
from pathlib import Path
from scrapekit import Request, Spider

class Files(Spider):
    """Saves each file, and says how much memory its process had at most."""

    allowed_domains = ["*"]
    settings = {"http": {"max_body": "1GiB", "max_ratio": 2000, "spool_dir": "spool"}, "retry": {"times": 0}}
    paths = ""

    def start(self):
        for path in self.paths.split(","):
            yield Request(self.url + path, errback=self.failed)

    def parse(self, response):
        path = response.save("files" + response.url[len(self.url):])
        [peak] = [line.split()[1] for line in Path("/proc/self/status").open() if line.startswith("VmHWM")]
        yield {"url": response.url, "path": str(path), "size": response.size, "memory": int(peak) * 1024}

    def failed(self, error):
        body = error.response.body if hasattr(error, "response") else b""
        yield {"url": error.request.url, "error": type(error).__name__, "body": len(body)}
'''


def blocks(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield hashlib.sha256(number.to_bytes(4)).digest() * (MIB // 32)


def digest(count: int) -> str:
    total = hashlib.sha256()
    for block in blocks(count):
        total.update(block)
    return total.hexdigest()


class Files(BaseHTTPRequestHandler):
    """``/KIND/N``: N MiB, announced, chunked, compressed, cut off or with a status of 500."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        _, kind, number = self.path.split("/")
        count = int(number)
        self.send_response(500 if kind == "broken" else 200)
        self.send_header("Content-Type", "application/octet-stream")
        if kind == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for block in blocks(count):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))
            self.wfile.write(b"0\r\n\r\n")
            return
        if kind == "gzip":
            self.send_header("Content-Encoding", "gzip")
        else:
            self.send_header("Content-Length", str(count * MIB + (kind == "cut")))
        self.send_header("Connection", "close")
        self.end_headers()
        for block in blocks(count):
            self.wfile.write(gzip.compress(block, 1) if kind == "gzip" else block)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def files() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def crawled(shell: Shell, url: str, *paths: str, fleet: str) -> dict[str, dict]:
    (shell.folder / "files.py").write_text(SPIDER)
    (shell.folder / "spool").mkdir(exist_ok=True)
    arguments = ["-a", f"url={url}", "-a", f"paths={','.join(paths)}", "-O", "out.jsonl", "-s", f"fleet={fleet}"]
    shell.run("crawl", "files.py", *arguments, "-s", "robots.obey=false", "-s", "workers=4")
    assert list((shell.folder / "spool").iterdir()) == []
    items = map(json.loads, (shell.folder / "out.jsonl").read_text().splitlines())
    return {item["url"].removeprefix(url): item for item in items}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
@pytest.mark.parametrize("fleet", ["threads", "processes:2"])
def test_large_files_are_saved_whole_and_memory_stays_flat(shell: Shell, files: str, fleet: str) -> None:
    size = 300 if fleet == "threads" else 60
    paths = [f"/plain/{size}", "/chunked/50", "/gzip/50", "/plain/1"]
    items = crawled(shell, files, *paths, "/cut/20", "/broken/20", fleet=fleet)
    for path in paths:
        item, count = items[path], int(path.rpartition("/")[2])
        assert item["size"] == count * MIB
        assert item["memory"] < MEMORY
        with (shell.folder / item["path"]).open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == digest(count)
    assert (items["/cut/20"]["error"], items["/cut/20"]["body"]) == ("TruncatedBody", 0)
    assert (items["/broken/20"]["error"], items["/broken/20"]["body"]) == ("StatusError", MIB)
    left = [str(path.relative_to(shell.folder / "files")) for path in (shell.folder / "files").rglob("*.*")]
    assert left == []  # no part, no half
    assert not (shell.folder / "files" / "cut").exists()


def test_fetch_hands_the_file_over(files: str, tmp_path: Path) -> None:
    settings = {"robots": {"obey": False}, "retry": {"times": 0}, "http": {"max_body": "20MiB"}}
    urls = [f"{files}/plain/12", Request(f"{files}/broken/12"), f"{files}/plain/40"]
    results = {result.url.removeprefix(files): result for result in scrapekit.fetch(urls, settings=settings)}
    page = results["/plain/12"]
    assert page.size == 12 * MIB
    assert hashlib.sha256(page.save(tmp_path / "file").read_bytes()).hexdigest() == digest(12)
    assert hashlib.sha256(page.body).hexdigest() == digest(12)
    for path, error in (("/broken/12", "StatusError"), ("/plain/40", "BodyTooLarge")):
        failed = results[path]
        assert isinstance(failed, Failed)
        assert failed.error == error
