"""The rules of the web as pure functions: no I/O, any thread (the cookie jar alone has one owner)."""

from scrapekit.web.cookiejar import CookieJar
from scrapekit.web.scope import Scope
from scrapekit.web.traps import UrlLimits
from scrapekit.web.urls import address, host_of

__all__ = ["CookieJar", "Scope", "UrlLimits", "address", "host_of"]
