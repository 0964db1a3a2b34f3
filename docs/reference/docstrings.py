"""What the reference has to know about our docstrings and classes: an extension of griffe, which reads the sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from griffe import Attribute, Class, Extension, Function, Module, NameResolutionError, Object, Parameter, ParameterKind
from griffe import Parameters as Signature

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`(~?)([\w.]+)`")


class Roles(Extension):
    """Makes ``:class:`Spider``` a link to where the object is documented, or plain code where that is nowhere."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """See to the docstring of one module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(lambda role: _link(obj, role[2], short=bool(role[1])), obj.docstring.value)


class Constructors(Extension):
    """Gives msgspec's Structs and named tuples the ``__init__`` that they have at run time, made of their fields."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """See to all classes of a package, once it is read."""
        for found in _classes(pkg):
            fields = _fields(found)
            if fields and "__init__" not in found.members:
                itself = Parameter("self", kind=ParameterKind.positional_or_keyword)
                found.set_member("__init__", Function("__init__", parameters=Signature(itself, *fields), parent=found))


def _link(scope: Object, name: str, *, short: bool) -> str:
    shown = name.rpartition(".")[2] if short else name
    first, dot, rest = name.partition(".")
    try:
        path = scope.resolve(first) + dot + rest
    except NameResolutionError:
        path = name
    return f'<autoref optional identifier="{path}"><code>{shown}</code></autoref>'


def _classes(scope: Module | Class) -> Iterator[Class]:
    for member in scope.members.values():
        if isinstance(member, Class):
            yield member
        if isinstance(member, Module | Class):
            yield from _classes(member)


def _fields(found: Class) -> list[Parameter]:
    """Its own fields, and then those of its bases, by keyword; none where it is neither a Struct nor a named tuple."""
    bases = [str(base) for base in found.bases]
    inherited = [field for base in found.resolved_bases if isinstance(base, Class) for field in _fields(base)]
    if not inherited and not {"Struct", "NamedTuple"}.intersection(bases):
        return []
    own = [
        Parameter(name, annotation=member.annotation, default=member.value, kind=ParameterKind.positional_or_keyword)
        for name, member in found.members.items()
        if isinstance(member, Attribute) and member.annotation is not None and "property" not in member.labels
    ]
    for field in inherited:
        field.kind = ParameterKind.keyword_only
    return own + inherited
