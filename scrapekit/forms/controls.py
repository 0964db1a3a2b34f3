"""The controls of a form, and the entries that they submit (HTML Standard §4.10.22.4). Pure; the page's thread only."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lxml.etree import _Element

from scrapekit.errors import RequestInvalid

BUTTONS = frozenset({"submit", "image"})
_NOT_SUBMITTED = frozenset({"button", "reset"})
_ONE_LINE = frozenset({"text", "search", "tel", "url", "email", "password"})


class File(NamedTuple):
    """A file to upload."""

    name: str = ""
    content: bytes = b""
    media_type: str = "application/octet-stream"


Entry = tuple[str, str | File]


def controls_of(form: _Element) -> list[_Element]:
    """The controls that belong to ``form`` and may submit something, in document order.

    They stand inside of it, or anywhere in the document with its id in their ``form`` attribute.
    """
    own = form.get("id")
    inside, around = set(form.iter("input", "select", "textarea", "button")), set(form.iterancestors())
    found = []
    for control in form.getroottree().getroot().iter("input", "select", "textarea", "button"):
        owner = control.get("form")
        belongs = control in inside if owner is None else bool(owner) and owner == own
        if belongs and kind_of(control) not in _NOT_SUBMITTED and not _disabled(control, around):
            found.append(control)
    return found


def kind_of(control: _Element) -> str:
    """The ``type`` of a control, in lower case: ``text`` where it has none, ``submit`` for most buttons."""
    if control.tag in {"select", "textarea"}:
        return str(control.tag)
    kind = control.get("type", "").strip().lower()
    if control.tag == "button":
        return kind if kind in _NOT_SUBMITTED else "submit"
    return kind or "text"


def default_of(control: _Element) -> list[str | File]:
    """What a control submits as the page has it: nothing for a box that is not checked, several for some selects."""
    kind = kind_of(control)
    if kind in {"checkbox", "radio"}:
        return [control.get("value", "on")] if control.get("checked") is not None else []
    if kind == "select":
        return list(_selected(control))
    if kind == "textarea":
        return [re.sub(r"\A\r?\n", "", "".join(map(str, control.itertext())))]
    if kind == "file":
        return [File()]
    if kind == "color":
        return [control.get("value", "#000000")]
    value = control.get("value", "")
    if kind in _ONE_LINE:
        value = re.sub(r"[\r\n]", "", value)
    return [value.strip() if kind in {"url", "email"} else value]


def choices_of(control: _Element) -> list[str] | None:
    """The values that a select, a checkbox or a radio button may submit; None for controls that take any text."""
    kind = kind_of(control)
    if kind in {"checkbox", "radio"}:
        return [control.get("value", "on")]
    if kind == "select":
        return [_option_value(option) for option in _options(control)]
    return None


def several(control: _Element) -> bool:
    """Whether a select may submit more than one of its options."""
    return control.get("multiple") is not None


def file_of(value: Any, name: str) -> File:
    """The file that a user gave for a file field: a Path, or ``(name, content)``, or ``(name, content, media type)``.

    Raises:
        RequestInvalid: It is none of them, or can't be read.
    """
    try:
        if isinstance(value, Path):
            return File(value.name, value.read_bytes(), _guess(value.name))
        filename, content, *rest = value
        content = content.encode() if isinstance(content, str) else bytes(content)
        return File(str(filename), content, str(rest[0]) if rest else _guess(str(filename)))
    except OSError as error:
        raise RequestInvalid(f"field {name!r}: {value} can't be read: {error.strerror}") from error
    except (TypeError, ValueError) as error:
        raise RequestInvalid(
            f"field {name!r} takes a file: a Path, or (name, content), or (name, content, media type)"
        ) from error


def _guess(filename: str) -> str:
    return mimetypes.guess_type(filename)[0] or File().media_type


def _options(select: _Element) -> Iterator[_Element]:
    """The options that may be submitted."""
    for option in select.iter("option"):
        group = option.getparent()
        closed = group is not None and group.tag == "optgroup" and group.get("disabled") is not None
        if option.get("disabled") is None and not closed:
            yield option


def _selected(select: _Element) -> list[str]:
    options = list(_options(select))
    chosen = [option for option in select.iter("option") if option.get("selected") is not None]
    if not several(select):
        drops_down = select.get("size", "1").strip() in {"", "0", "1"}  # then it always shows one
        chosen = chosen[-1:] or options[:drops_down]
    enabled = set(options)
    return [_option_value(option) for option in chosen if option in enabled]


def _option_value(option: _Element) -> str:
    value = option.get("value")
    return " ".join("".join(map(str, option.itertext())).split()) if value is None else value


def _disabled(control: _Element, around: Collection[_Element]) -> bool:
    """Whether it submits nothing: disabled, in a disabled fieldset but for its first legend, in a datalist or template.

    Args:
        control: The control.
        around: What the form itself lies in: a template that scripts have not used may have a whole form.
    """
    if control.get("disabled") is not None:
        return True
    below = control
    for above in control.iterancestors():
        if above.tag == "datalist" or (above.tag == "template" and above not in around):
            return True
        if above.tag == "fieldset" and above.get("disabled") is not None and below is not above.find("legend"):
            return True
        below = above
    return False
