"""What the entries of a form are on the wire: the three encodings of the HTML Standard (§4.10.22.5 to §4.10.22.8)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from urllib.parse import quote_plus

from scrapekit.forms.controls import Entry, File
from scrapekit.web.encodings import codec

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
PLAIN = "text/plain"
_LINE_END = re.compile(r"\r\n|\r|\n")


def charset_of(accepted: str | None, page: str) -> str:
    """The charset of a submission: the first of ``accept-charset`` that is known, else the page's; never UTF-16."""
    labels = accepted.split() if accepted else []
    charset = next((found for label in labels if (found := codec(label))), page)
    return "utf-8" if charset.startswith(("utf-16", "utf-32")) else charset


def label_of(charset: str) -> str:
    """The name that browsers give a codec, for fields called ``_charset_``."""
    return charset.upper() if charset == "utf-8" else re.sub(r"^cp(?=125\d$)", "windows-", charset)


def encode(entries: Sequence[Entry], enctype: str, charset: str) -> tuple[bytes, str]:
    """The body, and its Content-Type. Characters that the charset lacks become references, as in browsers.

    The same entries always make the same body, so that the dupe filter knows them again: the boundary of a multipart
    body is a digest of what stands between.
    """
    lines = [(_crlf(name), value if isinstance(value, File) else _crlf(value)) for name, value in entries]
    if enctype == MULTIPART:
        return _multipart(lines, charset)
    pairs = [(name, value.name if isinstance(value, File) else value) for name, value in lines]
    if enctype == PLAIN:
        return _bytes("".join(f"{name}={value}\r\n" for name, value in pairs), charset), PLAIN
    text = "&".join(f"{_quoted(name, charset)}={_quoted(value, charset)}" for name, value in pairs)
    return text.encode("ascii"), URLENCODED


def _multipart(entries: Sequence[Entry], charset: str) -> tuple[bytes, str]:
    """RFC 7578, with names escaped as the standard says. urllib3's encoder has UTF-8 only, and random boundaries."""
    parts = []
    for name, value in entries:
        head = f'Content-Disposition: form-data; name="{_escaped(name)}"'
        if isinstance(value, File):
            media_type = _LINE_END.sub("", value.media_type)
            head += f'; filename="{_escaped(value.name)}"\r\nContent-Type: {media_type}'
        content = value.content if isinstance(value, File) else _bytes(value, charset)
        parts.append(_bytes(f"{head}\r\n\r\n", charset) + content + b"\r\n")
    boundary = b"----scrapekit" + blake2b(b"\0".join(parts), digest_size=16).hexdigest().encode()
    body = b"".join(b"--%b\r\n%b" % (boundary, part) for part in parts) + b"--%b--\r\n" % boundary
    return body, f"{MULTIPART}; boundary={boundary.decode()}"


def _crlf(text: str) -> str:
    return _LINE_END.sub("\r\n", text)


def _bytes(text: str, charset: str) -> bytes:
    return text.encode("utf-8", "replace") if charset == "utf-8" else text.encode(charset, "xmlcharrefreplace")


def _quoted(text: str, charset: str) -> str:
    return quote_plus(_bytes(text, charset), safe="*-._").replace("~", "%7E")


def _escaped(name: str) -> str:
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
