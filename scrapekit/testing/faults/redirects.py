"""Redirects: where they must not lead, and what must not go along."""

from __future__ import annotations

from urllib.parse import urlsplit

from scrapekit.testing.faults.registry import fault
from scrapekit.testing.faults.talk import Talk, head, reply

_SECRETS = {"Authorization": "Basic c2VjcmV0", "Cookie": "own=secret", "Proxy-Authorization": "Basic c2VjcmV0"}


def to(talk: Talk, *locations: str, status: int = 302) -> None:
    """Redirect there."""
    lines = (f"Location: {location}" for location in locations)
    talk.send(head(*lines, "Content-Length: 0", status=f"{status} Redirect"))


def _register(name: str, location: str, why: str) -> None:
    """A Location that is refused, whatever it is for."""

    def play(talk: Talk) -> None:
        to(talk, location)

    play.__doc__ = why
    fault(f"/redirects/{name}", "BadRedirect")(play)


for _name, _location, _why in [
    ("file", "file:///etc/passwd", "To a file."),
    ("data", "data:text/html,<p>x", "To a ``data:`` URL."),
    ("script", "JavaScript:alert(1)", "To a script."),
    ("ftp", "ftp://127.0.0.1/", "To another protocol."),
    ("malformed", "http://[bad/", "To what is no URL."),
    ("bad-port", "http://127.0.0.1:99999/", "To a port that can't be."),
    ("long", "/" + "a" * 20_000, "To a URL that is too long."),
    ("blank", "  ", "To nowhere."),
]:
    _register(_name, _location, _why)


@fault("/redirects/missing", "BadRedirect")
def missing(talk: Talk) -> None:
    """A redirect without a Location."""
    to(talk)


@fault("/redirects/two-places", "BadRedirect")
def two_places(talk: Talk) -> None:
    """Two Locations that differ."""
    to(talk, "/good/one", "/good/two")


@fault("/redirects/loop", "TooManyRedirects")
def loop(talk: Talk) -> None:
    """To itself."""
    to(talk, talk.path)


@fault("/redirects/chain", "TooManyRedirects")
def chain(talk: Talk) -> None:
    """A new URL each time."""
    to(talk, f"{talk.path}?{int(talk.target.partition('?')[2] or 0) + 1}")


@fault("/redirects/relative", "ok")
def relative(talk: Talk) -> None:
    """A path with dots, by way of a query alone and of a Location without a scheme, with fragments."""
    step = talk.target.partition("?")[2]
    if not step:
        to(talk, "./x/../../../redirects/./relative?1#one", status=301)
    elif step == "1":
        to(talk, "?2#two", status=308)
    elif step == "2":
        to(talk, f"//{urlsplit(talk.base).netloc}{talk.path}?3#three")
    else:  # a fragment that was sent is none of these
        talk.send(reply(talk.page if step == "3" else b"", status="200 OK" if step == "3" else "400 Bad Request"))


def _register_post(status: int, method: str) -> None:
    def play(talk: Talk) -> None:
        if not talk.target.endswith("?to"):
            to(talk, "?to", status=status)
        elif talk.method == method and talk.body == (b"x=1" if method == "POST" else b""):
            talk.send(reply(talk.page))
        else:
            talk.send(reply(b"", status="400 Bad Request"))

    play.__doc__ = f"{status} after a POST: a {method} follows{', with the body' if method == 'POST' else ''}."
    fault(f"/redirects/post-{status}", "ok", request={"method": "POST", "body": "x=1"})(play)


for _status, _method in ((301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")):
    _register_post(_status, _method)


@fault("/redirects/credentials", "ok", request={"headers": _SECRETS})
def credentials(talk: Talk) -> None:
    """To another host: Authorization, Cookie and Proxy-Authorization stay behind."""
    if "?" not in talk.target:
        to(talk, f"{talk.base.replace('127.0.0.1', 'localhost')}{talk.path}?to", status=307)
    elif {name.lower() for name in _SECRETS} & talk.headers.keys():
        talk.send(reply(b"they came along", status="400 Bad Request"))
    else:
        talk.send(reply(talk.page))


@fault("/redirects/to-plain-http", "ok", request={"headers": _SECRETS})
def to_plain_http(talk: Talk) -> None:
    """To http on the same host: from https, Authorization, Cookie and Proxy-Authorization stay behind."""
    came = talk.target.partition("?from=")[2]
    if not came:
        to(talk, f"{talk.plain()}{talk.path}?from={urlsplit(talk.base).scheme}", status=307)
    elif (came == "https") == bool({name.lower() for name in _SECRETS} & talk.headers.keys()):
        talk.send(reply(b"they came along, or within the origin they did not", status="400 Bad Request"))
    else:
        talk.send(reply(talk.page))
