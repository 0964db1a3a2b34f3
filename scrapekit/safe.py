"""Text of others, made safe to show: it does nothing on a terminal, and tells no passwords. Pure; any thread."""

from __future__ import annotations

import logging
import re

_LONGEST = 300
_USERINFO = re.compile(r"(://)[^/?#\s]*@")  # RFC 3986, 3.2.1; it may be a token alone
_QUERY = re.compile(r"([?&](?:ssl_?)?pass(?:word|wd)?=)[^&#\s]+", re.IGNORECASE)
_CREDENTIALS = re.compile(
    r"""(\b(?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:(?:basic|bearer|digest|token)\s+)?)[^\s"',;&]+"""
    r"""|(\b(?:basic|bearer)\s+)(?=\S{20}|\S{0,40}[0-9=_~+/])[^\s"',;&]{6,}""",
    re.IGNORECASE,
)
# What moves the cursor, changes colours, titles or the direction of text, or can't be encoded: the controls C0, DEL and
# C1, line and paragraph separators, marks of direction (Unicode TR 36), lone surrogates, the byte order mark.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


def safe(text: str) -> str:
    r"""One line that shows ``text`` and does nothing else: controls as ``\x1b``, :func:`masked`, and cut off.

    Line ends and runs of blanks become one blank.
    """
    shown = safe_lines(" ".join(text.split()))
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def safe_lines(text: str) -> str:
    """The same for text of several lines, such as a traceback, which keeps its lines, its indents and its length."""
    return _UNSAFE.sub(_escaped, masked(text))


def masked(text: str) -> str:
    """``text`` with ``***`` for user and password of URLs, and for the values of Authorization headers.

    In queries, what is called a password is one.
    """
    if "@" in text:
        text = _USERINFO.sub(r"\1***@", text)
    text = _QUERY.sub(r"\1***", text)
    return _CREDENTIALS.sub(lambda found: f"{found[1] or found[2]}***", text)


def without_userinfo(url: str) -> str:
    """``url`` without user and password."""
    return _USERINFO.sub(r"\1", url)


class SafeFormatter(logging.Formatter):
    """Formats log records with their tracebacks, and makes them safe: the spider logs what the web says."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as lines that are safe to show."""
        return safe_lines(super().format(record))


LOG_FORMAT = SafeFormatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")
"""How the command line and the worker processes log."""


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    return char if char in "\n\t" else ascii(char)[1:-1]
