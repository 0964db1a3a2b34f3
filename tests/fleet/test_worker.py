import json

import pydantic
import pytest

from scrapekit.errors import CallbackError, ItemError, ParseError, RequestError, StatusError
from scrapekit.messages import Failed, Fetched, Lease, Page, Redirected, Request
from scrapekit.spider import Spider
from scrapekit.testing import SimulatedPage, SimulatedWeb

A = "http://a.test/"


class Sample(Spider):
    def parse(self, response):
        yield {"status": response.status, "text": response.text}
        yield Request(f"{A}next")

    def with_arguments(self, response, n):
        yield {"n": n, "meta": response.meta}

    def half(self, response):
        yield {"n": 1}
        yield Request(f"{A}next")
        raise ValueError("half-way")

    def makes(self, response):
        yield {"n": 1}
        yield Model(price="cheap")

    def gives(self, response):
        yield {"n": 1}
        yield ItemError("price: is missing", {"title": "A"}, field="price")

    def returns(self, response):
        return ItemError("nothing here")

    def exits(self, response):
        raise SystemExit(3)

    def flags(self, response):
        response.flags.append("odd")

    def misspelt(self, response):
        yield Request(A, "prase")

    def reads(self, response):
        return {"doc": response.doc}

    def failed(self, error):
        yield {"error": type(error).__name__, "message": str(error), "url": error.request.url}
        if isinstance(error, StatusError):
            yield {"body": error.response.text, "header": error.response.headers["x-a"]}

    def failed_badly(self, error):
        yield {"n": 1}
        raise LookupError("errback")


class Model(pydantic.BaseModel):
    price: float


EMPTY = SimulatedPage()


def process(page=EMPTY, *, request=None, options=None, **lease):
    request = request or Request(A, errback=None)
    worker = SimulatedWeb({A: page}).worker(Sample(), **(options or {}))
    return worker.process(Lease(7, request, "a.test", **lease))


def test_a_page_is_fetched_and_its_callback_run():
    page = SimulatedPage(text="hello", headers=(("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")))
    outcome = process(page)
    assert isinstance(outcome, Fetched)
    assert (outcome.id, outcome.status, outcome.size, outcome.set_cookies) == (7, 200, 5, ["a=1", "b=2"])
    assert outcome.yielded.items == [b'{"status":200,"text":"hello"}']
    assert [link.url for link in outcome.yielded.links] == [f"{A}next"]
    assert outcome.page is None
    assert outcome.kept is None


def test_a_callback_gets_its_arguments_and_meta():
    request = Request(A, "with_arguments", cb_kwargs={"n": 3}, meta={"k": [1]})
    assert process(request=request).yielded.items == [b'{"n":3,"meta":{"k":[1]}}']


def test_a_response_is_kept_and_no_callback_run_where_it_is_asked_for():
    outcome = process(SimulatedPage(text="x"), options={"keep": True})
    assert (outcome.kept.text, outcome.yielded.items) == ("x", [])


def test_a_robots_txt_is_handed_over_as_it_is():
    worker = SimulatedWeb({A: SimulatedPage(text="rules")}).worker(Sample())
    outcome = worker.process(Lease(-1, Request(A), "a.test"))
    assert (outcome.page, outcome.yielded.items) == (Page(A, 200, [], b"rules"), [])


def test_flags_that_the_callback_adds_are_reported():
    assert process(request=Request(A, "flags")).flags == ("odd",)


@pytest.mark.parametrize("status", [400, 404, 500, 304, 300, 199])
def test_a_status_that_nobody_handles_is_a_failure(status):
    outcome = process(SimulatedPage(status=status, headers=(("Retry-After", "5"),)))
    assert isinstance(outcome, Failed)
    assert (outcome.error, outcome.status, outcome.message) == ("StatusError", status, f"status {status}")
    assert (outcome.url, outcome.retry_after, outcome.page) == (A, "5", None)


@pytest.mark.parametrize("status", [404, 302, 304])
def test_a_status_that_the_request_handles_goes_to_the_callback(status):
    outcome = process(SimulatedPage(status=status, text="x"), request=Request(A, handle_statuses=[status]))
    assert outcome.yielded.items == [b'{"status":%d,"text":"x"}' % status]


def test_the_body_of_a_failure_is_kept_for_its_errback_up_to_a_limit():
    outcome = process(SimulatedPage(status=404, text="x" * 2**21), request=Request(A, errback="failed"))
    assert len(outcome.page.body) == 2**20


def test_a_download_that_fails_is_a_failure():
    outcome = process(SimulatedPage(error="DNSError"))
    assert (outcome.error, outcome.message, outcome.status, outcome.traceback) == (
        "DNSError",
        "simulated DNSError",
        0,
        None,
    )


# Redirects


@pytest.mark.parametrize(
    ("status", "method", "then", "body"),
    [
        (301, "POST", "GET", None),
        (302, "POST", "GET", None),
        (303, "PUT", "GET", None),
        (307, "POST", "POST", b"x"),
        (308, "PUT", "PUT", b"x"),
    ],
)
def test_a_redirect_is_the_request_that_follows_it(status, method, then, body):
    page = SimulatedPage(status=status, headers=(("Location", "/to"), ("Set-Cookie", "a=1")))
    request = Request(
        A,
        "half",
        method=method,
        body="x",
        headers={"X-A": "1", "Content-Type": "text/plain"},
        priority=3,
        errback="failed",
        dont_filter=True,
    )
    outcome = process(page, request=request)
    assert isinstance(outcome, Redirected)
    assert outcome.set_cookies == ["a=1"]
    link = outcome.link
    assert (link.url, link.callback, link.priority, link.fingerprint) == (f"{A}to", "half", 3, None)
    from scrapekit.messages import request_of

    followed = request_of(link.url, link.callback, link.priority, link.extra, dont_filter=True)
    assert (followed.method, followed.body, followed.errback) == (then, body, "failed")
    assert followed.headers == ({"X-A": "1"} if body is None else request.headers)


def test_credentials_stay_with_their_origin():
    page = SimulatedPage(status=302, headers=(("Location", "http://b.test/"),))
    outcome = process(page, request=Request(A, headers={"Authorization": "Basic x", "X-A": "1"}))
    assert b"Authorization" not in outcome.link.extra
    assert b"X-A" in outcome.link.extra


@pytest.mark.parametrize("target", ["https://a.test/", "http://a.test:81/", "http://www.a.test/"])
def test_headers_that_were_declared_secret_stay_with_their_origin_too(target):
    request = Request(A, headers={"x-api-KEY": "s3cret", "X-A": "1"})
    options = {"secret_headers": ["X-Api-Key"]}
    outcome = process(SimulatedPage(status=307, headers=(("Location", target),)), request=request, options=options)
    assert b'"headers":{"X-A":"1"}' in outcome.link.extra
    outcome = process(SimulatedPage(status=307, headers=(("Location", "/to"),)), request=request, options=options)
    assert b"s3cret" in outcome.link.extra


def test_a_redirect_to_two_places_is_a_failure():
    page = SimulatedPage(status=302, headers=(("Location", "/a"), ("Location", "/b")))
    assert process(page).message == "status 302 to more than one place"


def test_of_ten_thousand_cookies_a_response_sets_as_many_as_a_domain_may_have():
    page = SimulatedPage(headers=tuple(("Set-Cookie", f"a{n}=1") for n in range(10_000)))
    outcome = process(page)
    assert outcome.set_cookies == [f"a{n}=1" for n in range(180)]


@pytest.mark.parametrize("location", [None, "", "mailto:x@y.test", "http://[bad"])
def test_a_redirect_that_can_not_be_followed_is_a_failure(location):
    page = SimulatedPage(status=302, headers=() if location is None else (("Location", location),))
    outcome = process(page)
    assert (outcome.error, outcome.status) == ("BadRedirect", 302)


# What user code does


def test_a_callback_that_raises_half_way_emits_nothing():
    outcome = process(request=Request(A, "half"))
    assert (outcome.error, outcome.message, outcome.status) == (
        "CallbackError",
        "half raised ValueError: half-way",
        200,
    )
    assert outcome.yielded is None
    assert "in half" in outcome.traceback


def test_unless_the_spider_keeps_what_came_before():
    outcome = process(request=Request(A, "half"), options={"keep_partial": True})
    assert outcome.error == "CallbackError"
    assert outcome.yielded.items == [b'{"n":1}']
    assert len(outcome.yielded.links) == 1


def test_system_exit_costs_its_page_only():
    outcome = process(request=Request(A, "exits"))
    assert (outcome.error, outcome.message) == ("CallbackError", "exits raised SystemExit: 3")


def test_a_request_to_an_unknown_callback_is_the_error_of_the_page_that_made_it():
    outcome = process(request=Request(A, "misspelt"))
    assert outcome.error == "CallbackError"
    assert "did you mean 'parse'?" in outcome.message


def test_a_callback_that_is_gone_after_a_restart_is_a_failure():
    outcome = process(request=Request(A, "renamed"))
    assert (outcome.error, outcome.yielded) == ("CallbackError", None)
    assert "unknown callback 'renamed'" in outcome.message


@pytest.mark.parametrize("callback", ["parse", "reads"])
def test_a_parser_that_raises_is_a_parse_error(callback):
    web = SimulatedWeb({A: SimulatedPage()})
    worker = web.worker(Sample())
    worker._parse = lambda response: 1 / 0
    outcome = worker.process(Lease(1, Request(A, callback), "a.test"))
    assert (outcome.error if callback == "reads" else "ParseError") == ParseError.__name__


def test_a_pipeline_that_can_not_be_made_costs_each_page_and_no_worker():
    class Broken(Sample):
        class Unmakeable:
            def __init__(self):
                raise OSError("no database")

        pipelines = (Unmakeable,)

    worker = SimulatedWeb({A: SimulatedPage()}).worker(Broken())
    for _ in range(2):
        outcome = worker.process(Lease(1, Request(A), "a.test"))
        assert (outcome.error, outcome.message) == ("CallbackError", "OSError: no database")
    worker.close_thread()


@pytest.mark.parametrize("error", [RuntimeError("bug"), MemoryError(), KeyboardInterrupt(), GeneratorExit()])
def test_bugs_below_cost_their_page_only(error):
    web = SimulatedWeb({})

    def fetch(*args, **options):
        raise error

    web.fetch = fetch
    outcome = web.worker(Sample()).process(Lease(1, Request(A), "a.test"))
    assert outcome.message == f"{type(error).__name__}: {error}".rstrip()


# Errbacks


def errback(failure, name="failed"):
    return process(request=Request(A, errback=name), failure=failure)


def test_an_errback_gets_the_error_with_its_response():
    page = Page(A, 404, [("X-A", "1")], b"not here")
    outcome = errback(Failed(id=7, error="StatusError", message="status 404", status=404, url=A, page=page))
    assert outcome.final
    assert outcome.page is None
    assert outcome.yielded.items == [
        b'{"error":"StatusError","message":"status 404","url":"http://a.test/"}',
        b'{"body":"not here","header":"1"}',
    ]


def test_an_errback_of_a_failure_without_a_response_gets_the_error_alone():
    outcome = errback(Failed(id=7, error="DNSError", message="no such host", url=A))
    assert (outcome.final, outcome.error, len(outcome.yielded.items)) == (True, "DNSError", 1)


def test_an_errback_that_raises_is_the_failure_and_does_not_hide_the_first():
    outcome = errback(Failed(id=7, error="DNSError", message="no such host", url=A), "failed_badly")
    assert (outcome.final, outcome.error, outcome.yielded) == (True, "CallbackError", None)
    assert outcome.message == (
        "failed_badly raised LookupError: errback; the request had failed of DNSError: no such host"
    )


def test_an_errback_that_is_gone_is_the_failure():
    outcome = errback(Failed(id=7, error="DNSError", message="", url=A), "renamed")
    assert outcome.final
    assert "unknown callback 'renamed'" in outcome.message


def test_the_errors_have_their_class():
    assert issubclass(CallbackError, RequestError)


# Items that are not as they must be


@pytest.mark.parametrize(("keep", "items"), [(False, []), (True, [b'{"n":1}'])])
def test_an_item_that_refuses_to_be_made_costs_the_page_and_is_told_as_well(keep, items):
    outcome = process(request=Request(A, "makes"), options={"keep_partial": keep})
    assert isinstance(outcome, Failed)
    assert outcome.error == "CallbackError"
    assert outcome.yielded.items == items
    [rejected] = outcome.yielded.rejected
    record = json.loads(rejected.record)
    assert (record["field"], record["value"], record["url"]) == ("price", "cheap", A)


def test_an_item_error_that_is_yielded_costs_its_item():
    outcome = process(request=Request(A, "gives"))
    assert isinstance(outcome, Fetched)
    assert outcome.yielded.items == [b'{"n":1}']
    [rejected] = outcome.yielded.rejected
    assert rejected.message == "price: is missing"
    assert json.loads(rejected.record)["item"] == {"title": "A"}


def test_an_item_error_may_be_returned():
    outcome = process(request=Request(A, "returns"))
    assert [each.message for each in outcome.yielded.rejected] == ["nothing here"]
