"""What a reader sees of a page: its text, a block of it a line. Pure; for the thread that parsed the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrapekit.messages import Response

_HIDDEN = {"head", "script", "style", "noscript", "template", "svg", "textarea", "select"}
_CELLS = {"td", "th"}
_INLINE = {"a", "abbr", "b", "bdi", "bdo", "button", "cite", "code", "data", "dfn", "em", "font", "i", "img",
           "input", "kbd", "label", "mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup",
           "time", "tt", "u", "var", "wbr"}  # fmt: skip


def readable(response: Response) -> str:
    """The text of an HTML or XML page without what a browser hides; of any other response, its text.

    Raises:
        ParseError: The body is not what its media type says.
    """
    root: Any = getattr(response.doc, "root", None)
    if root is None or isinstance(root, str):  # the document of a page without any element is a text
        return response.text
    lines = [" ".join(line.split()) for line in "".join(_pieces(root)).split("\n")]
    return "\n".join(line for line in lines if line)


def _pieces(root: Any) -> list[str]:
    from lxml import etree

    pieces: list[str] = []
    hidden = 0
    for event, element in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        if event in {"comment", "pi"}:
            if not hidden:
                pieces.append(_spaced(element.tail))
            continue
        gap = "" if element.tag in _INLINE else " " if element.tag in _CELLS else "\n"
        if event == "start":
            hidden += element.tag in _HIDDEN
            pieces += [] if hidden else [gap, _spaced(element.text)]
        else:
            hidden -= element.tag in _HIDDEN
            tail = "" if element is root else _spaced(element.tail)
            pieces += [] if hidden else [gap, tail]
    return pieces


def _spaced(text: str | None) -> str:
    """Line ends of the source are blanks to a reader."""
    return (text or "").replace("\n", " ").replace("\r", " ")
