"""Files that items name: what is kept, where, and what the manifest says, also after a kill."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

import scrapekit
from scrapekit import Request, Spider
from scrapekit.pipelines import FilesPipeline, ImagesPipeline, read_manifest
from scrapekit.testing import Reply, response, serve

PNG = b"\x89PNG\r\n\x1a\n" + b"." * 50
NO_WAIT = {"retry": {"backoff": {"initial": 0.01}}}


def site(request):
    if request.path == "/":
        return Reply(b"page")
    if request.path.startswith("/picture"):
        return Reply(PNG + request.path.encode(), headers=(("Content-Type", "image/jpeg"),))
    if request.path == "/moved":
        return Reply(b"", 302, (("Location", "/same.txt"),))
    if request.path.lower() in {"/same.txt", "/also.txt", "/..%2f..%2fevil.sh", "/.%2e/etc/passwd"}:
        disposition = ("Content-Disposition", 'attachment; filename="../../evil.sh"')
        return Reply(b"the same", headers=(("Content-Type", "text/plain"), disposition))
    return Reply(b"", 404)


class WithFiles(Spider):
    url = ""
    folder = "files"
    urls = ()

    @property
    def pipelines(self):
        return [
            FilesPipeline(self.folder, types=["text/*", "image/*"], max_size=500),
            ImagesPipeline(self.folder + "-i"),
        ]

    def start(self):
        yield Request(f"{self.url}/")

    def parse(self, response):
        yield {"file_urls": list(self.urls), "image_urls": ["picture.jpg", "same.txt"]}
        yield response.follow("/same.txt", self.other)

    def other(self, response):
        pass


def records(folder):
    return {record.url.partition("/")[2].partition("/")[2].partition("/")[2] or record.url: record
            for record in read_manifest(folder)}  # fmt: skip


def kept(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("fleet", ["threads", "processes:1"])
def test_files_are_kept_by_content_and_the_manifest_says_what_came_of_each_url(tmp_path, fleet):
    urls = [
        "/same.txt",
        "also.txt",
        "/moved",
        "picture1",
        "/gone",
        "mailto:a@b.c",
        "/..%2f..%2fevil.sh",
        "/.%2e/etc/passwd",
    ]
    folder = tmp_path / "deep" / "files"
    with serve(site) as server:
        items = list(scrapekit.crawl(WithFiles, url=server.url, folder=str(folder), urls=urls,
                                     settings=NO_WAIT | {"fleet": {"kind": fleet}}))  # fmt: skip
    assert items == [{"file_urls": urls, "image_urls": ["picture.jpg", "same.txt"]}]
    digest = hashlib.sha256(b"the same").hexdigest()
    picture = hashlib.sha256(PNG + b"/picture1").hexdigest()
    found = records(folder)
    assert {url: record.status for url, record in found.items()} == {
        "same.txt": "saved", "also.txt": "saved", "moved": "saved", "picture1": "saved", "gone": "failed",
        "mailto:a@b.c": "failed", "..%2f..%2fevil.sh": "saved", "etc/passwd": "failed",
    }  # fmt: skip
    same = found["moved"]
    assert (same.path, same.sha256, same.size, same.media_type) == (
        f"{digest[:2]}/{digest}.txt",
        digest,
        8,
        "text/plain",
    )
    assert found["gone"].error == "StatusError: status 404"
    assert kept(folder) == sorted([f"{digest[:2]}/{digest}.txt", f"{picture[:2]}/{picture}.jpg", "manifest.sqlite"])
    assert (folder / same.path).read_bytes() == b"the same"
    images = records(Path(f"{folder}-i"))
    assert {url: (record.status, record.media_type) for url, record in images.items()} == {
        "picture.jpg": ("saved", "image/png"), "same.txt": ("refused", "text/plain"),
    }  # fmt: skip
    assert kept(tmp_path) == sorted(
        [f"deep/files/{name}" for name in kept(folder)] + [f"deep/files-i/{name}" for name in kept(Path(f"{folder}-i"))]
    )


@pytest.mark.parametrize(
    ("options", "body", "error"),
    [
        ({"types": ["image/*"]}, b"x", "text/html is none of image/*"),
        ({"min_size": 10}, b"x", "1 bytes are fewer than min_size (10)"),
        ({"max_size": 10}, b"x" * 11, "11 bytes are more than max_size (10)"),
    ],
)
def test_what_a_filter_refuses_is_written_down_and_not_kept(tmp_path, options, body, error):
    pipeline = FilesPipeline(tmp_path, **options)
    pipeline.save(response("https://a.test/x", body, meta={"file_url": "https://a.test/x"}))
    [record] = read_manifest(tmp_path)
    assert (record.status, record.error, record.path) == ("refused", error, None)
    assert kept(tmp_path) == ["manifest.sqlite"]


@pytest.mark.parametrize(
    ("head", "declared", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "text/html", "image/jpeg"),
        (b"GIF89a", "image/png", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "", "image/webp"),
        (b"<svg/>", "image/svg+xml", "image/svg+xml"),
        (b"<html>", "image/png", None),
        (b"", "image/png", None),
    ],
)
def test_what_an_image_is_its_first_bytes_say(tmp_path, head, declared, media_type):
    headers = {"Content-Type": declared} if declared else {}
    ImagesPipeline(tmp_path).save(response("https://a.test/x", head, headers=headers, meta={"file_url": "x"}))
    [record] = read_manifest(tmp_path)
    assert (record.status, record.media_type) == ("saved", media_type) if media_type else record.status == "refused"


def test_nothing_is_written_through_a_link_that_leads_out_of_the_folder(tmp_path):
    folder, outside = tmp_path / "files", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / hashlib.sha256(b"x").hexdigest()[:2]).symlink_to(outside)
    with pytest.raises(OSError, match="files are never written elsewhere"):
        FilesPipeline(folder).save(response(body=b"x", meta={"file_url": "x"}))
    assert kept(outside) == []


def test_items_of_other_types_and_fields(tmp_path):
    @dataclass
    class Book:
        cover: str

    pipeline = FilesPipeline(tmp_path, field="cover", name="covers", priority=3)
    [request] = pipeline.requests(Book("a.png"), "https://a.test/b/")
    assert (request.url, request.callback, request.errback, request.priority) == (
        "https://a.test/b/a.png", "covers.save", "covers.fail", 3,
    )  # fmt: skip
    assert list(pipeline.requests({"other": 1}, "https://a.test/")) == []
    assert list(read_manifest(tmp_path / "nothing")) == []


def test_whatever_stands_in_the_field_costs_no_item(tmp_path):
    pipeline = FilesPipeline(tmp_path)
    odd = [5, {"a": "b"}, None, "http://a\udcff.test/", "javascript:x", ["/a"], "", "x" * 9000]
    for found in (odd, 5, {"a": "/b"}, None, ()):
        assert [request.url for request in pipeline.requests({"file_urls": found}, "https://a.test/b/")] in (
            [], ["https://a.test/b/"],
        )  # fmt: skip
    said = {record.url: record.error for record in read_manifest(tmp_path)}
    assert {*said.values()} == {"it is no URL that can be fetched"}
    assert {"5", "{'a': 'b'}", "http://a\ufffd.test/", "javascript:x"} < said.keys()


class Killed(Spider):
    url = ""
    pipelines = [FilesPipeline("files")]

    def start(self):
        yield Request(f"{self.url}/list")

    def parse(self, response):
        for number in range(40):
            yield {"n": number, "file_urls": [f"/file/{number}"]}


def test_a_kill_in_the_middle_of_files_loses_and_doubles_none(tmp_path):
    halfway, go_on = threading.Event(), threading.Event()

    def app(request):
        if request.path == "/file/20" and not go_on.is_set():
            halfway.set()
            while not (go_on.wait(0.05) or request.closing.is_set()):
                pass
        return Reply(request.path.encode(), 404 if request.path == "/robots.txt" else 200)

    words = [sys.executable, "-m", "scrapekit", "crawl", f"{__file__}:Killed"]
    with serve(app) as server:
        limits = ["-s", "workers=2", "-s", "throttle.maxsize=2"]
        first = subprocess.Popen(
            [*words, "-o", "out.jsonl", "-a", f"url={server.url}", *limits], cwd=tmp_path, stderr=subprocess.DEVNULL
        )
        try:
            assert halfway.wait(60)
        finally:
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            go_on.set()
        done = subprocess.run([*words, "--resume"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 40
    found = list(read_manifest(tmp_path / "files"))
    assert len(found) == 40
    for record in found:
        content = (tmp_path / "files" / record.path).read_bytes()
        assert (record.status, hashlib.sha256(content).hexdigest()) == ("saved", record.sha256)
        assert record.url.endswith(content.decode())
    assert len(kept(tmp_path / "files")) == 41
