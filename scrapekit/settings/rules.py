"""What a value must be beyond its type, and which values are secret.

A check returns the value to use, or raises ValueError with words that complete ``KEY ...``.
"""

from __future__ import annotations

import os
import re
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scrapekit.errors import ConfigError, DownloadError, RequestInvalid, request_error
from scrapekit.settings.listen import listen_at
from scrapekit.web import Scope, host_of

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([KMG]?I?B|)", re.IGNORECASE | re.ASCII)
_PROXIES = {"http", "https", "socks5", "socks5h"}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
PLACEHOLDERS = ("spider", "job", "date", "time", "item", "part")
_SECRET_NAME = re.compile(r"auth|cookie|token|secret|key|password|session", re.IGNORECASE)


def size(value: Any) -> Any:
    """``"32MiB"`` as bytes (KB, MB and GB are powers of 1000, KiB, MiB and GiB of 1024); anything else as it is."""
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return value
    return int(float(found[1]) * _UNITS[found[2].upper()]) if found[2].upper() in _UNITS else value


def lower(value: Any) -> Any:
    """``"INFO"`` as ``"info"``; what is not text as it is."""
    return value.lower() if isinstance(value, str) else value


def fleet_kind(value: str) -> str:
    """``threads``, ``processes:N`` or ``ray[:ADDRESS]``."""
    if not re.fullmatch(r"threads|processes:[1-9]\d{0,3}|ray(:\S+)?", value):
        raise ValueError(f"must be threads, processes:N or ray[:ADDRESS], not {value!r}")
    return value


def header_value(value: str) -> str:
    """What can stand in a header line: no line breaks or control characters, and Latin-1 only (RFC 9110, 5.5)."""
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
        raise ValueError("must not contain line breaks or other control characters")
    if not value.strip() or any(ord(char) > 0xFF for char in value):
        raise ValueError("must be text in Latin-1 that is not empty, as HTTP headers are")
    return value


def header_name(name: str) -> str:
    """A header's name (RFC 9110, 5.1), except those that have a setting of their own."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not a header name")
    if name.lower() == "user-agent":
        raise ValueError(f"{name!r} has a setting of its own: http.user_agent")
    return name


def header_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of headers (RFC 9110, 5.1)."""
    for name in names:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"must be names of headers, not {name!r}")
    return names


def resource_name(name: str) -> str:
    """What nodes of a Ray cluster call a resource of theirs; CPUs have a key of their own."""
    if name.upper() in {"CPU", ""} or name != name.strip():
        raise ValueError(f"{name!r} is not the name of a custom resource; for CPUs there is fleet.cpus_per_actor")
    return name


def host_glob(name: str) -> str:
    """A host name in the spelling of ``Address.host``, or a glob of such names in lower case and IDNA."""
    if set(name) & set("/\\@#") or name.count(":") == 1:
        raise ValueError(f"{name!r} has a scheme, a port or a path: write the host name or a glob of names only")
    try:
        if name.count(":") > 1:  # an IPv6 address
            return host_of(f"http://[{name.strip('[]')}]/")
        if set(name) & set("*?["):
            return name.lower().encode("idna").decode("ascii")
        return host_of(f"http://{name}/")
    except (RequestInvalid, UnicodeError) as error:
        raise ValueError(f"{name!r} is not a host name or a glob of host names such as '*.example.org'") from error


def host_name(name: str) -> str:
    """A host name or address in the spelling of ``Address.host``; no glob."""
    if set(name) & set("*?"):
        raise ValueError(f"{name!r} is a glob: write each host name by itself")
    return host_glob(name)


def host_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Host names or addresses."""
    try:
        return tuple(map(host_name, names))
    except ValueError as error:
        raise ValueError(f"must be host names: {error}") from error


def listen(value: str | None) -> str | None:
    """``[HOST:]PORT``."""
    if value is not None:
        listen_at(value)
    return value


def token(value: str | None) -> str | None:
    """What can stand in a cookie and in a URL, and is not guessed."""
    if value is not None and not re.fullmatch(r"[A-Za-z0-9._~-]{16,}", value):
        raise ValueError("must have at least 16 characters, all of them letters, digits or any of . _ ~ -")
    return value


def scope(domains: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """What :class:`~scrapekit.web.Scope` takes."""
    try:
        Scope(domains)
    except ConfigError as error:
        raise ValueError(str(error).removeprefix("allowed_domains: ")) from error
    return domains


def proxy_scheme(name: str) -> str:
    """The scheme of the URLs that go through the proxy."""
    if name.lower() not in {"http", "https"}:
        raise ValueError(f"{name!r} is not the scheme of a URL that is fetched: use http or https")
    return name.lower()


def proxy_urls(values: tuple[str, ...]) -> tuple[str, ...]:
    """Each ``http://``, ``https://``, ``socks5://`` or ``socks5h://``, a host, perhaps user, password and port."""
    for value in values:
        try:
            parts = urlsplit(value)
            usable = parts.scheme in _PROXIES and parts.hostname and (parts.port is None or parts.port > 0)
        except ValueError:  # a port that is not a number, a bad IPv6 address
            usable = None
        if not usable:  # raised here, because the error above may quote the password
            raise ValueError("must be the URL of a proxy, such as http://user:password@proxy.example.org:3128")
    return values


def one_or_many(value: Any) -> Any:
    """One text as a list of it; anything else as it is."""
    return [value] if isinstance(value, str) else value


def credentials(basic: str | None, bearer: str | None) -> None:
    """One of the two, as a header can carry it. The message, which completes ``KEY``, tells neither."""
    if (basic is None) == (bearer is None):
        raise ValueError('must have one of basic: "user:password" and bearer: TOKEN')
    if basic is not None and (":" not in basic or re.search(r"[\x00-\x1f\x7f]", basic)):
        raise ValueError("basic must be user:password, without control characters")  # RFC 7617
    if bearer is not None and not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", bearer):
        raise ValueError("bearer must be a token: letters, digits and -._~+/, then perhaps =")  # RFC 6750


def existing_file(value: str | None) -> str | None:
    """The path of a file that is there, ``~`` expanded; relative ones start at the working directory."""
    if value is None:
        return None
    path = Path(value).expanduser()
    if not path.is_file():
        raise ValueError(f"must be a file that exists, not {value!r}")
    return str(path)


def existing_folder(value: str | None) -> str | None:
    """The path of a folder that is there and can be written to; otherwise as :func:`existing_file`."""
    if value is None:
        return None
    path = Path(value).expanduser()
    if not path.is_dir() or not os.access(path, os.W_OK):
        raise ValueError(f"must be a folder that exists and can be written to, not {value!r}")
    return str(path)


def fingerprint(value: str) -> str:
    """A certificate's MD5, SHA-1 or SHA-256 in hex, with or without colons."""
    if not re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}", value.replace(":", "").lower()):
        raise ValueError(f"must be a certificate's fingerprint in hex (SHA-256: 64 digits), not {value!r}")
    return value


def server_hostname(value: str) -> str:
    """A host name as a certificate has it."""
    name = value.strip().rstrip(".")
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,253}", name):
        raise ValueError(f"must be the host name that the certificate has, not {value!r}")
    return name


def query_parameters(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of query parameters, or globs of them."""
    for name in names:
        if not name or name[0] == "?" or set(name) & set("&=#"):
            raise ValueError(f"must be names or globs of query parameters, such as utm_*, not {name!r}")
    return names


def download_errors(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of :class:`~scrapekit.errors.DownloadError` and its subclasses."""
    for name in names:
        if not issubclass(request_error(name), DownloadError):
            known = ", ".join(sorted(kind.__name__ for kind in DownloadError.__subclasses__()))
            raise ValueError(f"must name kinds of DownloadError ({known}), not {name!r}")  # noqa: TRY004  (the text is wrong)
    return names


def path_template(value: str) -> str:
    """The path of an output, in which the placeholders that there are may stand, and no others."""
    try:
        fields = [part[1:] for part in string.Formatter().parse(value) if part[1] is not None]
    except ValueError as error:  # a brace that is not closed
        raise ValueError(f"has a brace out of place: {value!r} (write {{{{ for a plain one)") from error
    if not value.strip() or "\0" in value:
        raise ValueError(f"must be a path, not {value!r}")
    for name, form, conversion in fields:
        if name not in PLACEHOLDERS or form or conversion:
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise ValueError(f"has an unknown placeholder {{{name}}}: {value!r}; there are {known}")
    return value


def off(value: Any) -> Any:
    """YAML takes ``off`` for false: the mode is meant."""
    return "off" if value is False else lower(value)


def some_path(value: str | None) -> str | None:
    """A path that is not empty, ``~`` expanded; relative ones start at the working directory."""
    if value is None:
        return None
    if not value.strip() or "\0" in value:
        raise ValueError(f"must be a path, not {value!r}")
    return str(Path(value).expanduser())


FORMS: Mapping[str, Callable[[Any], Any]] = {
    "cache.mode": off,
    "cache.max_size": size,
    "export.having": one_or_many,
    "export.items": one_or_many,
    "export.parts.size": size,
    "export.spider": one_or_many,
    "export.without": one_or_many,
    "http.max_body": size,
    "http.proxies.*": one_or_many,
    "http.spool_above": size,
    "log.level": lower,
}
"""Other ways to write a value, turned into the usual one before its type is checked."""

CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "archive.record": some_path,
    "archive.replay": some_path,
    "cache.path": some_path,
    "fleet.kind": fleet_kind,
    "log.file": some_path,
    "http.user_agent": header_value,
    "http.headers.*": header_value,
    "http.ca_bundle": existing_file,
    "http.spool_dir": existing_folder,
    "http.client_cert.cert": existing_file,
    "http.client_cert.key": existing_file,
    "http.server_hostnames.*": server_hostname,
    "http.fingerprints.*": fingerprint,
    "http.proxies.*": proxy_urls,
    "http.secret_headers": header_names,
    "retry.exceptions": download_errors,
    "crawl.allowed_domains": scope,
    "crawl.ignore_parameters": query_parameters,
    "export.path": path_template,
    "ui.hosts": host_names,
    "ui.listen": listen,
    "ui.metrics": listen,
    "ui.token": token,
}
"""By key, what a value of the right type must also be."""

NAMES: Mapping[str, Callable[[str], str]] = {
    "fleet.resources": resource_name,
    "http.auth": host_glob,
    "http.fingerprints": host_name,
    "http.headers": header_name,
    "http.server_hostnames": host_name,
    "http.proxies": proxy_scheme,
    "throttle.domains": host_glob,
}
"""By key of a mapping, what its own keys must be."""

SHORTHANDS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "cache": lambda mode: {} if mode is None else {"mode": mode},
    "export": lambda outputs: {} if outputs is None else {"outputs": outputs},
    "fleet": lambda kind: {} if kind is None else {"kind": kind},
    "http.proxies": lambda url: {"http": url, "https": url},
    "http.client_cert": lambda path: {"cert": path, "key": None, "password": None},
}
"""Mappings that may be given as one plain value, null included."""


def mask(key: str, value: Any) -> Any:
    """The value as it may be shown, with ``***`` for credentials, passwords, secret headers and the users of proxies.

    Pure; any thread. ``key`` is the flat ``key.path``.
    """
    if isinstance(value, list | tuple):
        return [mask(key, each) for each in value]
    if value is None or isinstance(value, dict):
        return value
    if key.startswith("http.proxies"):
        return re.sub(r"^([a-zA-Z][a-zA-Z0-9+.-]*://)?.*@", r"\1***@", str(value), flags=re.DOTALL)
    if (
        key in {"http.client_cert.password", "ui.token"}
        or (key.startswith("http.headers.") and _SECRET_NAME.search(key[13:]))
        or (key.startswith("http.auth.") and not key.endswith(".allow_http"))
    ):
        return "***"
    return value
