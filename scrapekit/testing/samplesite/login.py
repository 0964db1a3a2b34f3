"""The login of the sample site: a form with a token, a cookie for the visitor and another for whoever has logged in."""

from __future__ import annotations

import secrets
from hashlib import blake2b
from urllib.parse import parse_qs

from scrapekit.testing.application import Reply, RequestView
from scrapekit.testing.samplesite import html
from scrapekit.testing.samplesite.routes import HTML, page

LOGIN, ACCOUNT, LOGOUT = "/quotes/login", "/quotes/account", "/quotes/logout"
_KEY = b"of the sample site"  # what it signs is a secret of nobody


def login(request: RequestView) -> Reply | None:
    """The answer, where the request is for one of these pages. Any user may log in, with any password but an empty one.

    The token must be the one that came with the visitor's cookie. Nothing is kept: the cookies are signed.
    """
    cookies = {name.strip(): value for name, _, value in _pairs(request.headers.get("cookie", ""))}
    user = _signed(cookies.get("session", ""))
    if request.path == LOGIN and request.method == "POST":
        sent = {name: values[0] for name, values in parse_qs(request.body.decode(errors="replace")).items()}
        token = _sign("token", cookies.get("visitor", ""))
        if sent.get("csrf_token") != token or not {"username", "password"} <= sent.keys():
            return page(html.page("Login", "<p class=error>Wrong token, user or password</p>"), status=403)
        key = f"{sent['username'].encode().hex()}.{_sign('session', sent['username'])}"
        return _go(ACCOUNT, f"session={key}; Path=/quotes/; HttpOnly")
    if request.method not in {"GET", "HEAD"}:
        return None
    if request.path == LOGIN:
        visitor = secrets.token_hex(8)
        headers = (("Content-Type", HTML), ("Set-Cookie", f"visitor={visitor}; Path=/quotes/"))
        return Reply(html.login_page(LOGIN, _sign("token", visitor)).encode(), headers=headers)
    if request.path == ACCOUNT:
        return _go(LOGIN) if user is None else page(html.account_page(user, LOGOUT))
    return _go(LOGIN, "session=; Path=/quotes/; Max-Age=0") if request.path == LOGOUT else None


def _pairs(cookies: str) -> list[tuple[str, str, str]]:
    return [pair.partition("=") for pair in cookies.split(";")]


def _go(path: str, *cookies: str) -> Reply:
    return Reply(b"", 302, (("Location", path), *(("Set-Cookie", cookie) for cookie in cookies)))


def _sign(what: str, text: str) -> str:
    return blake2b(f"{what} {text}".encode(), key=_KEY, digest_size=8).hexdigest()


def _signed(key: str) -> str | None:
    """The user of a session's cookie; None where we have not signed it."""
    name, _, signature = key.partition(".")
    try:
        user = bytes.fromhex(name).decode()
    except ValueError:
        return None
    return user if user and _sign("session", user) == signature else None
