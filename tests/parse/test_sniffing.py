from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.parse.sniffing import sniff

HTML, XML, JSON, TEXT, BYTES = (
    "text/html", "application/xml", "application/json", "text/plain", "application/octet-stream",
)  # fmt: skip


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"<!DOCTYPE html>", HTML),
        (b"\xef\xbb\xbf\r\n <!doctype HTML >", HTML),
        (b"<html lang=en>", HTML),
        (b"<p>x", HTML),
        (b"<!-- x -->", HTML),
        (b"<?xml version='1.0'?><rss>", XML),
        (b"<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC", HTML),
        (b"<?xml version='1.0'?>\n<html xmlns='x'>", HTML),
        (b"<paragraph>", TEXT),
        (b'{"a": 1}', JSON),
        (b" {}", JSON),
        (b'[\n {"a"', JSON),
        (b"[]", JSON),
        (b"[2026-01-01] started", TEXT),
        (b"{{ template }}", TEXT),
        (b"hello <html>", TEXT),
        (b"", TEXT),
        ("é".encode("cp1252"), TEXT),
        ("<html>".encode("utf-16"), TEXT),
        (b"\x89PNG\r\n\x1a\n\0", BYTES),
        (b"x" * 2000 + b"\0", TEXT),
    ],
)
def test_the_first_bytes_tell_the_media_type(body, media_type):
    assert sniff(body) == media_type


@given(st.binary())
def test_every_body_has_one(body):
    assert sniff(body) in {HTML, XML, JSON, TEXT, BYTES}
