"""What several spiders of one crawl must agree on: settings, connections, names; and how arguments are shared out."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scrapekit.errors import SettingsError, SpiderError
from scrapekit.settings import Loaded, Settings, flatten, mask
from scrapekit.spider import Spider

_NAME = re.compile(r"\w[\w.-]*").fullmatch
_OWN = re.compile(
    r"crawl\.(allowed_domains|max_depth|ignore_parameters|keep_partial_items|fail_if\..*"
    r"|limits\.(url_length|path_depth|repeated_segments|query_parameters))|http\.secret_headers"
).fullmatch
_OF_HOSTS = ("throttle.domains", "http.auth", "http.server_hostnames", "http.fingerprints")


def shared_settings(spiders: Sequence[Spider], loaded: Sequence[Loaded]) -> Settings:
    """What holds for a crawl of these spiders as a whole, given what holds for each of them. Pure.

    What is said about hosts by name is put together. What is each spider's own is that of the first one.

    Raises:
        SettingsError: Two of them differ in what can't be both.
    """
    first, *others = loaded
    for spider, other in zip(spiders[1:], others, strict=True):
        _check_settings((spiders[0], first), (spider, other))
    merged = msgspec.to_builtins(first.settings)
    for other in others:
        told = msgspec.to_builtins(other.settings)
        for key in _OF_HOSTS:
            section, name = key.split(".")
            merged[section][name] |= told[section][name]
    return msgspec.convert(merged, Settings)


def arguments_for(spiders: Sequence[type[Spider]], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Which arguments each spider gets: ``name`` is for all that take it, ``spider.name`` for one of them. Pure.

    Raises:
        SpiderError: None of them takes it, or it is for a spider that is not among them.
    """
    shares: list[dict[str, Any]] = [{} for _ in spiders]
    names = [cls.name for cls in spiders]
    for key, value in given.items():
        spider, _, name = key.rpartition(".")
        if spider in names:
            shares[names.index(spider)][name] = value
            continue
        if spider and len(spiders) > 1:
            raise SpiderError(f"argument {key!r} is for no spider of this crawl: there are {', '.join(names)}")
        takers = [share for cls, share in zip(spiders, shares, strict=True) if len(spiders) == 1 or _takes(cls, key)]
        if not takers:
            raise SpiderError(f"none of the spiders {', '.join(names)} takes an argument {key!r}")
        for share in takers:
            share.setdefault(key, value)  # what is said to one of them is stronger
    return shares


def check_together(spiders: Sequence[Spider]) -> None:
    """Whether these spiders can crawl together.

    Raises:
        SpiderError: Two have one name, or ways of their own to connect.
    """
    names: list[Any] = [spider.name for spider in spiders]  # whatever the users wrote
    for name in names:
        if not isinstance(name, str) or not _NAME(name):
            raise SpiderError(f"a spider's name must be letters, digits, '_', '.' and '-', not {name!r}")
        if names.count(name) > 1:
            raise SpiderError(f"spider {name!r} can't be there twice in one crawl: its name tells whose a request is")
    first, *others = [type(spider) for spider in spiders]
    for method in ("ssl_context", "resolve"):
        for other in others:
            if _home(first, method) != _home(other, method):
                raise SpiderError(
                    f"spiders {first.name!r} and {other.name!r} can't share connections: each has a {method}() of its "
                    "own; have both inherit one, or crawl one after the other"
                )


def _home(cls: type[Spider], method: str) -> tuple[str, str]:
    """Where a method is defined; a file that was loaded twice is the same place."""
    function = getattr(cls, method)
    return function.__module__, function.__qualname__


def _check_settings(one: tuple[Spider, Loaded], other: tuple[Spider, Loaded]) -> None:
    """Raise SettingsError where two spiders can't have what they ask for in one crawl."""
    mine, theirs = (flatten(loaded.settings) for _, loaded in (one, other))
    hosts = {key: {*_hosts(one[1], key)} & {*_hosts(other[1], key)} for key in _OF_HOSTS}
    for key in {**mine, **theirs}:
        section = next((each for each in _OF_HOSTS if key.startswith(each)), None)
        if section is not None and not any(key.startswith(f"{section}.{host}") for host in hosts[section]):
            continue  # a host that only one of them speaks of
        if _OWN(key) or mine.get(key) == theirs.get(key) or {} in (mine.get(key), theirs.get(key)):
            continue
        values = [_shown(key, flat.get(key)) for flat in (mine, theirs)]
        told = [
            f"{spider.name} has {value} ({loaded.origins.get(key, 'default')})"
            for (spider, loaded), value in zip((one, other), values, strict=True)
        ]
        sayable = [value for value in values if value not in {"null", "***"}]
        raise SettingsError(
            f"{key} must be the same for all spiders of a crawl: {', '.join(told)}; say which, as in "
            f"-s {key}={(sayable if len(sayable) == len(values) else ['VALUE'])[0]}"
        )


def _hosts(loaded: Loaded, key: str) -> Mapping[str, Any]:
    """What is said about hosts under ``key``, by their names."""
    section, name = key.split(".")
    found: Mapping[str, Any] = getattr(getattr(loaded.settings, section), name)
    return found


def _shown(key: str, value: Any) -> str:
    return msgspec.json.encode(mask(key, value)).decode()[:60].strip('"')


def _takes(cls: type[Spider], argument: str) -> bool:
    """Whether the spider's ``__init__`` takes an argument of this name."""
    parameters = inspect.signature(cls.__init__).parameters
    return argument in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())
