"""What ``scrapekit doctor`` looks at: each check is a function whose answer is a finding."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import ssl
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from scrapekit.safe import masked

_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[([\w,. -]+)\])?[^;]*?(?:>=([\d.]+)[^;]*)?(?:;(.*))?")
_LIBXML2 = (2, 14, 5)  # CVE-2025-49794, CVE-2025-49796
_SPARE_FILES = 64  # besides connections: databases, outputs, pipes
_LITTLE, _SOME = 100 * 2**20, 2**30  # bytes of disk


class Finding(NamedTuple):
    """What a check has found.

    Args:
        mark: ``!`` wrong, ``?`` may surprise, empty: good.
        what: What was looked at.
        said: How it is.
        fix: What to do about it.
    """

    mark: str
    what: str
    said: str
    fix: str = ""


def python() -> Finding:
    """The interpreter."""
    said = f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}"
    return Finding("", "python", said)


def libraries(package: str = "scrapekit") -> list[Finding]:
    """The libraries that ``package`` needs, against the lowest versions that it takes; and libxml2 and OpenSSL."""
    import certifi
    from lxml import etree

    try:
        needed = list(requires(package) or ())
    except PackageNotFoundError:
        return [Finding("?", "libraries", f"{package} is not installed: this is a checkout", "pip install .")]
    wrong = [finding for finding in _too_old(needed) if finding]
    count = sum("extra ==" not in each for each in needed)
    good = [] if wrong else [Finding("", "libraries", f"{count}, none below its floor; certifi {certifi.__version__}")]
    xml = ".".join(map(str, etree.LIBXML_VERSION))
    old = etree.LIBXML_VERSION < _LIBXML2
    return [
        *wrong,
        *good,
        Finding("?", "libxml2", f"{xml} has known faults, unless your system mended them", "pip install -U lxml")
        if old
        else Finding("", "libxml2", xml),
        Finding("", "openssl", ssl.OPENSSL_VERSION),
    ]


def _too_old(needed: Iterable[str]) -> Iterable[Finding | None]:
    for requirement in needed:
        found = _REQUIREMENT.fullmatch(requirement.strip())
        if found is None or "extra ==" in (found[4] or ""):
            continue
        yield _floor(found[1], found[3] or "0")
        extras = {extra.strip() for extra in (found[2] or "").split(",")} - {""}
        below = [_REQUIREMENT.fullmatch(each) for each in (requires(found[1]) or ()) if extras]
        for each in below:
            # Of an extra's packages, those that are for another Python or system are not there.
            if each and any(f"extra == '{extra}'" in (each[4] or "").replace('"', "'") for extra in extras):
                yield _floor(each[1], each[3] or "0", optional=True)


def _floor(name: str, floor: str, *, optional: bool = False) -> Finding | None:
    try:
        there = version(name)
    except PackageNotFoundError:
        return None if optional else Finding("!", name, "is not installed", f"pip install '{name}>={floor}'")
    if _numbers(there) >= _numbers(floor):
        return None
    return Finding("!", name, f"{there} is below {floor}, the oldest that is safe", f"pip install '{name}>={floor}'")


def _numbers(text: str) -> tuple[int, ...]:
    numbers = [int(number) for number in re.findall(r"\d+", text.partition("+")[0])[:3]]
    return tuple(numbers + [0] * (3 - len(numbers)))


def open_files(workers: int, pools: int) -> Finding:
    """The limit on open files, against the connections that may be open and idle."""
    try:
        import resource
    except ImportError:  # not POSIX
        return Finding("", "open files", "this system sets no limit")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    said = "no limit" if limit == resource.RLIM_INFINITY else f"{limit:,} at most"
    needed = workers + pools + _SPARE_FILES
    if limit == resource.RLIM_INFINITY or limit >= needed:
        return Finding("", "open files", said)
    return Finding("!", "open files", f"{said}, and {workers} workers may need {needed:,}", f"ulimit -n {needed}")


def names(host: str, timeout: float, *, proxied: bool) -> Finding:
    """Whether the system can look up a host's name within ``timeout`` seconds."""
    answer: list[str] = []
    failed: list[str] = []

    def ask() -> None:
        try:
            answer.extend(str(each[4][0]) for each in socket.getaddrinfo(host, None, 0, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failed.append(getattr(error, "strerror", None) or str(error))

    thread = Thread(target=ask, name="doctor-resolver", daemon=True)
    thread.start()
    thread.join(timeout)
    if answer:
        return Finding("", "dns", f"{host} is {answer[0]}")
    why = failed[0] if failed else f"no answer in {timeout:g} s"
    if proxied:
        return Finding("?", "dns", f"{host}: {why}", "no matter if the proxy looks names up; socks5:// does not")
    return Finding("!", "dns", f"{host}: {why}", "is the name right, the network up, a proxy needed (http.proxies)?")


def proxies(chosen: Mapping[str, Sequence[str]], environment: Mapping[str, str] = os.environ) -> Finding:
    """The proxies of the settings, and those of the environment, which are not read unasked."""
    if chosen:
        return Finding("", "proxies", ", ".join(masked(url) for urls in chosen.values() for url in urls))
    named = [name for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy") if environment.get(name)]
    if named:
        fix = f'settings.yaml: http: {{proxies: "${{{named[0]}:-}}"}}'
        return Finding("?", "proxies", f"{named[0]} is set, and not used: settings decide", fix)
    return Finding("", "proxies", "none")


def certificates(bundle: str | None, *, verify: bool) -> Finding:
    """Whether the CA bundle can be read, and certificates are checked at all."""
    import certifi

    path = bundle or certifi.where()
    try:
        count = len(ssl.create_default_context(cafile=path).get_ca_certs())
    except (OSError, ssl.SSLError) as error:
        return Finding("!", "tls", f"{path}: {error}", "http.ca_bundle must be a PEM file with certificates")
    if not verify:
        return Finding("?", "tls", "http.verify is false: anybody may pose as any site", "-s http.verify=true")
    return Finding("", "tls", f"{count} authorities in {path}")


def disk(folder: Path | None = None) -> Finding:
    """Whether this folder can be written to, and has room for a crawl's state."""
    folder = folder or Path.cwd()
    if not os.access(folder, os.W_OK):
        return Finding("!", "disk", f"{folder} can't be written to", "work in a folder of your own")
    free = shutil.disk_usage(folder).free
    said = f"{free / 2**30:,.1f} GiB free in {folder}"
    if free < _LITTLE:
        return Finding("!", "disk", said, "a crawl keeps its queue and its items here: make room")
    return Finding("?", "disk", said, "that is little for a large crawl") if free < _SOME else Finding("", "disk", said)


def terminal(environment: Mapping[str, str] = os.environ) -> Finding:
    """How the terminal shows a crawl."""
    encoding = getattr(sys.stdout, "encoding", None) or "none"
    kind = environment.get("TERM") or "no TERM"
    colours = ", no colours (NO_COLOR)" if environment.get("NO_COLOR") else ""
    said = f"{kind}, {encoding}, {shutil.get_terminal_size().columns} columns{colours}"
    if sys.stderr is None or not sys.stderr.isatty():
        return Finding("", "terminal", f"none: a crawl writes log lines ({encoding})")
    if encoding.lower().replace("-", "") != "utf8":
        return Finding("?", "terminal", said, "names that are not ASCII may fail to show: export PYTHONUTF8=1")
    return Finding("", "terminal", said)
