"""The three sources of settings, each read into one shape: nodes that know where they were written.

Nothing here knows which keys exist, except that a dotted ``-s`` path is cut up along the schema.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from scrapekit.errors import SettingsError
from scrapekit.settings.shape import entry_type, is_section, key_types

if TYPE_CHECKING:
    import yaml

_YAML = "tag:yaml.org,2002:"
_TAGS_OF_SIGNS = {
    f"{_YAML}{name}" for name in ("merge", "value", "yaml")
}  # << and = are for keys; !, & and * for parsers
_FROM_ALIASES = 100_000  # values: some lines of aliases to aliases can stand for billions
_REFERENCE = re.compile(r"\$(?:(\$\{)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|(\{))")


class Node(NamedTuple):
    """A value and where it comes from.

    Args:
        value: A dict of nodes, a list of nodes, or a plain value.
        where: ``settings.yaml:12``, ``spiders/quotes.py Quotes.settings`` or ``-s``.
        text: A plain value as it was written, for settings that are text: ``1.10`` is a version, not a number.
    """

    value: Any
    where: str
    text: str | None = None


def from_file(path: Path) -> Node:
    """The YAML file as nodes, ``${ENV}`` expanded. Raises SettingsError with file, line and what is wrong."""
    name = _shown(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{name}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError(f"{name}:{line}: not UTF-8: save the file as UTF-8") from error
    return _Yaml(text, name, numbered=True).document()


class Written(dict[str, Any]):
    """The settings of a spider that is a file: a nested dict of nodes, that know where they were written.

    Args:
        node: Of a mapping.
    """

    def __init__(self, node: Node) -> None:
        super().__init__(
            {name: Written(child) if isinstance(child.value, dict) else child for name, child in node.value.items()}
        )
        self.where = node.where


def from_python(value: Any, where: str) -> Node:
    """A spider's nested dict as nodes. Raises SettingsError if a key is not text."""
    if isinstance(value, Node):
        return value
    if isinstance(value, Written):
        where = value.where
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise SettingsError(f"{where}: the key {key!r} must be text")
        return Node({key: from_python(inner, where) for key, inner in value.items()}, where)
    if isinstance(value, list | tuple | set | frozenset):
        return Node([from_python(inner, where) for inner in value], where)
    return Node(os.fspath(value) if isinstance(value, os.PathLike) else value, where)


def from_override(override: str, section: type[Struct]) -> Node:
    """``key.path=value`` as nodes; the value is a YAML scalar, list or mapping, whatever the key can take."""
    path, equals, text = override.partition("=")
    path, text = path.strip(), text.strip()
    if not equals or not path:
        raise SettingsError(f"-s: {override!r} is not of the form key.path=value")
    return _nested(path, section, lambda annotation: _override_value(text, annotation, path))


def _override_value(text: str, annotation: Any, path: str) -> Node:
    reader = _Yaml(text, f"-s {path}", numbered=False)
    quoted = text[:1] in {"'", '"'} and text[-1:] == text[:1]
    # As one plain scalar `results/{job}.jsonl` and `Bot: 1.0` need no quotes on top of those that the shell takes off.
    only_text = annotation in {str, str | None}
    return reader.document() if quoted or (text[:1] in {"[", "{"} and not only_text) else reader.plain(text)


def _nested(path: str, section: type[Struct], read: Callable[[Any], Node]) -> Node:
    # Only the schema can tell the dots of a host name from those of the path: throttle.domains.example.org.delay.
    head, _, rest = path.partition(".")
    annotation = key_types(section).get(head)
    if not rest or annotation is None:
        return Node({path: read(annotation)}, "-s")
    if is_section(annotation):
        return Node({head: _nested(rest, annotation, read)}, "-s")
    entry = entry_type(annotation)
    name, _, last = rest.rpartition(".")
    if is_section(entry) and name and last in key_types(entry):
        pairs = {_unquoted(name): Node({last: read(key_types(entry)[last])}, "-s")}
    else:
        pairs = {_unquoted(rest): read(entry)}
    return Node({head: Node(pairs, "-s")}, "-s")


def _unquoted(name: str) -> str:
    return name.strip("\"'")


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


class _Yaml:
    """One text, composed to nodes by hand: the plain loader forgets line numbers and lets a duplicate key win."""

    def __init__(self, text: str, name: str, *, numbered: bool) -> None:
        import yaml  # noqa: PLC0415  (20 ms, and `import scrapekit` must stay quick)

        self._errors = yaml.YAMLError
        self._mapping, self._sequence, self._scalar = yaml.MappingNode, yaml.SequenceNode, yaml.ScalarNode
        self._name = name
        self._numbered = numbered
        self._most = len(text) + _FROM_ALIASES
        found = yaml.reader.Reader.NON_PRINTABLE.search(text)
        if found:
            lines = text[: found.start()].split("\n")
            raise SettingsError(
                f"{self._at(len(lines), len(lines[-1]) + 1)}: the character {found[0]!r} is not allowed in YAML"
            )
        # The loader resolves and constructs plain values as well; what it builds is never more than YAML's own types.
        # The one written in C takes 1 ms where this takes 5, but is killed by a file of 100,000 brackets.
        self._loader = yaml.SafeLoader(text)

    def document(self) -> Node:
        try:
            root = self._loader.get_single_node()
            if root is None:
                return Node(None, self._at(1))
            self._check(root, frozenset(), {})
            return self._node(root, (), self._at(root.start_mark.line + 1))
        except self._errors as error:
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            problem = getattr(error, "problem", None) or error
            at = self._at(mark.line + 1, mark.column + 1) if mark and self._numbered else self._name
            raise SettingsError(f"{at}: not valid YAML: {problem}") from error
        except RecursionError as error:
            raise SettingsError(f"{self._name}: nested too deeply") from error

    def plain(self, text: str) -> Node:
        tag = self._loader.resolve(self._scalar, text, (True, False))  # type: ignore[no-untyped-call]  # stubs lack it
        return self._value(self._scalar(tag, text), "-s")

    def _at(self, line: int, column: int | None = None) -> str:
        if not self._numbered:
            return "-s"
        return f"{self._name}:{line}" if column is None else f"{self._name}:{line}:{column}"

    def _check(self, node: yaml.Node, above: frozenset[int], sizes: dict[int, int]) -> int:
        """How many values it stands for, each alias (``*name``) counted as all that it stands for."""
        # Before merge keys (<<) are resolved, because then a key that overrides a merged one looks like a duplicate.
        at = self._at(node.start_mark.line + 1)
        if id(node) in above:
            raise SettingsError(f"{at}: a value that contains itself")
        if id(node) in sizes or isinstance(node, self._scalar):
            return sizes.get(id(node), 1)
        if node.tag not in {f"{_YAML}map", f"{_YAML}seq"}:
            raise SettingsError(f"{at}: the tag {node.tag.replace(_YAML, '!!')} is not allowed")
        children = node.value
        if isinstance(node, self._mapping):
            names = set()
            for key, _ in node.value:
                line = key.start_mark.line + 1
                if not isinstance(key, self._scalar):
                    raise SettingsError(f"{self._at(line)}: a key must be text")
                if key.value in names:
                    raise SettingsError(f"{self._at(line)}: {key.value!r} is there twice: delete one of the two")
                names.add(key.value)
            children = [value for _, value in node.value]
        size = sizes[id(node)] = 1 + sum(self._check(child, above | {id(node)}, sizes) for child in children)
        if size > self._most:
            raise SettingsError(f"{at}: its aliases (*) make {size:,} values of it, more than anybody means")
        return size

    def _node(self, node: yaml.Node, path: tuple[str, ...], where: str) -> Node:
        if isinstance(node, self._mapping):
            self._loader.flatten_mapping(node)
            pairs = {}
            for key, value in node.value:
                pairs[key.value] = self._node(value, (*path, key.value), self._at(key.start_mark.line + 1))
            return Node(pairs, where)
        if isinstance(node, self._sequence):
            return Node([self._node(item, path, self._at(item.start_mark.line + 1)) for item in node.value], where)
        if self._numbered and node.tag == f"{_YAML}str" and "${" in node.value:
            return self._expanded(node.value, path, where)
        return self._value(node, where)

    def _value(self, node: yaml.Node, where: str) -> Node:
        try:
            value = node.value if node.tag in _TAGS_OF_SIGNS else self._loader.construct_object(node)
        except ValueError:  # looks like a date or a number and is none: 2024-13-45
            value = node.value
        # `no` and `null` are not taken for text: whoever writes them as such must quote them.
        return Node(value, where, None if value is None or isinstance(value, bool) else node.value)

    def _expanded(self, text: str, path: tuple[str, ...], where: str) -> Node:
        def value_of(reference: re.Match[str]) -> str:
            escaped, name, default, stray = reference.groups()
            if escaped:
                return "${"
            key = ".".join(path)
            if stray:
                raise SettingsError(f"{where}: {key}: write ${{NAME}} or ${{NAME:-default}}, or $${{ for a plain ${{")
            value = os.environ.get(name)
            if default is not None:
                return value or default
            if value is None:
                raise SettingsError(
                    f"{where}: {key}: the environment variable {name} is not set: set it, or write ${{{name}:-default}}"
                )
            return value

        full = _REFERENCE.sub(value_of, text)
        return self.plain(full)._replace(where=where, text=full or None)
