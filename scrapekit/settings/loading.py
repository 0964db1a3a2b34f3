"""Sources to one :class:`Settings`: fold each along the schema, check every value where it was written, merge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Struct, structs

from scrapekit.errors import SettingsError
from scrapekit.settings import rules
from scrapekit.settings.checking import check_text, converted, near, pairs, shown
from scrapekit.settings.schema import DomainAuth, DomainOverride, Settings
from scrapekit.settings.shape import all_keys, entry_type, is_section, item_section, key_types
from scrapekit.settings.tree import Node, from_file, from_override, from_python

Keys = tuple[str, ...]


class Loaded(NamedTuple):
    """What :func:`load` found.

    Args:
        settings: The merged settings.
        origins: For each key of :func:`flatten`, who set it: ``default``, ``settings.yaml:12``, the spider, ``-s``.
    """

    settings: Settings
    origins: dict[str, str]


def load(
    path: Path | None, spider: Mapping[str, Any] | None = None, spider_origin: str = "", overrides: Sequence[str] = ()
) -> Loaded:
    """Merge and validate: defaults < the YAML file < the spider's settings < ``-s``.

    Mappings are merged key by key (those with free keys too, upper and lower case alike), lists and plain values are
    replaced; an empty section changes nothing. A header or proxy that is set to null is removed. A value that is
    overridden must be valid all the same.

    Args:
        path: The settings file; None for none. One that isn't there is an error.
        spider: ``Spider.settings``, a nested dict in the shape of settings.yaml.
        spider_origin: Where that stands, for messages: ``spiders/quotes.py Quotes.settings``.
        overrides: ``key.path=value``, from ``-s``.

    Raises SettingsError in one line: where, which key, what it must be. Reads the file and the environment; any thread.
    """
    sources = [] if path is None else [from_file(path)]
    sources += [] if spider is None else [from_python(spider, spider_origin or "Spider.settings")]
    merged = msgspec.to_builtins(Settings())
    where: dict[str, str] = {}
    for source in [*sources, *(from_override(override, Settings) for override in overrides)]:
        leaves = {leaf.path: leaf for leaf in _section(source, Settings, ())}
        _check_one_of(leaves)
        for leaf in leaves.values():
            _put(merged, leaf.path, leaf.value)
            where[_flat(leaf.path).lower()] = leaf.where
    export = merged["export"]
    own = {key: value for key, value in export.items() if key not in {"path", "outputs"}}
    export["outputs"] = [own | output for output in export["outputs"]]
    settings = msgspec.convert(merged, Settings)
    origins = {key: where.get(key.lower(), "default") for key in flatten(settings)}
    _check_together(settings, origins)
    return Loaded(settings, origins)


def flatten(settings: Settings) -> dict[str, Any]:
    """Every value by its ``key.path``, in the order of the schema; an empty mapping as ``{}``. Pure; any thread."""
    return {_flat(path): _plain_items(value) for path, value in _walk(settings, ())}


def _plain_items(value: Any) -> Any:
    """A list of mappings as such; anything else as it is."""
    return msgspec.to_builtins(value) if isinstance(value, tuple) and value and isinstance(value[0], Struct) else value


class _Leaf(NamedTuple):
    path: Keys
    value: Any
    where: str


def _check_one_of(leaves: dict[Keys, _Leaf]) -> None:
    """``export.path`` and a list of outputs stand for each other: the stronger source's hold, and one has only one."""
    path, outputs = leaves.get(("export", "path")), leaves.get(("export", "outputs"))
    if outputs is not None and outputs.value and path is not None:
        raise SettingsError(
            f"{path.where}: export.path and export.outputs exclude each other: give each of the outputs its path"
        )
    if path is not None and outputs is None:
        leaves["export", "outputs"] = _Leaf(("export", "outputs"), [], path.where)


def _section(node: Node, section: type[Struct], path: Keys, rule: Keys = ()) -> Iterator[_Leaf]:
    known = key_types(section)
    for name, child in _pairs(node, path, ", ".join(known)).items():
        if name not in known:
            raise SettingsError(
                f"{child.where}: unknown key {_flat((*path, name))!r} ({_suggestion(name, child, path, known)})"
            )
        yield from _value(child, known[name], (*path, name), (*(rule or path), name))


def _value(node: Node, annotation: Any, path: Keys, rule: Keys) -> Iterator[_Leaf]:
    key = _flat(path)
    if key in rules.SHORTHANDS and not isinstance(node.value, dict):
        meant = rules.SHORTHANDS[key](node.value)
        node = Node({name: Node(value, node.where, node.text) for name, value in meant.items()}, node.where)
    entry, item = entry_type(annotation), item_section(annotation)
    if is_section(annotation):
        yield from _section(node, annotation, path, rule)
    elif item is not None:
        yield _Leaf(path, [*_items(node, item, path)], node.where)
    elif entry is None:
        yield _Leaf(path, _checked(node, annotation, key, _flat(rule)), node.where)
    else:
        for given, child in _pairs(node, path, "NAME: VALUE").items():
            try:
                name = rules.NAMES[key](given)
            except ValueError as error:
                raise SettingsError(f"{child.where}: {key}: {error}") from error
            check_text(name, child.where, key)
            yield from _entry(child, entry, (*path, name), f"{key}.*")


def _items(node: Node, section: type[Struct], path: Keys) -> Iterator[dict[str, Any]]:
    """A list of mappings, each checked by the rules for the section that the list stands in."""
    if not isinstance(node.value, list):
        said = shown(node, lambda value: rules.mask(_flat(path), value))
        raise SettingsError(f"{node.where}: {_flat(path)} must be a list of mappings, not {said}")
    required = [field.encode_name for field in structs.fields(section) if field.required]
    for number, child in enumerate(node.value, 1):
        at = (*path, str(number))
        found: dict[str, Any] = {}
        for leaf in _section(child, section, at, path[:-1]):
            _put(found, leaf.path[len(at) :], leaf.value)
        for name in required:
            if name not in found:
                raise SettingsError(f"{child.where}: {_flat(at)} has no {name}")
        yield found


def _entry(node: Node, entry: Any, path: Keys, rule: str) -> Iterator[_Leaf]:
    if is_section(entry):
        yield _Leaf(path, {}, node.where)  # an entry without keys counts: it shields a host from a glob
        yield from _section(node, entry, path)
    elif node.value is None:
        yield _Leaf(path, UNSET, node.where)
    else:
        yield _Leaf(path, _checked(node, entry, _flat(path), rule), node.where)


def _pairs(node: Node, path: Keys, wanted: str) -> dict[str, Node]:
    key = _flat(path)
    return pairs(node, key or "the top level", wanted, mask=lambda value: rules.mask(key, value))


def _checked(node: Node, annotation: Any, key: str, rule: str) -> Any:
    form = rules.FORMS.get(rule, _same)
    value = converted(node, annotation, key, form=form, mask=lambda value: rules.mask(key, value))
    try:
        return rules.CHECKS.get(rule, _same)(value)
    except ValueError as error:
        raise SettingsError(f"{node.where}: {key} {error}") from error


def _same(value: Any) -> Any:
    return value


def _suggestion(name: str, node: Node, path: Keys, known: Mapping[str, Any]) -> str:
    here = near(name, known)
    if here:
        return f"did you mean {_flat((*path, here))!r}?"
    elsewhere = {key.rpartition(".")[2]: key for key, _ in reversed([*all_keys(Settings)])}
    inside = node.value if isinstance(node.value, dict) else ()
    for word in (name.rpartition(".")[2], *inside):  # a key that stands in the wrong section, or a section by its keys
        if there := near(word, elsewhere, 0.8):
            return f"did you mean {elsewhere[there]!r}?"
    return f"known here: {', '.join(known)}"


def _put(tree: dict[str, Any], path: Keys, value: Any) -> None:
    *above, last = path
    for name in above:
        tree = tree.setdefault(name, {})
    if value == {}:
        tree.setdefault(last, {})
        return
    for twin in [name for name in tree if name.lower() == last.lower()]:  # header names have no case (RFC 9110, 5.1)
        del tree[twin]
    if value is not UNSET:
        tree[last] = value


def _walk(value: Any, path: Keys) -> Iterator[tuple[Keys, Any]]:
    if isinstance(value, Struct):
        pairs = [(name, getattr(value, name)) for name in value.__struct_fields__]
        sparse = isinstance(value, DomainAuth | DomainOverride)
        value = {name: inner for name, inner in pairs if not (sparse and inner is None)}
    if not isinstance(value, dict) or not value:
        yield path, value
        return
    for name, inner in value.items():
        yield from _walk(inner, (*path, name))


def _flat(path: Keys) -> str:
    return ".".join(path)


def _check_together(settings: Settings, origins: Mapping[str, str]) -> None:
    cert, pools = settings.http.client_cert, settings.http.num_pools
    for name in ("key", "password"):
        if getattr(cert, name) is not None and cert.cert is None:
            key = f"http.client_cert.{name}"
            raise SettingsError(f"{origins[key]}: {key} needs http.client_cert.cert as well")
    for name, auth in settings.http.auth.items():
        key = f"http.auth.{name}"
        try:
            rules.credentials(auth.basic, auth.bearer)
        except ValueError as error:
            where = next((origin for path, origin in origins.items() if path.startswith(key)), "http.auth")
            raise SettingsError(f"{where}: {key} {error}") from error
    if settings.archive.record is not None and settings.archive.replay is not None:
        raise SettingsError(
            f"{origins['archive.replay']}: archive.record and archive.replay exclude each other: "
            "what is replayed has been recorded already"
        )
    if pools is not None and pools < settings.workers:
        raise SettingsError(
            f"{origins['http.num_pools']}: http.num_pools must be at least workers ({settings.workers}), not {pools}: "
            "each worker may talk to a host of its own"
        )
