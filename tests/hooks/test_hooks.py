"""Hooks in real crawls: what they see, what they may change, and what becomes of responses that they turn down."""

import threading
from collections import Counter
from importlib.metadata import EntryPoint

import pytest

import scrapekit
from scrapekit import Form, Request, Spider
from scrapekit.errors import Banned, ProxyError, SpiderError
from scrapekit.hooks import BanRules, Hooks, RenewLogin, RotateUserAgents, runner
from scrapekit.testing import Reply, serve

NO_WAIT = {"retry": {"backoff": {"initial": 0.01}}}


def crawl(spider, app, settings=None, **arguments):
    with serve(app) as server:
        items = list(scrapekit.crawl(spider, url=server.url, settings=NO_WAIT | (settings or {}), **arguments))
        return items, [request for request in server.log if request.path != "/robots.txt"]


def echo(request):
    if request.path == "/robots.txt":
        return Reply(b"", 404)
    return Reply(f"{request.headers['user-agent']}|{request.headers.get('cookie', '')}".encode())


class Start(Spider):
    url = ""

    def start(self):
        yield Request(f"{self.url}/page")

    def parse(self, response):
        yield {"text": response.text, "session": response.request.jar}


class Seen:
    points = []
    lock = threading.Lock()

    def note(self, *what):
        with self.lock:
            self.points.append(what)

    def on_start(self, spider):
        self.note("start", spider.name)

    def new_request(self, request):
        self.note("new", request.url.rpartition("/")[2])
        return request.replace(session="ann", cookies={"who": "ann"})

    def before_request(self, request):
        self.note("before", request.session)
        return request.replace(headers={"User-Agent": "hooked"})

    def after_response(self, response):
        self.note("after", response.status)

    def on_item(self, item):
        self.note("item", item["text"])

    def on_error(self, error):
        self.note("error", type(error).__name__)

    def on_finish(self, report):
        self.note("finish", report.items)


class Watched(Start):
    hooks = [Seen, RotateUserAgents(["a/1"])]

    def parse(self, response):
        yield from super().parse(response)
        yield response.follow("/bad")

    def start(self):
        yield Request(f"{self.url}/page", "parse")


def test_each_point_is_called_where_it_is_said_and_may_change_what_it_is_said():
    Seen.points.clear()
    items, _ = crawl(Watched, lambda request: Reply(b"", 500 if request.path == "/bad" else 404)
                     if request.path != "/page" else echo(request), {"retry": {"times": 0}})  # fmt: skip
    assert items == [{"text": "a/1|who=ann", "session": "ann"}]
    assert Seen.points.index(("start", "watched")) < Seen.points.index(("before", "ann"))
    Seen.points.remove(("start", "watched"))
    assert Seen.points == [
        ("new", "page"), ("before", "ann"), ("after", 200), ("new", "bad"), ("item", "a/1|who=ann"),
        ("before", "ann"), ("after", 500), ("error", "StatusError"), ("finish", 1),
    ]  # fmt: skip


class TwoVisitors(Start):
    hooks = [BanRules(text="access denied", statuses=[403], sessions=["ann", "bob"])]

    def start(self):
        yield Request(f"{self.url}/hello-ann", "page", session="ann", cookies={"name": "ann"})
        yield Request(f"{self.url}/hello-bob", "page", session="bob", cookies={"name": "bob"})

    def page(self, response):
        if response.request.session == "ann":
            yield Request(f"{self.url}/page")


@pytest.mark.parametrize("fleet", ["threads", "processes:1"])
def test_a_ban_page_is_tried_again_as_another_visitor(fleet):
    def app(request):
        if request.path == "/robots.txt":
            return Reply(b"", 404)
        if request.path != "/page" or request.headers.get("cookie", "") == "name=bob":
            return Reply(b"welcome")
        return Reply(b"Access DENIED")

    items, log = crawl(TwoVisitors, app, {"fleet": {"kind": fleet}})
    assert items == [{"text": "welcome", "session": "bob"}]
    cookies = [request.headers.get("cookie") for request in log if request.path == "/page"]
    assert cookies == [None, "name=ann", "name=bob"]


def test_what_a_page_leads_to_that_was_had_in_another_session_is_fetched_once_for_all_sessions():
    class Round(Start):
        hooks = [BanRules(statuses=[403], sessions=["ann", "bob"])]
        settings = {"retry": {"times": 4}}

        def start(self):
            yield Request(f"{self.url}/0")

        def parse(self, response):
            yield {"url": response.url, "session": response.request.jar}
            yield from response.follow_all("a")

    seen = Counter()

    def app(request):
        seen[request.path] += 1
        if seen[request.path] < {"/1": 2, "/2": 3}.get(request.path, 0):
            return Reply(b"", 403)
        html = "".join(f"<a href=/{n}>x</a>" for n in range(6))
        return Reply(html.encode(), headers=[("Content-Type", "text/html"), ("Set-Cookie", f"from={request.path[1:]}")])

    items, _ = crawl(Round, app, {"robots": {"obey": False}, "workers": 1})
    assert seen == {"/0": 1, "/1": 2, "/2": 3, "/3": 1, "/4": 1, "/5": 1}
    assert sorted(item["session"] for item in items) == ["", "", "", "", "ann", "bob"]


def test_a_ban_that_stays_is_a_failure_of_that_name_and_its_errback_runs():
    class Unlucky(Start):
        hooks = [BanRules(statuses=[403])]

        def start(self):
            yield Request(f"{self.url}/fine", "fine")
            yield Request(f"{self.url}/page", errback="banned")

        def fine(self, response):
            pass

        def banned(self, error):
            yield {"error": type(error).__name__, "is_ban": isinstance(error, Banned), "message": str(error)}

    def app(request):
        return Reply(b"", 200 if request.path == "/fine" else 403)

    items, log = crawl(Unlucky, app, {"robots": {"obey": False}})
    assert items == [{"error": "Banned", "is_ban": True, "message": "status 403 means a ban here"}]
    assert len(log) == 1 + 4  # retry.times


class Shop(Spider):
    hooks = [BanRules(statuses=[403], text="robots? not welcome", sessions=["ann", "bob"])]
    start_urls = ["http://shop.test/"]

    def parse(self, response):
        yield {"page": response.text, "session": response.request.jar}


@pytest.mark.parametrize("ban", [Reply(b"Robots not welcome"), Reply(b"", 403)], ids=["text", "status"])
def test_a_ban_page_is_tried_again_in_another_session_through_another_proxy(ban):
    with serve(lambda _: ban) as banned, serve(lambda _: Reply(b"hello")) as welcome:
        settings = NO_WAIT | {"robots": {"obey": False}, "http": {"proxies": [banned.url, welcome.url]}}
        items = list(scrapekit.crawl(Shop, settings=settings))
        assert [request.target for request in banned.log] == ["http://shop.test/"]
    assert items == [{"page": "hello", "session": "ann"}]


class HealthyProxy:
    proxies = []

    def __init__(self):
        self.failed = set()

    def before_request(self, request):
        healthy = [proxy for proxy in self.proxies if proxy not in self.failed]
        return request.replace(proxy=(healthy or self.proxies)[0])

    def on_error(self, error):
        if isinstance(error, ProxyError):
            self.failed.add(error.request.proxy)


class Careful(Shop):
    start_urls = [f"http://shop.test/{n}" for n in range(3)]

    def __init__(self, proxies):
        super().__init__(proxies=proxies)
        self.hooks = [type("Through", (HealthyProxy,), {"proxies": proxies})]


@pytest.mark.parametrize("fleet", ["threads", "processes:1"])
def test_a_hook_may_choose_proxies_by_their_health(fleet):
    with serve(lambda _: Reply(b"hello")) as gone:
        dead = gone.url
    with serve(lambda _: Reply(b"hello")) as alive:
        settings = NO_WAIT | {"robots": {"obey": False}, "workers": 1, "fleet": fleet}
        report = scrapekit.run(Careful, proxies=[dead, alive.url], settings=settings)
        assert len(alive.log) == 3
    assert (report.items, report.stats.retries) == (3, 1)


def test_an_error_knows_the_request_as_it_was_sent_and_a_retry_is_of_the_one_that_is_stored():
    class Told(BanRules):
        sent, stored = [], []

        def before_request(self, request):
            return request.replace(headers={"User-Agent": f"agent {len(self.sent)}"})

        def after_response(self, response):
            self.stored.append(response.request.headers)
            super().after_response(response)

        def on_error(self, error):
            self.sent.append((type(error).__name__, error.request.headers))

    hook = Told(statuses=[403], sessions=["ann"])
    settings = {"robots": {"obey": False}, "retry": {"times": 1, "backoff": {"initial": 0.01}}}
    with serve(lambda _: Reply(b"", 403)) as server:
        scrapekit.run(type("Banned", (Start,), {"hooks": [hook]}), url=server.url, settings=settings)
    assert hook.sent == [("Banned", {"User-Agent": "agent 0"}), ("Banned", {"User-Agent": "agent 1"})]
    assert hook.stored == [{}, {}]


class Members(Spider):
    url = ""
    settings = {"retry": {"times": 6}}

    @property
    def hooks(self):
        return [RenewLogin(f"{self.url}/quotes/login", redirected_to="/quotes/login", wait=0, exempt=["logged_in"])]

    def start(self):
        for number in range(4):
            yield Request(f"{self.url}/quotes/account?{number}", meta={"number": number})

    def log_in(self, response):
        form = Form.from_response(response)
        yield form.submit({"username": "ann", "password": "x"}, "logged_in", dont_filter=True, priority=2000)

    def logged_in(self, response):
        assert response.css("p.user::text").get() == "ann"

    def parse(self, response):
        yield {"number": response.meta["number"], "user": response.css("p.user::text").get()}


def members_only(request):
    """A site whose login page sets no cookie: so all pages that miss the login miss it with the same cookies."""
    if request.path == "/robots.txt":
        return Reply(b"", 404)
    if request.method == "POST":
        return Reply(b"", 302, (("Location", "/quotes/account"), ("Set-Cookie", "session=ann; Path=/")))
    if request.path == "/quotes/login":
        return Reply(b"<form method=post><input name=username><input name=password></form>")
    if "session=ann" in request.headers.get("cookie", ""):
        return Reply(b'<p class="user">ann</p>')
    return Reply(b"", 302, (("Location", "/quotes/login"),))


def test_a_login_renews_itself_once_for_all_pages_that_miss_it():
    settings = {"workers": 1, "retry": {"times": 6, "backoff": {"initial": 0.05}}}
    items, log = crawl(Members, members_only, settings)
    assert sorted(item["number"] for item in items) == [0, 1, 2, 3]
    assert {item["user"] for item in items} == {"ann"}
    assert sum(request.method == "POST" for request in log) == 1


class _Wrong:
    def before_request(self, request):
        return request.replace(session="other")


class _NoRequest:
    def new_request(self, request):
        return 1


class _OtherPage:
    def after_response(self, response):
        raise Banned("x", retry=response.request.replace(url="http://elsewhere.test/"))


class _Raises:
    def on_error(self, error):
        raise LookupError("in on_error")

    def after_response(self, response):
        raise LookupError("in after_response")


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        (_Wrong, "can't change the session: new_request can"),
        (_OtherPage, "must be of the same URL, method and body"),
        (_Raises, "LookupError: in after_response"),
    ],
)
def test_a_hook_that_goes_wrong_costs_the_request_and_is_told(hook, message):
    spider = type("Wrong", (Start,), {"hooks": [hook]})
    with serve(echo) as server:
        report = scrapekit.run(spider, url=server.url)
    [tally] = report.stats.errors.values()
    assert message in tally.message


def test_a_hook_that_returns_no_request_is_told():
    with pytest.raises(
        scrapekit.errors.ScrapekitError, match="new_request of a hook must return a Request or None, not 1"
    ):
        crawl(type("Wrong", (Start,), {"hooks": [_NoRequest]}), echo)


@pytest.mark.parametrize(
    "hooks", ["abc", 5, [object()], ["not-installed"]], ids=["text", "number", "object", "unknown"]
)
def test_what_is_no_hook_is_an_error_at_the_start(hooks):
    with pytest.raises(SpiderError, match="hook"):
        crawl(type("Wrong", (Start,), {"hooks": hooks}), echo)


def test_a_class_that_takes_arguments_says_that_it_wants_an_instance():
    message = r"hooks: RotateUserAgents can't be made .*missing.*give an instance, RotateUserAgents\(\.\.\.\)"
    with pytest.raises(SpiderError, match=message):
        crawl(type("Wrong", (Start,), {"hooks": [RotateUserAgents]}), echo)
    with pytest.raises(TypeError, match="needs a list of sessions, not 'ann'"):
        BanRules(sessions="ann")


class _StartRaises:
    def on_start(self, spider):
        raise LookupError("no database")


class _FinishRaises:
    def on_finish(self, report):
        raise LookupError("no database")


def test_what_a_hook_raises_at_the_start_stops_the_crawl_and_at_the_end_is_logged(caplog):
    with pytest.raises(SpiderError, match="a hook raised LookupError in on_start: no database"):
        crawl(type("Wrong", (Start,), {"hooks": [_StartRaises]}), echo)
    assert len(crawl(type("Wrong", (Start,), {"hooks": [_FinishRaises]}), echo)[0]) == 1
    assert "a hook raised in on_finish" in caplog.text


def test_installed_hooks_are_named(monkeypatch):
    found = [EntryPoint("agents", f"{__name__}:Installed", runner.GROUP), EntryPoint("gone", "gone:x", runner.GROUP)]
    monkeypatch.setattr(runner, "entry_points", lambda group: found)
    assert crawl(type("Named", (Start,), {"hooks": ["agents"]}), echo)[0] == [{"text": "installed/1|", "session": ""}]
    with pytest.raises(SpiderError, match="gone:x can't be loaded"):
        Hooks(["gone"])


def test_a_package_that_is_installed_offers_its_hook_by_an_entry_point(tmp_path, monkeypatch):
    metadata = tmp_path / "agents-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: agents\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[scrapekit.hooks]\nagents = {__name__}:Installed\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert crawl(type("Named", (Start,), {"hooks": ["agents"]}), echo)[0] == [{"text": "installed/1|", "session": ""}]


class Installed(RotateUserAgents):
    def __init__(self):
        super().__init__(["installed/1"])


def test_without_agents_there_is_nothing_to_draw():
    with pytest.raises(ValueError, match="at least one User-Agent"):
        RotateUserAgents([])
