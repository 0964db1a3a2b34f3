"""Logins, cookies and several visitors in one crawl, against a site that asks for a token and a cookie."""

import json
import secrets
import subprocess
import sys
from urllib.parse import parse_qs

import pytest

import scrapekit
from scrapekit import Form, Request, Spider
from scrapekit.errors import RequestInvalid
from scrapekit.testing import Reply, response, serve


class LoginSite:
    """A form with a token that is good once, a cookie for whoever logs in, and pages for them alone."""

    def __init__(self):
        self.tokens = {}  # by the cookie of the visitor
        self.users = {}

    def __call__(self, request):
        pairs = [pair.partition("=") for pair in request.headers.get("cookie", "").split("; ")]
        cookies = {name: value for name, _, value in pairs}
        if request.path == "/robots.txt":
            return Reply(b"", 404)
        if request.path == "/login" and request.method == "GET":
            visitor, token = secrets.token_hex(4), secrets.token_hex(4)
            self.tokens[visitor] = token
            page = f"""<form method=post action="/login"><input type=hidden name=csrf value={token}>
                <input name=user><input type=password name=password><button name=do value=login>Log in</button></form>"""
            return Reply(page.encode(), headers=(("Content-Type", "text/html"), ("Set-Cookie", f"visitor={visitor}")))
        if request.path == "/login":
            sent = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
            good = sent.get("csrf") == self.tokens.pop(cookies.get("visitor"), None)
            if not good or sent["password"] != f"secret of {sent['user']}" or sent["do"] != "login":
                return Reply(b"no", 403)
            key = secrets.token_hex(4)
            self.users[key] = sent["user"]
            return Reply(b"", 302, (("Location", "/account"), ("Set-Cookie", f"key={key}; Path=/; HttpOnly")))
        user = self.users.get(cookies.get("key"))
        if request.path == "/cookies":
            return Reply(request.headers.get("cookie", "").encode())
        if user is None:
            return Reply(b"who are you?", 401)
        return Reply(f"<p>{user}</p><a href=/orders>orders</a>".encode())


class Accounts(Spider):
    url = ""
    users = "ann,bob"

    def start(self):
        for user in self.users.split(","):
            yield Request(f"{self.url}/login", "log_in", session=user, cb_kwargs={"user": user})

    def log_in(self, response, user):
        form = Form.from_response(response)
        yield form.submit({"user": user, "password": f"secret of {user}"}, self.account)

    def account(self, response):
        yield {"page": response.url.rpartition("/")[2], "user": response.css("p::text").get(),
               "session": response.request.session, "cookies": sorted(response.cookies)}  # fmt: skip
        yield from response.follow_all("a", self.account)


@pytest.mark.parametrize("fleet", ["threads", "processes:1"])
def test_two_users_log_in_and_each_sees_their_own_pages(fleet):
    site = LoginSite()
    with serve(site) as server:
        items = list(scrapekit.crawl(Accounts, url=server.url, settings={"fleet": {"kind": fleet}}))
    cookies = ["key", "visitor"]
    assert sorted(items, key=lambda item: (item["user"], item["page"])) == [
        {"page": page, "user": user, "session": user, "cookies": cookies}
        for user in ("ann", "bob")
        for page in ("account", "orders")
    ]


class Stepwise(Spider):
    url = ""
    settings = {"crawl": {"max_pages": 1}}

    def start(self):
        yield Request(f"{self.url}/cookies", cookies={"a": "1", "gone": "x"}, session="s")

    def parse(self, response):
        yield {"sent": response.text, "seen": response.cookies}
        if "2" not in response.text:
            yield response.follow("/cookies?again", cookies={"a": "2", "gone": None})


def test_cookies_that_a_request_sets_are_the_sessions_and_outlive_the_process(tmp_path):
    with serve(LoginSite()) as server:
        words = [sys.executable, "-m", "scrapekit", "crawl", f"{__file__}:Stepwise"]
        for options in (["-o", "out.jsonl", "-a", f"url={server.url}"], ["-s", "crawl.max_pages=9", "--resume"]):
            done = subprocess.run([*words, *options], cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert lines == [
        {"sent": "a=1; gone=x", "seen": {"a": "1", "gone": "x"}},
        {"sent": "a=2", "seen": {"a": "2"}},
    ]


def test_without_a_jar_they_go_with_that_request_alone():
    with serve(LoginSite()) as server:
        settings = {"http": {"cookies": False}, "crawl": {"max_pages": 3}}
        items = list(scrapekit.crawl(Stepwise, url=server.url, settings=settings))
    assert [item["sent"] for item in items] == ["a=1; gone=x", "a=2"]


def test_a_response_knows_the_cookies_that_were_sent_and_those_that_it_sets():
    headers = scrapekit.testing.response().headers.copy()
    for header in ("b=2; Path=/x", "c=; Max-Age=0", "d=3; Domain=elsewhere.test"):
        headers.add("Set-Cookie", header)
    page = response("https://a.test/", headers=headers, cookies="a=1; c=9")
    assert page.cookies == {"a": "1", "b": "2"}
    assert response().cookies == {}


@pytest.mark.parametrize(
    "cookies", ["a=1", {"a": 1}, {1: "a"}, {"a b": "1"}, {"a": "1;2"}, {"a": "1\r\n"}, {"a": "☃"}], ids=repr
)
def test_cookies_that_can_not_be_sent_are_an_error_where_they_are_given(cookies):
    with pytest.raises(RequestInvalid, match="cookies must be a dict of text"):
        Request("https://a.test/", cookies=cookies)
