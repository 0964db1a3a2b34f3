"""The commands that look at one page: fetch, select, shell, parse; and what they say when it does not come."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import types
import webbrowser
from pathlib import Path

import pytest

from scrapekit.cli import page
from scrapekit.cli.reading import readable
from scrapekit.testing import Reply, SampleSite, response, serve

HTML = (("Content-Type", "text/html; charset=utf-8"),)
PAGE = """<!doctype html><title>A page</title><script>var x = "<p>not this</p>"</script>
<h1>One &amp; <b>two</b></h1><!-- nor
this --><p>Three
four</p><table><tr><td>5</td><td>6</td></tr></table><a href=/next>next</a> <a href='mailto:x@example.org'>mail</a>
<a href="/next#again">again</a><p>esc\x1b[31m</p>"""


@pytest.fixture
def web():
    def app(request):
        if request.path == "/robots.txt":
            return Reply(b"User-agent: *\nDisallow: /private")
        if request.path == "/gone":
            return Reply(b"<p>gone</p>", 404, HTML)
        if request.path == "/closed":
            return Reply(b"<p>closed</p>", 403, HTML)
        if request.path == "/busy":
            return Reply(b"", 503, (("Retry-After", "2"),))
        if request.path == "/scripts":
            return Reply(b"<div id=app></div><script src=app.js></script>", headers=HTML)
        if request.path == "/feed":
            return Reply(b"<feed xmlns='x:y'><id>1</id></feed>", headers=(("Content-Type", "application/xml"),))
        if request.path == "/moved":
            return Reply(b"", 301, (("Location", "/page"),))
        if request.path == "/image":
            return Reply(b"\x89PNG\0\xff", headers=(("Content-Type", "image/png"),))
        if request.path == "/plain":
            return Reply(b"no markup", headers=(("Content-Type", "text/plain"), ("X-Two", "1"), ("X-Two", "2\x85")))
        return Reply(PAGE.encode(), headers=HTML)

    with serve(app) as server:
        yield server


@pytest.fixture(scope="module")
def quotes():
    with serve(SampleSite(books=3, quotes=30)) as server:
        yield f"{server.url}/quotes/"


def piped(project, *arguments, **options):
    """stdout as bytes, as a pipe gets it."""
    with project.start(*arguments, text=False, **options) as process:
        out, err = process.communicate()
    return process.returncode, out, err


def test_fetch_gives_a_pipe_the_bytes_as_they_are(project, web):
    assert piped(project, "fetch", f"{web.url}/moved") == (0, PAGE.encode(), b"")
    assert piped(project, "fetch", f"{web.url}/image") == (0, b"\x89PNG\0\xff", b"")


def on_a_terminal(project, *arguments, typed=b""):
    """What a command writes to a terminal that it also reads from."""
    ours, theirs = os.openpty()
    written = []

    def read():
        try:
            while chunk := os.read(ours, 65536):
                written.append(chunk)
        except OSError:  # the other side has been closed
            pass

    reader = threading.Thread(target=read)
    environment = {"TERM": "dumb", "HOME": str(project.folder), "PYTHON_HISTORY": "", "PYTHONSTARTUP": ""}
    with project.start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        reader.start()
        os.write(ours, typed)
        process.wait()
        reader.join()
    os.close(ours)
    return process.returncode, b"".join(written).decode()


def test_fetch_gives_a_terminal_text_that_does_nothing_to_it(project, web):
    code, shown = on_a_terminal(project, "fetch", f"{web.url}/page")
    assert code == 0
    assert r"<p>esc\x1b[31m</p>" in shown
    assert "\x1b" not in shown
    code, shown = on_a_terminal(project, "fetch", f"{web.url}/image")
    assert (code, shown) == (0, "(6 bytes of image/png: send them to a file with '> FILE')\r\n")


def test_fetch_shows_headers_with_repeated_ones_apart(project, web):
    code, out, err = project.run("fetch", f"{web.url}/plain", "--headers")
    assert (code, err) == (0, "")
    assert out.startswith(f"200 {web.url}/plain\n")
    assert "\nX-Two: 1\nX-Two: 2\\x85\n" in out


def test_fetch_shows_each_link_once_as_a_crawl_would_follow_it(project, web):
    assert project.run("fetch", f"{web.url}/page", "--links") == (0, f"{web.url}/next\n", "")


def test_fetch_shows_what_a_reader_sees(project, web):
    code, out, _ = project.run("fetch", f"{web.url}/page", "--text")
    assert code == 0
    assert out.splitlines() == ["One & two", "Three four", "5 6", "next mail again", r"esc\x1b[31m"]
    assert project.run("fetch", f"{web.url}/plain", "--text").out == "no markup\n"


def test_what_is_not_there_to_be_shown_is_said(project, web):
    _, out, err = project.run("fetch", f"{web.url}/scripts", "--text")
    assert out == "\n"
    assert err.startswith(f"there is no text on {web.url}/scripts\nwhat a browser shows may have been put there by ")
    _, out, err = project.run("fetch", f"{web.url}/scripts", "--links")
    assert out == ""
    assert err.startswith(f"there are no links on {web.url}/scripts\n")
    assert project.run("fetch", f"{web.url}/image", "--text").out.startswith("(6 bytes of image/png: ")
    code, out, err = project.run("fetch", f"{web.url}/image", "--links")
    assert (code, out) == (1, "")
    assert err.endswith(f"\n'scrapekit fetch {web.url}/image' shows what came, "
                        f"'scrapekit shell {web.url}/image' opens Python with it\n")  # fmt: skip


def test_a_page_without_an_element_has_no_text():
    assert readable(response(body="")) == ""
    assert readable(response(body="<p>a<!-- b --><span>c</span><script>d<!-- e --></script>")) == "ac"


def test_a_page_with_an_error_is_shown_and_is_exit_code_1(project, web):
    code, out, err = project.run("fetch", f"{web.url}/gone", "--text")
    assert (code, out, err) == (1, "gone\n", f"{web.url}/gone: status 404\n")


def test_while_a_page_is_tried_again_it_says_so_and_what_it_waits_for(project, web, monkeypatch):
    monkeypatch.setattr(page, "_LOOK_SECONDS", 0.05)
    code, out, err = project.run("fetch", f"{web.url}/busy", "-s", "retry.times=1")
    assert (code, out) == (1, "")
    again, *waiting, failed, fix = err.splitlines()
    assert again.endswith(f" INFO {web.url}/busy: StatusError: status 503; attempt 2 in 2.0 s")
    assert any(
        re.fullmatch(r"waiting: 127\.0\.0\.1: Retry-After until .* \(Ctrl-C gives up\)", each) for each in waiting
    )
    assert failed == f"scrapekit: error: {web.url}/busy: status 503"
    assert fix == "the site is in trouble, or wants fewer requests: try again later"


def test_a_page_that_refuses_is_shown_with_what_it_may_want(project, web):
    code, out, err = project.run("fetch", f"{web.url}/closed")
    assert (code, out) == (1, "<p>closed</p>")
    assert err.startswith(f"{web.url}/closed: status 403\nit refuses this visitor: it may want a login (http.auth, ")


@pytest.mark.parametrize(
    ("url", "code", "said", "fix"),
    [
        ("{site}/private", 1, "robots.txt forbids it", "-s robots.obey=false"),
        ("http://127.0.0.1:1/", 1, "refused", "is it up"),
        ("example.org", 2, "it has no scheme such as https://", "a URL looks like https://example.org/page"),
        ("ftp://example.org/", 2, "the scheme must be http or https", "a URL looks like"),
    ],
)
@pytest.mark.parametrize("command", ["fetch", "select", "parse"])
def test_a_page_that_does_not_come_is_said_with_cause_and_fix(project, web, command, url, code, said, fix):
    more = {"fetch": [], "select": ["a"], "parse": ["--spider", "pages"]}[command]
    ended = project.run(command, url.format(site=web.url), *more, "-s", "retry.times=0")
    assert (ended.code, ended.out) == (code, "")
    line, hint = ended.err.splitlines()
    assert line.startswith("scrapekit: error: ")
    assert said in line
    assert fix in hint


def test_ctrl_c_ends_a_page_that_does_not_come_with_130(project):
    asked, answer = threading.Event(), threading.Event()

    def app(request):
        asked.set()
        assert answer.wait(60)
        return Reply(b"")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore the signal
    try:
        with serve(app) as server, project.start("fetch", server.url) as process:
            assert asked.wait(60)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate()
            answer.set()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (process.returncode, out, err) == (130, "", "\nscrapekit: error: interrupted\n")


def test_what_looks_at_a_page_keeps_to_the_settings_of_the_folder(project, web):
    project.write("settings.yaml", "http: {user_agent: mybot/1.0}\nrobots: {obey: false}")
    assert project.run("fetch", f"{web.url}/private", "--text").code == 0
    assert project.run("select", f"{web.url}/private", "h1", "-s", "http.user_agent=other/2").code == 0
    assert [view.headers["user-agent"] for view in web.log] == ["mybot/1.0", "other/2"]


@pytest.mark.parametrize(
    ("query", "out"),
    [
        ("h1 ::text", "One &\ntwo\n"),
        ("h1 b", "<b>two</b>\n"),
        ("p::text", "Three four\nesc\\x1b[31m\n"),
        ("//a/@href", "/next\nmailto:x@example.org\n/next#again\n"),
        ("count(//a)", "3.0\n"),
        ("(//td)[2]/text()", "6\n"),
        ("./body/p[1]/text()", "Three four\n"),
        ("descendant::b/text()", "two\n"),
    ],
)
def test_select_takes_css_and_xpath(project, web, query, out):
    assert project.run("select", f"{web.url}/page", query) == (0, out, "")


def test_select_says_when_there_is_nothing_and_when_it_is_no_selector(project, web):
    code, out, err = project.run("select", f"{web.url}/page", "h2")
    assert (code, out) == (1, "")
    assert err.startswith(f"nothing on {web.url}/page is selected by h2\n")
    code, _, err = project.run("select", f"{web.url}/feed", "id")
    assert (code, err.splitlines()[1][:46]) == (1, "what is in a namespace of XML is selected by '")
    assert project.run("select", f"{web.url}/feed", "*|id::text").out == "1\n"
    code, out, err = project.run("select", f"{web.url}/page", "h2[")
    assert (code, out) == (2, "")
    assert err.startswith("scrapekit: error: CSS selector 'h2[' failed: ")
    code, out, err = project.run("select", f"{web.url}/plain", "h2")
    assert (code, out) == (1, "")
    assert "needs an HTML or XML document; the media type of" in err


SCRIPT = """
assert response.status == 200
print(css("h1 b::text").get(), xpath("string(//title)").get())
print(fetch(response.urljoin("/gone")).status, css("p::text").get(), response.status)
print(view().read_text())
"""


def test_the_shell_runs_what_comes_through_a_pipe(project, web, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(tempfile, "tempdir", str(project.folder))
    monkeypatch.setattr(sys, "stdin", io.StringIO(SCRIPT))
    code, out, err = project.run("shell", f"{web.url}/page")
    assert (code, err) == (0, f"{web.url}/gone: status 404\n")
    assert out.splitlines() == [
        "two A page",
        "404 gone 404",
        f'<meta charset="utf-8"><base href="{web.url}/gone"><p>gone</p>',
    ]
    assert opened[0].startswith("file:///")
    monkeypatch.setattr(sys, "stdin", io.StringIO("assert view().read_bytes() == response.body"))
    assert project.run("shell", f"{web.url}/plain").code == 0
    monkeypatch.setattr(sys, "stdin", None)
    assert project.run("shell", f"{web.url}/page") == (0, "", "")


def test_the_shell_on_a_terminal_says_what_there_is(project, web):
    (project.folder / "IPython.py").write_text("raise ImportError")
    code, shown = on_a_terminal(project, "shell", f"{web.url}/page", typed=b"css('h1 b::text').get()\nexit()\n")
    assert code == 0
    assert f"<Response 200 {web.url}/page" in shown
    assert "fetch(URL)" in shown
    assert "'two'" in shown


def test_the_shell_is_ipython_where_that_is_installed(project, web, monkeypatch):
    begun = []
    module = types.ModuleType("IPython")
    module.start_ipython = lambda argv, user_ns: begun.append((argv, user_ns["response"].status))
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(isatty=lambda: True))
    code, _, err = project.run("shell", f"{web.url}/page")
    assert (code, begun) == (0, [(["--no-banner"], 200)])
    assert "view()" in err


QUOTES = """
    from scrapekit import DropItem, Request, Spider, StopCrawl

    def no_short_ones(item):
        if len(item["text"]) < int(item.get("least", 0)):
            raise DropItem("too short")
        return item

    class Quotes(Spider):
        pipelines = [no_short_ones]
        least = 0

        def parse(self, response):
            for quote in response.css("div.quote"):
                yield {"text": quote.css(".text::text").get(), "tags": quote.css(".tag::text").getall(), "least": self.least}
            yield from response.follow_all("li.next a", self.parse)
            yield Request(response.url, self.stops, method="POST")

        def stops(self, response):
            yield {"text": response.doc}
            raise StopCrawl("enough")

        def fails(self, response):
            raise ValueError("no\\x1b[31m")

        def broken(self, response):
            yield {"text": "x", "what": object()}
            for number in range(60):
                yield {"text": str(number), "none": None, "number": number}
"""


def test_parse_shows_items_and_requests_of_a_callback(project, quotes):
    project.write("spiders/quotes.py", QUOTES)
    code, out, err = project.run("parse", quotes, "--spider", "quotes")
    assert (code, err) == (0, "")
    assert out.startswith("10 items\n")
    assert "\n2 requests\n" in out
    assert "│ GET    │" in out
    assert "│ stops" in out
    code, out, _ = project.run("parse", quotes, "--spider", "spiders/quotes.py", "-a", "least=100000")
    assert code == 0
    assert out.startswith("0 items\n")
    assert out.endswith("10 dropped by a pipeline: too short\n")


def test_parse_runs_another_callback_with_the_spiders_own_parsers(project, web):
    project.write("spiders/quotes.py", QUOTES.replace("least = 0", "least = 0; parsers = {'text/*': lambda r: 'own'}"))
    code, out, err = project.run("parse", f"{web.url}/page", "--spider", "quotes", "--callback", "stops")
    assert (code, err) == (0, "")
    assert "│ own" in out
    assert out.endswith("0 requests\nStopCrawl: enough\n")


def test_parse_says_what_failed(project, web):
    project.write("spiders/quotes.py", QUOTES)
    code, out, err = project.run("parse", f"{web.url}/page", "--spider", "quotes", "--callback", "fails")
    assert (code, out) == (1, "")
    assert "quotes.py" in err
    assert r"ValueError: no\x1b[31m" in err
    assert err.endswith(f"\nscrapekit: error: fails raised ValueError on {web.url}/page\n")
    assert project.run("parse", f"{web.url}/gone", "--spider", "pages").code == 1
    code, out, err = project.run("parse", f"{web.url}/page", "--spider", "quotes", "--callback", "broken")
    assert code == 1
    assert out.startswith("60 items\n")
    assert "\nand 10 more\n" in out
    assert "what: can't be written as JSON: object is not JSON" in err


def test_parse_needs_a_spider_and_a_callback_that_are_there(project, web):
    assert project.run("parse", web.url).err.startswith("scrapekit: error: Missing option '--spider'")
    assert project.run("parse", web.url, "--spider", "page").err.startswith(
        "scrapekit: error: there is no spider 'page' in spiders/: did you mean 'pages'?"
    )
    code, _, err = project.run("parse", web.url, "--spider", "pages", "--callback", "prase")
    assert code == 2
    assert "unknown callback 'prase'" in err
    assert "did you mean 'parse'?" in err
    assert web.hits.total() == 0


def test_nothing_slow_is_loaded_before_a_command_is_chosen(project):
    code = (
        "import sys; from scrapekit.cli import main; main(sys.argv[1:])\n"
        "print({'lxml', 'urllib3', 'rich', 'yaml', 'msgspec', 'sqlite3', 'ssl', 'code', 'IPython'} & {*sys.modules})"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, "--help"],
        capture_output=True, text=True, check=True, cwd=Path.cwd(),
        env={**os.environ, "PYTHONPATH": str(project.root)},
    )  # fmt: skip
    assert found.stdout.splitlines()[-1] == "set()"
