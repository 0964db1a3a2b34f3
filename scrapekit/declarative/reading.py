"""A YAML file to its :class:`Description`: all keys known, all values of their types, or one line says which is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from msgspec import Meta, UnsetType, structs

from scrapekit.declarative.leaves import Known, is_argument
from scrapekit.declarative.parts import Field, Part, Processor, Wrong
from scrapekit.declarative.schema import Description, Page
from scrapekit.declarative.steps import PROCESSORS, step
from scrapekit.errors import SettingsError, SpiderError
from scrapekit.settings.checking import converted, near, pairs, plain
from scrapekit.settings.shape import entry_type, is_section
from scrapekit.settings.tree import Node, from_file

P = TypeVar("P", bound=Part)

# What the keys of a mapping with free keys must be.
_NAMES: dict[Any, tuple[Any, str]] = {
    Field: (re.compile(r"[^\W\d_][\w-]*").fullmatch, "a field's name: letters, digits, '_' and '-', a letter first"),
    Page: (re.compile(r"[a-z][a-z0-9_]*").fullmatch, "a page's name: lower-case letters, digits and '_'"),
    str: (re.compile(r"[^\W\d][\w.-]*").fullmatch, "a prefix: letters, digits, '_', '.' and '-', a letter first"),
    str | None: (is_argument, "what an argument can be called: letters, digits and '_', and no word of Python's own"),
}


def read(path: Path) -> Description:
    """What a file describes.

    Raises:
        SpiderError: It can't be read, or is no spider: one line with file, line, what is wrong and what was meant.
    """
    try:
        node = from_file(path)
        if node.value is None:
            raise SettingsError(f"{node.where}: the file is empty: a spider needs start and items")
        return _Reader(_known(node)).part(node, Description, "")
    except SettingsError as error:
        raise SpiderError(str(error)) from error
    except RecursionError as error:
        raise SpiderError(f"{path}: nested too deeply") from error


def _known(root: Node) -> Known:
    """What the file names, for those that refer to it before or after."""
    reader = _Reader(Known())
    entries = root.value if isinstance(root.value, dict) else {}
    arguments, namespaces = (
        reader.value(entries[name], annotation, name) if name in entries else {}
        for name, annotation in (("arguments", dict[str, str | None]), ("namespaces", dict[str, str]))
    )
    pages = entries["pages"].value if "pages" in entries else None
    return Known(arguments, namespaces, list(pages) if isinstance(pages, dict) else ())


class _Reader:
    """Reads nodes as what an annotation asks for.

    Args:
        known: What the file names.
    """

    def __init__(self, known: Known) -> None:
        self._known = known

    def part(self, node: Node, kind: type[P], key: str) -> P:
        """A mapping with fixed keys."""
        if not isinstance(node.value, dict | None) and kind.short:
            node = Node({kind.short: node}, node.where)
        fields = {field.encode_name: field for field in structs.fields(kind) if field.name != "where"}
        values: dict[str, Any] = {"where": node.where}
        for name, child in pairs(node, key or "the top level", ", ".join(fields)).items():
            here = f"{key}.{name}" if key else name
            if name not in fields:
                raise SettingsError(f"{child.where}: unknown key {here!r} ({_suggestion(name, fields)})")
            known = fields[name]
            if child.value is not None or known.type is Any:  # else it is not filled in yet
                values[known.name] = self.value(child, known.type, here)
        try:
            return kind(**values)
        except ValueError as error:
            where = error.where if isinstance(error, Wrong) else node.where
            raise SettingsError(f"{where}: {f'{key}: ' if key else ''}{error}") from error

    def value(self, node: Node, annotation: Any, key: str) -> Any:
        """Any value."""
        asked, annotation = annotation, _given(annotation)
        if node.value is None and NoneType in get_args(asked):
            return None
        if annotation is Node:
            pairs(node, key, "as in settings.yaml")
            return node
        if annotation is Any:
            return plain(node, textual=False)
        if annotation is Processor:
            return _processor(node, key)
        if is_section(annotation):
            return self.part(node, annotation, key)
        entry = entry_type(annotation)
        if entry is not None:
            return self._mapping(node, entry, key)
        if get_origin(annotation) is tuple:
            nodes = node.value if isinstance(node.value, list) else [node]
            return tuple(self.value(one, get_args(annotation)[0], key) for one in nodes)
        return self._leaf(node, annotation, key)

    def _mapping(self, node: Node, entry: Any, key: str) -> dict[str, Any]:
        fits, must = _NAMES[entry]
        entries = pairs(node, key, "NAME: VALUE")
        for name, child in entries.items():
            if not fits(name):
                raise SettingsError(f"{child.where}: {key}: {name!r} is not {must}")
        return {name: self.value(child, entry, f"{key}.{name}") for name, child in entries.items()}

    def _leaf(self, node: Node, annotation: Any, key: str) -> Any:
        value = converted(node, annotation, key)
        for meta in getattr(annotation, "__metadata__", ()):
            check: Any = meta.extra.get("check") if isinstance(meta, Meta) and meta.extra else None
            if check is not None:
                try:
                    return check(value, self._known)
                except ValueError as error:
                    raise SettingsError(f"{node.where}: {key}: {_line(error)}") from error
                except SpiderError as error:
                    raise SettingsError(f"{node.where}: {key}: {error}") from error
        return value


def _processor(node: Node, key: str) -> Processor:
    """``strip``, or ``{regex: PATTERN}``."""
    entries = {node.text or "": None} if isinstance(node.value, str) else node.value
    if not isinstance(entries, dict) or len(entries) != 1:
        raise SettingsError(
            f"{node.where}: {key} must be names of processors, each with its argument: strip, {{join: ', '}}"
        )
    ((name, argument),) = entries.items()
    if name not in PROCESSORS:
        raise SettingsError(f"{node.where}: {key}: there is no processor {name!r} ({_suggestion(name, PROCESSORS)})")
    kind = PROCESSORS[name]
    value = None
    if argument is not None and argument.value is not None:
        if kind.argument is None:
            raise SettingsError(f"{argument.where}: {key}: {name} takes no argument")
        value = converted(argument, kind.argument, f"{key}: {name}")
    elif kind.needed:
        raise SettingsError(f"{node.where}: {key}: {name} needs an argument: {{{name}: ...}}")
    try:
        step(name, value)
    except (ValueError, SpiderError) as error:
        raise SettingsError(f"{node.where}: {key}: {name}: {_line(error)}") from error
    return Processor(where=node.where, name=name, argument=value)


def _given(annotation: Any) -> Any:
    """The annotation of a key that is there: without null and "not set"."""
    if get_origin(annotation) in (Union, UnionType):
        left = [each for each in get_args(annotation) if each not in (NoneType, UnsetType)]
        return left[0] if len(left) == 1 else Union[tuple(left)]  # noqa: UP007  (made at run time)
    return annotation


def _suggestion(name: str, known: Mapping[str, Any]) -> str:
    close = near(name, known)
    return f"did you mean {close!r}?" if close else f"known here: {', '.join(known)}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
