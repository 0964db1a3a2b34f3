"""A request says what is wrong with it where it is made."""

from __future__ import annotations

import functools
from collections import Counter

import pytest
from lxml import etree

from scrapekit.errors import RequestInvalid
from scrapekit.messages import Request

URL = "https://example.org/a"


class Spider:
    def parse(self, response): ...

    def parse_book(self, response): ...

    alias = parse_book

    def __secret(self, response): ...

    @classmethod
    def of_class(cls, response): ...

    @staticmethod
    def static(response): ...

    def secret(self):
        return self.__secret


SPIDER = Spider()


def test_numbers_that_other_processes_could_not_get_are_refused_where_they_are_made():
    with pytest.raises(RequestInvalid, match="meta can't be stored as JSON"):
        Request("http://a.example/", meta={"n": [2**70]})
    assert Request("http://a.example/", meta={"n": [2**63]}).meta == {"n": [2**63]}


def test_a_plain_request_has_the_documented_defaults():
    request = Request(URL)
    assert (request.url, request.callback, request.method, request.headers, request.body) == (
        URL,
        None,
        "GET",
        {},
        None,
    )
    assert (request.meta, request.cb_kwargs, request.priority, request.errback, request.dont_filter) == (
        {},
        {},
        0,
        None,
        False,
    )
    assert (request.session, request.proxy, request.timeout, request.delay, request.handle_statuses) == (
        "",
        None,
        None,
        None,
        (),
    )
    assert repr(request) == f"Request(url={URL!r})"


def test_a_request_is_immutable_and_its_dicts_are_its_own():
    meta = {"n": [1]}
    request = Request(URL, meta=meta, cb_kwargs=meta)
    meta["n"].append(2)
    assert request.meta == request.cb_kwargs == {"n": [1]}
    assert Request(URL).meta is not Request(URL).meta
    with pytest.raises(AttributeError):
        request.url = "https://example.org/b"


def test_the_url_is_made_safe_and_loses_its_fragment():
    assert Request("HTTPS://Example.org:443/ä b#x").url == "https://example.org/%C3%A4%20b"


def test_a_smart_string_of_lxml_is_a_url():
    href = etree.HTML(f"<a href='{URL}'>").xpath("//a/@href")[0]
    assert type(href) is not str
    assert type(Request(href).url) is str


@pytest.mark.parametrize(
    "url", ["", "/a", "mailto:a@example.org", "http://", "http://[bad", None, 3, b"https://example.org", [URL]]
)
def test_what_can_not_be_fetched_is_refused(url):
    with pytest.raises(RequestInvalid):
        Request(url)


def test_a_callback_is_stored_by_name():
    request = Request(URL, SPIDER.parse_book, errback=SPIDER.parse)
    assert (request.callback, request.errback) == ("parse_book", "parse")
    assert Request(URL, "parse_book").callback == "parse_book"
    assert Request(URL, SPIDER.alias).callback == "parse_book"
    assert Request(URL, SPIDER.of_class).callback == "of_class"


@pytest.mark.parametrize(
    "callback",
    [
        lambda response: None,
        Spider.parse,
        Spider.static,
        functools.partial(SPIDER.parse),
        SPIDER.secret(),
        3,
        Spider,
    ],
)
def test_a_callback_that_can_not_be_found_again_by_name_is_refused(callback):
    for role in ("callback", "errback"):
        with pytest.raises(
            RequestInvalid, match=f"{role} must be a method of the spider or its name, .* found again by name"
        ):
            Request(URL, **{role: callback})


def test_meta_is_what_it_will_be_after_a_restart():
    smart = etree.fromstring("<a>t</a>").xpath("text()")[0]
    given = {"tuple": (1, 2), 3: "three", "smart": smart, "counter": Counter("aa"), "big": 10**18, "none": None}
    meta = Request(URL, meta=given).meta
    assert meta == {"tuple": [1, 2], "3": "three", "smart": "t", "counter": {"a": 2}, "big": 10**18, "none": None}
    assert type(meta["smart"]) is str


def test_none_stands_for_no_meta_and_no_headers():
    request = Request(URL, meta=None, cb_kwargs=None, headers=None)
    assert request == Request(URL)


NESTED: list = []
for _ in range(50_000):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    "value",
    [
        {"o": object()},
        {"s": {1}},
        {"b": b""},
        {"n": float("nan")},
        {(1,): 2},
        {"s": "\ud800"},
        {"x": NESTED},
        {"x": 10**5000},
    ],
    ids=lambda value: next(iter(value)),
)
def test_what_can_not_be_stored_is_refused(value):
    for name in ("meta", "cb_kwargs"):
        with pytest.raises(RequestInvalid, match=f"^{name} .*JSON.*{URL}"):
            Request(URL, **{name: value})


@pytest.mark.parametrize("value", [[1], "text", 1, (), [], "", 0, False])
def test_meta_must_be_a_dict(value):
    for name in ("meta", "cb_kwargs"):
        with pytest.raises(RequestInvalid, match=f"{name} must be a dict"):
            Request(URL, **{name: value})


def test_a_form_is_posted():
    request = Request(URL, form={"a": "ä b", "c": [1, 2]})
    assert (request.method, request.body, request.form) == ("POST", b"a=%C3%A4+b&c=1&c=2", None)
    assert request.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert Request(URL, form=[("a", "1"), ("a", "2")], method="put").method == "PUT"
    assert Request(URL, form={}).body == b""


def test_json_is_posted_and_keeps_a_given_content_type():
    request = Request(URL, json={"a": "ä"}, headers={"content-type": "application/vnd.api+json"})
    assert (request.method, request.body, request.json) == ("POST", b'{"a": "\\u00e4"}', None)
    assert request.headers == {"content-type": "application/vnd.api+json"}
    assert Request(URL, form={}, headers={"CONTENT-TYPE": "x/y"}).headers == {"CONTENT-TYPE": "x/y"}
    assert Request(URL, json=[]).headers == {"Content-Type": "application/json"}


def test_a_body_is_bytes():
    assert Request(URL, body="ä", method="POST").body == "ä".encode()
    assert Request(URL, body=bytearray(b"x"), method="post").method == "POST"
    assert type(Request(URL, body=bytearray(b"x")).body) is bytes
    assert Request(URL, body=b"").body == b""


def test_headers_are_text():
    assert Request(URL, headers={"A": b"\xe4", b"B": 3, "C": 1.5, "D": "ä", "E": ""}).headers == {
        "A": "ä", "B": "3", "C": "1.5", "D": "ä", "E": ""
    }  # fmt: skip
    assert Request(URL, headers=[("A", "b")]).headers == {"A": "b"}
    assert Request(URL, headers=()).headers == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"form": {}, "json": {}}, "form and json can't be given together"),
        ({"body": b"", "form": {}, "json": {}}, "body and form and json"),
        ({"body": 3}, "body must be bytes or text, not int"),
        ({"body": "\ud800"}, "body can't be sent: .*surrogates"),
        ({"form": 3}, "form must be a mapping or pairs"),
        ({"form": ["abc"]}, "form must be a mapping or pairs"),
        ({"form": {"a": "\ud800"}}, "form must be"),
        ({"json": object()}, "json must be JSON"),
        ({"json": float("inf")}, "json must be JSON"),
        ({"method": "BREW"}, "unknown method 'BREW'"),
        ({"method": ""}, "unknown method ''"),
        ({"method": None}, "method must be a name, not None"),
        ({"headers": {"A\nB": "x"}}, "can't be sent"),
        ({"headers": {"A:": "x"}}, "can't be sent"),
        ({"headers": {"": "x"}}, "can't be sent"),
        ({"headers": {"Ä": "x"}}, "can't be sent"),
        ({"headers": {"A": "x\r\nB: y"}}, "can't be sent"),
        ({"headers": {"A": "x\n"}}, "can't be sent"),
        ({"headers": {"A": "\0"}}, "can't be sent"),
        ({"headers": {"A": "€"}}, "can't be sent"),
        ({"headers": {"A": None}}, "header 'A' must be text, not None"),
        ({"headers": {"A": ["x"]}}, "header 'A' must be text"),
        ({"headers": ["abc"]}, "headers must be a mapping or pairs"),
        ({"headers": 3}, "headers must be a mapping or pairs"),
        ({"priority": 1.0}, "priority must be a whole number"),
        ({"priority": True}, "priority must be a whole number"),
        ({"priority": None}, "priority must be a whole number"),
        ({"priority": 2**63}, "priority must be a whole number up to"),
        ({"priority": -(2**63)}, "priority must be a whole number up to"),
        ({"timeout": 0}, "timeout must be a number of seconds"),
        ({"timeout": -1}, "timeout must be a number of seconds"),
        ({"timeout": "3"}, "timeout must be a number of seconds"),
        ({"timeout": float("nan")}, "timeout must be a number of seconds"),
        ({"delay": float("inf")}, "delay must be a number of seconds"),
        ({"delay": -0.1}, "delay must be a number of seconds"),
        ({"session": None}, "session and proxy must be text"),
        ({"session": 0}, "session and proxy must be text"),
        ({"proxy": 3128}, "session and proxy must be text"),
        ({"handle_statuses": 404}, "handle_statuses must be HTTP statuses"),
        ({"handle_statuses": "404"}, "handle_statuses must be HTTP statuses"),
        ({"handle_statuses": None}, "handle_statuses must be HTTP statuses"),
        ({"handle_statuses": ["404"]}, "handle_statuses must be HTTP statuses"),
        ({"handle_statuses": [404, 2**70]}, "handle_statuses must be HTTP statuses"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_refused_in_one_line_that_names_the_url(arguments, message):
    with pytest.raises(RequestInvalid, match=message) as caught:
        Request(URL, **arguments)
    assert URL in str(caught.value)
    assert "\n" not in str(caught.value)


def test_good_rare_arguments_are_kept():
    request = Request(
        URL, timeout=1, delay=0, session="a", proxy="http://p:3128", handle_statuses=[404, 410], priority=-5
    )
    assert (request.timeout, request.delay, request.session, request.proxy) == (1, 0, "a", "http://p:3128")
    assert (request.handle_statuses, request.priority) == ((404, 410), -5)
    assert Request(URL, handle_statuses={404}).handle_statuses == (404,)
    assert Request(URL, handle_statuses=[]).handle_statuses == ()


def test_replace_changes_a_copy_and_checks_it():
    request = Request(URL, SPIDER.parse, priority=3, headers={"A": "b"})
    copy = request.replace(url="https://example.org/b", callback=SPIDER.parse_book)
    assert copy == Request("https://example.org/b", "parse_book", priority=3, headers={"A": "b"})
    assert request.url == URL
    with pytest.raises(RequestInvalid):
        request.replace(url="nowhere")


def test_replace_swaps_one_kind_of_body_for_another():
    form = Request(URL, form={"a": 1}, headers={"A": "b"})
    assert form.replace(json=[1]) == Request(URL, json=[1], headers={"A": "b"})
    assert form.replace(form={"a": 2}).body == b"a=2"
    assert form.replace(body=b"x", headers={}) == Request(URL, method="POST", body=b"x")
    assert form.replace(body=None, method="GET") == Request(URL, headers={"A": "b"})
    assert form.replace(priority=1).body == form.body


@pytest.mark.parametrize(
    ("session", "visitor", "jar"),
    [("", "", ""), ("ann", "ann", "ann"), ("=>bob", "", "bob"), ("ann=>bob", "ann", "bob"), ("ann=>", "ann", "")],
)
def test_a_session_says_who_asks_and_whose_cookies_are_sent(session, visitor, jar):
    request = Request(URL, session=session)
    assert (request.session, request.visitor, request.jar) == (session, visitor, jar)
