"""What stands in a file, held to a type: the value, or one line that says where, what, and what it must be. Pure.

For settings and for spiders that are written as YAML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from scrapekit.errors import SettingsError
from scrapekit.settings.shape import describe, mentions
from scrapekit.settings.tree import Node


def _same(value: Any) -> Any:
    return value


def pairs(node: Node, what: str, wanted: str, *, mask: Callable[[Any], Any] = _same) -> dict[str, Node]:
    """The entries of a mapping; none where all its keys are commented out.

    Args:
        node: What was written.
        what: What it is called.
        wanted: What it should hold, for the message.
        mask: Makes a value one that may be shown.

    Raises:
        SettingsError: It is no mapping.
    """
    if node.value is None:
        return {}
    if not isinstance(node.value, dict):
        raise SettingsError(f"{node.where}: {what} must be a mapping ({wanted}), not {shown(node, mask)}")
    return node.value


def converted(
    node: Node, annotation: Any, key: str, *, form: Callable[[Any], Any] = _same, mask: Callable[[Any], Any] = _same
) -> Any:
    """The value of a node, of the type that ``annotation`` asks for.

    Args:
        node: What was written.
        annotation: As msgspec has it, with what :func:`describe` knows.
        key: What it is called.
        form: Makes the usual form of others.
        mask: Makes a value one that may be shown.

    Raises:
        SettingsError: It is of another type.
    """
    textual = mentions(annotation, str)
    value = plain(node, textual=textual)
    try:
        value = msgspec.convert(form(value), annotation)
    except msgspec.ValidationError as error:
        hint = " (put it in quotes)" if textual and isinstance(node.value, bool) else ""
        raise SettingsError(
            f"{node.where}: {key} must be {describe(annotation)}, not {shown(node, mask)}{hint}"
        ) from error
    check_text(value, node.where, key)
    return value


def check_text(value: Any, where: str, key: str) -> None:
    """Text must be what UTF-8 can hold, because jobs store it and worker processes are told it."""
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError as error:
        raise SettingsError(f"{where}: {key} must be text that UTF-8 can hold, without lone surrogates") from error


def plain(node: Node, *, textual: bool) -> Any:
    """The value without the nodes; what is not null, true or false as it was written, if it is to be text."""
    if isinstance(node.value, dict):
        return {name: plain(child, textual=textual) for name, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child, textual=textual) for child in node.value]
    return node.text if textual and node.text is not None else node.value


def shown(node: Node, mask: Callable[[Any], Any] = _same) -> str:
    """The value in a few words, for a message."""
    if isinstance(node.value, dict):
        return "a mapping"
    value = mask(plain(node, textual=False))
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def near(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that was meant, for all one can tell; None for none."""
    from difflib import get_close_matches  # noqa: PLC0415  (for a typing mistake only)

    return next(iter(get_close_matches(name, list(known), 1, cutoff)), None)
