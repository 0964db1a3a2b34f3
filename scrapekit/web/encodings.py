"""From bytes to text, as the WHATWG Encoding Standard and its HTML Standard have it. Pure; any thread."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from w3lib.encoding import html_body_declared_encoding, resolve_encoding, to_unicode

from scrapekit.web.headers import content_type


def detect(body: bytes, content_type_header: str | None = None) -> str:
    """The Python codec of ``body``: by its BOM, its header, its meta tag or XML declaration, else by looking.

    Labels that no browser knows are skipped; only markup, or what names no media type, can declare one in the body.
    What is declared nowhere is UTF-8 if it decodes, else cp1252.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return name
    declared, markup = _of_header(content_type_header) if content_type_header else (None, True)
    if declared:
        return declared
    if markup:
        for mark, name in _DECLARATIONS:
            if body.startswith(mark):
                return name
        if (label := html_body_declared_encoding(body)) and (found := codec(label)):
            return "utf-8" if found.startswith("utf-16") else found  # it was read as ASCII, so it is not UTF-16
    try:
        body.decode()
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def decode(body: bytes, encoding: str) -> str:
    """``body`` as text, without a BOM; what can't be decoded is U+FFFD.

    Args:
        body: Any bytes.
        encoding: What :func:`detect` or :func:`codec` returned. Another one raises LookupError if it is no codec.
    """
    text = to_unicode(body, encoding)
    return text.removeprefix("\ufeff")


@lru_cache(256)
def codec(label: str) -> str | None:
    """The Python codec that a browser would use for a charset label, None for a label that none knows."""
    label = label.strip().lower()
    found = resolve_encoding(_LABELS.get(label) or _ISO(r"iso-8859-\1", label).removeprefix("x-"))
    if found == "utf-16":
        return "utf-16-le"
    return found if found in _CODECS else None


@lru_cache(256)
def _of_header(header: str) -> tuple[str | None, bool]:
    """The codec that a Content-Type names, and whether its media type may name one in the body."""
    media_type, charset = content_type(header)
    markup = not media_type or media_type.endswith(("html", "xml"))
    return (codec(charset) if charset else None), markup


# There is no UTF-32 on the web: FF FE 00 00 is UTF-16 that begins with a NUL.
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DECLARATIONS = tuple(("<?x".encode(name), name) for name in ("utf-16-le", "utf-16-be"))  # HTML Standard §13.2.3.2
_ISO = re.compile(r"iso-?8859-?(\d+)(?:-[ei])?").sub
# The labels of the standard that neither Python nor w3lib knows.
_LABELS = {
    label: name
    for name, labels in {
        "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8",
        "utf-16-le": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff",
        "utf-16-be": "unicodefffe",
        "iso-8859-6": "csiso88596e csiso88596i",
        "iso-8859-7": "sun_eu_greek",
        "iso-8859-8": "csiso88598e csiso88598i logical visual",
        "iso-8859-15": "csisolatin9",
        "cp874": "dos-874",
        "koi8-r": "koi koi8",
        "koi8-u": "koi8-ru",
        "mac-roman": "csmacintosh mac",
        "mac-cyrillic": "x-mac-ukrainian",
        "gb18030": "csgb2312 gb_2312",
        "big5hkscs": "cn-big5 x-x-big5",
        "euc_jp": "cseucpkdfmtjapanese",
        "cp949": "cseuckr csksc56011987 iso-ir-149 ks_c_5601-1989 ksc_5601 windows-949",
    }.items()
    for label in labels.split()
}
# The encodings of the standard, as Python names them. All others that Python has, such as rot13, idna or
# unicode_escape, are no encodings of the web.
_CODECS = frozenset(
    {f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)}
    | {f"cp125{page}" for page in range(9)}
    | {"utf-8", "utf-16-le", "utf-16-be", "cp866", "cp874", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic"}
    | {"gb18030", "big5hkscs", "euc_jp", "iso2022_jp", "cp932", "cp949"}
)
