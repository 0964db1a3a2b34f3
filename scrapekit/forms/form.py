"""The :class:`Form`: one form of a page, and the request that submits it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from lxml.etree import _Element

from scrapekit.errors import ParseError, RequestInvalid
from scrapekit.forms.controls import (
    BUTTONS,
    Entry,
    File,
    choices_of,
    controls_of,
    default_of,
    file_of,
    kind_of,
    several,
)
from scrapekit.forms.encoding import MULTIPART, PLAIN, URLENCODED, charset_of, encode, label_of
from scrapekit.messages import Request, Response
from scrapekit.web.urls import address


class Form:
    """One form of a page. Like the response that it came with, it stays in the thread of its callback.

    Made by :meth:`from_response`. It never changes: :meth:`submit` makes a request of what the page has filled in and
    of what it is given.
    """

    def __init__(self, element: _Element, response: Response) -> None:
        self._element = element
        self._response = response
        self._controls = controls_of(element)
        self._buttons = [control for control in self._controls if kind_of(control) in BUTTONS]
        self._fields = [each for each in self._controls if kind_of(each) not in BUTTONS and each.get("name")]
        checked = [each for each in self._fields if kind_of(each) == "radio" and each.get("checked") is not None]
        self._radios = {each.get("name"): each for each in checked}  # of several that are checked, the last is

    @classmethod
    def from_response(
        cls,
        response: Response,
        *,
        css: str | None = None,
        name: str | None = None,
        id: str | None = None,  # noqa: A002  (so it is called in HTML)
        index: int = 0,
    ) -> Self:
        """The form of a page; where several are meant by all that is given, the one at ``index``.

        Args:
            response: The page.
            css: A CSS selector of the form, of something in it, or of a control that names it.
            name: The form's ``name``.
            id: The form's ``id``.
            index: From 0 for the first; negative ones count from the last.

        Raises:
            ParseError: The page has no such form, or is not HTML.
            ValueError: ``css`` is not a CSS selector.
        """
        every: list[_Element] = list(dict.fromkeys(_forms(response, "form")))
        found = every if css is None else list(dict.fromkeys(_forms(response, css)))
        found = [form for form in found if name in (None, form.get("name")) and id in (None, form.get("id"))]
        try:
            return cls(found[index], response)
        except IndexError:
            asked = {"css": css, "name": name, "id": id, "index": index or None}
            which = ", ".join(f"{key}={value!r}" for key, value in asked.items() if value is not None)
            there = ", ".join(repr(form.get("id") or form.get("name") or "") for form in every[:10]) or "none"
            raise ParseError(
                f"no form {f'with {which} ' if which else ''}on {response.url}; by id or name it has: {there}",
                response.request,
            ) from None

    def __repr__(self) -> str:
        return f"<Form {self.method} {self.action} of {', '.join(self.fields) or 'no fields'}>"

    @property
    def action(self) -> str:
        """Where it is sent to, unless the button says otherwise."""
        return self._action(None)

    @property
    def method(self) -> str:
        """GET or POST, unless the button says otherwise."""
        return self._attribute("method", None).upper()

    @property
    def fields(self) -> dict[str, list[str]]:
        """What it submits as the page has filled it in, by name; files and boxes that are not checked have no text."""
        fields: dict[str, list[str]] = {}
        for control in self._fields:
            values = fields.setdefault(control.get("name", ""), [])
            values += [value for value in self._default(control) if isinstance(value, str)]
        return fields

    def submit(
        self,
        values: Mapping[str, Any] | None = None,
        callback: Any = None,
        *,
        button: str | bool = True,
        extra: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> Request:
        """The request that a browser makes when the form is submitted.

        Args:
            values: By name of a field. Text or a number for what is typed and for hidden fields; the value for a
                select or radio button; True or False, or the values, for checkboxes; a list where there are several of
                that name; a Path, ``(name, content)`` or ``(name, content, media type)`` for a file; None submits
                nothing of that name. What is not named here goes as the page has it.
            callback: As for :class:`~scrapekit.Request`.
            button: The one that is clicked, by its name, id, value or text; True for the first, as the Enter key has
                it; False for none.
            extra: Fields that the form doesn't have, or doesn't have like that, as scripts add them.
            **arguments: As for :class:`~scrapekit.Request`; the session is the page's if none is given.

        Raises:
            RequestInvalid: There is no such field, choice or button, or the form leads nowhere that can be fetched.
        """
        clicked = self._clicked(button)
        charset = charset_of(self._element.get("accept-charset"), self._response.encoding)
        entries = self._entries(dict(values or {}), clicked, charset)
        for name, value in (extra or {}).items():
            entries += [(name, text) for text in _texts(value, name)]
        arguments.setdefault("session", self._response.request.session)
        action, method = self._action(clicked), self._attribute("method", clicked)
        if method == "dialog":
            raise RequestInvalid(f"the form on {self._response.url} closes a dialog: there is nothing to be fetched")
        if method == "get":
            query, _ = encode(entries, URLENCODED, charset)
            url = urlsplit(address(action).url)._replace(query=query.decode())
            return Request(urlunsplit(url), callback, **arguments)
        body, content_type = encode(entries, self._attribute("enctype", clicked), charset)
        headers = {"Content-Type": content_type} | dict(arguments.pop("headers", None) or {})
        return Request(action, callback, method="POST", headers=headers, body=body, **arguments)

    def _entries(self, values: dict[str, Any], clicked: _Element | None, charset: str) -> list[Entry]:
        """The entry list, in document order."""
        self._check_names(values)
        given = {name: _Given(name, value, self._named(name)) for name, value in values.items()}
        entries: list[Entry] = []
        for control in self._controls:
            name = control.get("name", "")
            if kind_of(control) in BUTTONS:
                entries += _click(control) if control is clicked else []
                continue
            if not name:
                continue
            if name in given:
                taken = given[name].of(control)
                entries += [(name, value) for value in (self._default(control) if taken is None else taken)]
            elif name == "_charset_" and kind_of(control) == "hidden":
                entries.append((name, label_of(charset)))
            else:
                entries += [(name, value) for value in self._default(control)]
            if direction := control.get("dirname"):
                entries.append((direction, "ltr"))
        for each in given.values():
            each.check_used()
        return entries

    def _default(self, control: _Element) -> list[str | File]:
        """What a control submits as the page has it."""
        if kind_of(control) == "radio" and self._radios.get(control.get("name")) is not control:
            return []
        return default_of(control)

    def _named(self, name: str) -> list[_Element]:
        return [control for control in self._fields if control.get("name") == name]

    def _check_names(self, values: Mapping[str, Any]) -> None:
        known = list(dict.fromkeys(control.get("name", "") for control in self._fields))
        for name in values:
            if name not in known:
                close = difflib.get_close_matches(str(name), known, 1)
                hint = f": did you mean {close[0]!r}?" if close else f"; it has {', '.join(known) or 'none'}"
                raise RequestInvalid(
                    f"the form on {self._response.url} has no field {name!r} that is not disabled{hint} "
                    "(extra= adds fields)"
                )

    def _clicked(self, button: str | bool) -> _Element | None:
        if isinstance(button, bool):
            return self._buttons[0] if button and self._buttons else None
        for control in self._buttons:
            text = " ".join("".join(map(str, control.itertext())).split())
            if button in (control.get("name"), control.get("id"), control.get("value"), text):
                return control
        known = ", ".join(repr(each.get("name") or each.get("value") or each.get("id") or "") for each in self._buttons)
        raise RequestInvalid(f"the form on {self._response.url} has no button {button!r}; it has {known or 'none'}")

    def _attribute(self, name: str, clicked: _Element | None) -> str:
        """``method`` or ``enctype``, by the button or else the form; what is unknown is the default."""
        known = {"method": ("get", "post", "dialog"), "enctype": (URLENCODED, MULTIPART, PLAIN)}[name]
        given = None if clicked is None else clicked.get(f"form{name}")
        value = (self._element.get(name, "") if given is None else given).strip().lower()
        return value if value in known else known[0]

    def _action(self, clicked: _Element | None) -> str:
        """By the button or else the form; the page itself, whatever its base, where there is none."""
        given = None if clicked is None else clicked.get("formaction")
        action = (self._element.get("action", "") if given is None else given).strip()
        return self._response.urljoin(action) if action else self._response.url


class _Given:
    """The values that a user gave for the controls of one name, handed out in document order."""

    def __init__(self, name: str, value: Any, controls: list[_Element]) -> None:
        self._name = name
        choices = [choices_of(control) for control in controls]
        self._choices = [choice for each in choices for choice in each or ()]
        boxes = [kind_of(control) in {"checkbox", "radio"} for control in controls]
        self._all = value is True and any(boxes)
        # Many a site has a hidden field of the box's name before it, whose value counts where the box is not checked.
        self._mixed = any(boxes) and not all(boxes)
        files = any(kind_of(control) == "file" for control in controls)
        if value is None or self._all or (value is False and any(boxes)):
            self._values: list[Any] = []
        elif files:
            self._values = [file_of(each, name) for each in (value if isinstance(value, list) else [value])]
        else:
            self._values = _texts(value, name)
        self._none = not self._values
        self._hidden_stays = self._mixed and value is not None and all(each in self._choices for each in self._values)
        taken = sum(each in self._choices for each in self._values)
        if any(kind_of(control) == "radio" for control in controls) and (self._all or taken > 1):
            raise RequestInvalid(f"field {name!r} takes one of its values: {', '.join(map(repr, self._choices))}")

    def of(self, control: _Element) -> Iterable[str | File] | None:
        """What this control submits; None for what the page has."""
        choices = choices_of(control)
        if choices is not None:
            if self._all:
                return choices
            most = None if several(control) or kind_of(control) != "select" else 1
            taken = [value for value in self._values if value in choices][:most]
        elif self._hidden_stays:
            return None
        elif kind_of(control) == "file" and several(control):
            taken = list(self._values)
        else:
            taken = [value for value in self._values if not (self._mixed and value in self._choices)][:1]
        for value in taken:
            self._values.remove(value)
        if not taken and kind_of(control) == "file" and not self._none:
            return [File()]
        return taken

    def check_used(self) -> None:
        """Whether each value found a control that takes it."""
        if self._values:
            wrong = f"field {self._name!r} can't have {self._values[0]!r}"
            hint = f"only {', '.join(map(repr, self._choices))}" if self._choices else "there are fewer of that name"
            raise RequestInvalid(f"{wrong}: {hint} (extra= adds fields)")


def _texts(value: Any, name: str) -> list[str | Any]:
    values = list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]
    for each in values:
        if not isinstance(each, (str, int, float)) or isinstance(each, bool):
            raise RequestInvalid(f"field {name!r} takes text, a number or a list of them, not {each!r:.60}")
    return [str(each) for each in values]


def _click(button: _Element) -> list[Entry]:
    name = button.get("name", "")
    if kind_of(button) == "image":
        prefix = f"{name}." if name else ""
        return [(f"{prefix}x", "0"), (f"{prefix}y", "0")]
    return [(name, button.get("value", ""))] if name else []


def _forms(response: Response, css: str) -> Iterable[_Element]:
    """The forms that a CSS selector selects, or to which what it selects belongs."""
    for selector in response.css(css):
        root = selector.root
        if isinstance(root, _Element):
            owner = root.get("form")
            if owner is None:
                yield from islice(root.iterancestors("form") if root.tag != "form" else (root,), 1)
            else:
                forms = root.getroottree().getroot().iter("form")
                yield from islice((form for form in forms if form.get("id") == owner), 1)
