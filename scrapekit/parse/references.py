"""References such as ``&amp;`` in XML that is not well-formed. Pure; any thread.

From the first error on, libxml2 drops the references that are right: ``?a=1&amp;b=2`` becomes another URL.
Those by number it keeps.
"""

from __future__ import annotations

import re
from html.entities import html5


def mended(data: bytes) -> bytes:
    """``data`` with its references by number, but for CDATA and comments, so that none is lost whatever else is wrong.

    A ``&`` that begins none is one itself, HTML's names are what they are there, half a character is U+FFFD; other
    names stay. Linear.

    Args:
        data: XML, or as much of it as ends outside of a reference and a section, in an encoding that has ASCII in it.
    """
    return _REFERENCES(_numeric, without_halves(data))


def without_halves(data: bytes) -> bytes:
    """``data`` with U+FFFD for references to half a character, as some feeds write emoji. Linear.

    In sections too: what is wrong in one makes libxml2 read the rest of it as text.
    """
    return _HALVES(b"&#xFFFD;", data)


_HALVES = re.compile(
    rb"&#(?:0*(?:5529[6-9]|55[3-9]\d\d|56\d{3}|57[0-2]\d\d|573[0-3]\d|5734[0-3])|[xX]0*[dD][89A-Fa-f][0-9A-Fa-f]{2});"
).sub
_REFERENCES = re.compile(
    rb"<!(?:\[CDATA\[.*?(?:\]\]>|\Z)|--.*?(?:-->|\Z))|&(?:#(?:[0-9]{1,9}|[xX][0-9A-Fa-f]{1,9});|([\w:.-]++);)?",
    re.DOTALL,
).sub


def _numeric(found: re.Match[bytes]) -> bytes:
    name = found[1]
    if name is not None:
        known = html5.get(f"{name.decode()};")
        return found[0] if known is None else "".join(f"&#{ord(each)};" for each in known).encode()
    return b"&#38;" if found[0] == b"&" else found[0]
