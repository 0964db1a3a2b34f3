"""A body in a file: there for whoever has it, gone after that."""

import gc
import os
import resource
import sys

import pytest

from scrapekit.errors import DownloadError
from scrapekit.messages import Request, Response, Spool

BODY = bytes(range(256)) * 40


@pytest.fixture
def spool():
    made = Spool()
    made.write(BODY[:5000])
    made.write(BODY[5000:])
    yield made
    made.close()


@pytest.fixture(params=["memory", "file"])
def response(request, spool):
    body = BODY if request.param == "memory" else spool
    return Response("https://example.org/", body=body, request=Request("https://example.org/"), parse=lambda r: r.body)


def open_files():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_it_has_what_was_written(spool):
    assert len(spool) == len(BODY)
    assert spool.head(300) == BODY[:300]
    assert spool.head(10**6) == BODY


def test_readers_do_not_disturb_each_other(spool):
    pairs = list(zip(spool.pieces(1000), spool.pieces(1000), strict=True))
    assert [a for a, _ in pairs] == [b for _, b in pairs]
    assert b"".join(a for a, _ in pairs) == BODY


def test_it_leaves_no_file_behind(tmp_path):
    spool = Spool(str(tmp_path))
    spool.write(b"x")
    assert list(tmp_path.iterdir()) == []  # it has no name even now
    spool.close()
    spool.close()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_forgotten_one_is_closed():
    before = open_files()
    spool = Spool()
    assert open_files() == before + 1
    del spool
    assert open_files() == before


def test_a_folder_that_is_not_there_is_a_download_error(tmp_path):
    with pytest.raises(DownloadError, match=r"can't be kept in .*nowhere \(http.spool_dir\): No such file"):
        Spool(str(tmp_path / "nowhere"))


def test_a_full_disk_is_a_download_error():
    spool = Spool()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))  # as a disk with so much room
    try:
        with pytest.raises(DownloadError, match="can't be kept in .*File too large"):
            spool.write(BODY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        spool.close()


def test_a_response_reads_the_same_from_memory_and_file(response):
    assert response.body == response.body == response.doc == BODY
    assert response.size == len(BODY)
    assert repr(response) == f"<Response 200 https://example.org/ {len(BODY)} bytes>"
    assert b"".join(response.iter_bytes()) == BODY
    assert [len(piece) for piece in response.iter_bytes(6000)] == [6000, len(BODY) - 6000]
    with pytest.raises(ValueError, match="chunk must be a positive number"):
        response.iter_bytes(0)


def test_a_response_is_saved_whole(response, tmp_path):
    path = tmp_path / "new" / "folder" / "file.bin"
    assert response.save(path) == path
    assert path.read_bytes() == BODY
    assert response.save(str(path)) == path  # and again, over it
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()
    assert list(path.parent.iterdir()) == [path]


def umask():
    now = os.umask(0)
    os.umask(now)
    return now


def test_what_cannot_be_saved_leaves_nothing_behind(response, tmp_path):
    with pytest.raises(IsADirectoryError):
        response.save(tmp_path)
    assert [path for path in tmp_path.parent.iterdir() if path.name.startswith(".scrapekit")] == []
    old = tmp_path / "old"
    old.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            response.save(old)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]
