"""The rules of the web as pure functions: no I/O, any thread (the cookie jar alone has one owner)."""

from scrapekit.web.cookiejar import CookieJar
from scrapekit.web.cookies import Cookie, parse_set_cookie
from scrapekit.web.dates import parse_date
from scrapekit.web.encodings import codec, decode, detect
from scrapekit.web.headers import ContentType, content_type, retry_after
from scrapekit.web.redirects import REDIRECTS, Hop, follow, headers_after
from scrapekit.web.robots import ALLOW_ALL, DENY_ALL, RobotsRules, product_token, rules_for_status
from scrapekit.web.robots import parse as parse_robots
from scrapekit.web.scope import Scope
from scrapekit.web.traps import Trap, UrlLimits, trap_in
from scrapekit.web.urls import Address, address, fingerprint, host_of, join, origin, same_origin, without_parameters

__all__ = [
    "ALLOW_ALL",
    "DENY_ALL",
    "REDIRECTS",
    "Address",
    "ContentType",
    "Cookie",
    "CookieJar",
    "Hop",
    "RobotsRules",
    "Scope",
    "Trap",
    "UrlLimits",
    "address",
    "codec",
    "content_type",
    "decode",
    "detect",
    "fingerprint",
    "follow",
    "headers_after",
    "host_of",
    "join",
    "origin",
    "parse_date",
    "parse_robots",
    "parse_set_cookie",
    "product_token",
    "retry_after",
    "rules_for_status",
    "same_origin",
    "trap_in",
    "without_parameters",
]
