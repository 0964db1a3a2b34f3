"""The schema as data: which keys there are, which of them hold sections, and each type in words."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args, get_origin

from msgspec import Struct, structs


@cache
def key_types(section: type[Struct]) -> dict[str, Any]:
    """The keys of a section, each with its annotation."""
    return {field.name: field.type for field in structs.fields(section)}


def is_section(annotation: Any) -> bool:
    """Whether the annotation is a Struct, whose keys are fixed."""
    return isinstance(annotation, type) and issubclass(annotation, Struct)


def entry_type(annotation: Any) -> Any | None:
    """What the values are of a mapping with free keys (headers, proxies, domains); None for any other annotation."""
    return get_args(annotation)[1] if get_origin(annotation) is dict else None


def item_section(annotation: Any) -> type[Struct] | None:
    """The Struct that a list of mappings holds; None for any other annotation."""
    inner = get_args(annotation)[0] if get_origin(annotation) is tuple else None
    return inner if is_section(inner) else None


def mentions(annotation: Any, what: Any) -> bool:
    """Whether ``what`` is the annotation or stands somewhere inside it, as str does in ``tuple[str, ...] | None``."""
    return annotation is what or any(mentions(inner, what) for inner in get_args(annotation))


def all_keys(section: type[Struct], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every key there is as ``(key.path, annotation)``, free keys as ``*``; sections themselves are left out."""
    for name, annotation in key_types(section).items():
        entry = entry_type(annotation)
        if is_section(annotation):
            yield from all_keys(annotation, f"{above}{name}.")
        elif entry is None:
            yield f"{above}{name}", annotation
        elif is_section(entry):
            yield from all_keys(entry, f"{above}{name}.*.")
        else:
            yield f"{above}{name}.*", entry


def describe(annotation: Any) -> str:
    """The annotation in words that complete "must be": ``a whole number from 1 to 1024``, ``text, or null``."""
    from msgspec import inspect  # noqa: PLC0415  (needed for an error or for the reference only)

    def words(info: inspect.Type) -> str:
        match info:
            case inspect.Metadata(extra={"noun": noun}):
                return str(noun)
            case inspect.Metadata(type=inner, extra={"unit": unit}):
                return words(inner).replace("number", f"number of {unit}")
            case inspect.IntType(ge=low, le=high):
                return f"a whole number {_range(low, high)}"
            case inspect.FloatType(ge=low, le=high):
                return f"a number {_range(low, high)}"
            case inspect.VarTupleType(item_type=item):
                return f"a list, each item {words(item)}"
            case inspect.UnionType(types=types):
                return ", or ".join(words(one) for one in types)
            case inspect.LiteralType(values=values):
                return " or ".join(map(str, values))
            case inspect.StructType():
                return "a mapping"
            case _:
                plain = {"BoolType": "true or false", "StrType": "text", "NoneType": "null", "DictType": "a mapping"}
                return plain[type(info).__name__]

    return words(inspect.type_info(annotation))


def _range(low: float | None, high: float | None) -> str:
    # 2**53 is there to keep integers exact in JSON; no user needs to read it.
    return f"of at least {low}" if high == 2**53 else f"from {low} to {high}"
