"""The dashboard in a real browser: what people see and do."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack

import pytest

from scrapekit.cli import main
from scrapekit.dashboard import Server, Shelf, board
from scrapekit.dashboard.feed import Feed
from scrapekit.settings.listen import Listen

pytestmark = pytest.mark.xdist_group("browser")  # which is started once
HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\'"&lt;b&gt;\u202e'


def shown(tab):
    """The big numbers, by their names."""
    return tab.run(
        "Object.fromEntries([...document.querySelectorAll('#numbers div')].map((d) => [d.children[0].innerText,"
        " d.children[1].innerText]))"
    )


def number(tab, name):
    tab.wait("document.querySelectorAll('#numbers div').length")
    return int(shown(tab)[name].replace(",", ""))


def at_home(tab, page):
    """It has asked nobody but the dashboard, and nothing in it has complained."""
    assert {url.split("/")[2] for url in tab.requested()} == {page.place}
    assert tab.complaints() == []


def test_the_page_shows_how_a_crawl_goes_and_how_it_ends(crawl, site, tab):
    site.statuses["/7"] = 404
    with crawl("--workers", "3") as crawling:
        page = crawling.page
        tab.open(page.url)
        tab.wait_for_text("#phase", "running")
        tab.wait("[...document.querySelectorAll('#numbers dd')].some((each) => each.innerText === '37')")
        assert shown(tab) | {"Received": "", "Pages a second": ""} == {
            "Pages": "1", "Pages a second": "", "Items": "1", "Queued": "37", "In flight": "3", "Failed": "0",
            "Requests": "2", "Received": "",
        }  # fmt: skip
        assert re.fullmatch(r"127\.0\.0\.1\t3 of \d( \(at most 8\))?\t37\t", tab.text("#hosts-rows tr"))
        assert "In use\n3 of 8" in tab.text("#pool-rows")
        assert "No request has failed" in tab.text("#errors")
        tab.wait("document.querySelector('#chart-rate .plot path.s0').getAttribute('d').includes('L')")
        assert tab.run("document.querySelector('#chart-rate svg[role=img]').getAttribute('aria-label')").startswith(
            "Rate: pages "
        )
        at_home(tab, page)
        site.go.set()
        tab.wait_for_text("#notice", "The crawl has ended: finished. 40 pages, 40 items, 1 failed.")
    assert crawling.code == 0
    assert (number(tab, "Pages"), number(tab, "Items")) == (40, 40)
    assert "StatusError 404" in tab.text("#errors-rows")
    assert tab.text("#failing-rows tr").split("\t")[1:4] == ["StatusError: status 404", "1", "failed"]
    assert tab.run("document.querySelectorAll('#slowest-rows tr').length") == 10
    assert tab.run("document.querySelectorAll('#items-rows li').length") == 20
    assert tab.run("getComputedStyle(document.querySelector('#controls')).display") == "none"
    assert tab.run("document.title").startswith("finished")


def test_it_is_used_by_keyboard_alone(crawl, site, tab):
    with crawl("--workers", "2") as crawling:
        tab.open(crawling.page.url)
        tab.wait_for_text("#phase", "running")
        reached = []
        while not reached or reached[-1] != "stop":
            tab.press("Tab")
            reached.append(tab.focused())
            assert len(reached) < 10, reached
        assert reached == ["Skip to the numbers", "scrapekit", "pause", "stop"]
        assert tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        tab.press("Tab", shift=True)
        tab.press("Enter")
        tab.wait_for_text("#phase", "paused")
        assert tab.text("#notice") == "Paused: nothing more is started until you resume it."
        assert (tab.focused(), tab.text("#pause")) == ("pause", "Resume")
        before = number(tab, "Pages")
        site.go.set()
        tab.wait("document.querySelector('#numbers div:nth-child(5) dd').innerText === '0'")
        asked = site.server.hits.total()
        assert number(tab, "Pages") == before + 2
        tab.wait("document.querySelector('#chart-rate .plot path.s0').getAttribute('d').split('L').length > 8")
        assert site.server.hits.total() == asked
        site.go.clear()
        tab.press(" ")
        tab.wait_for_text("#notice", "The crawl goes on.")
        tab.wait("document.querySelector('#numbers div:nth-child(5) dd').innerText === '2'")
        tab.press("Tab")
        tab.press("Enter")
        tab.wait("document.querySelector('dialog').open")
        assert "scrapekit crawl pages --resume pages-" in tab.text("#sure-text")
        assert tab.focused() == "sure-no"
        tab.press("Escape")
        tab.wait("!document.querySelector('dialog').open")
        assert tab.text("#phase") == "running"
        tab.press("Enter")
        tab.press("Tab")
        assert tab.focused() == "sure-yes"
        tab.press("Enter")
        tab.wait_for_text("#phase", "stopping")
        tab.wait_for_text("#stop", "Stop now")
        assert tab.complaints() == []
        tab.press("Enter")
        tab.wait_for_text("#notice", "The crawl has ended: interrupted.")
        assert "To go on: scrapekit crawl pages --resume pages-" in tab.text("#notice")
    assert crawling.code == 130


def test_rows_keep_the_focus_while_the_page_is_brought_up_to_date(crawl, site, tab):
    site.statuses = {"/1": 404, "/2": 404}
    with crawl("--workers", "1") as crawling:
        tab.open(crawling.page.url)
        tab.wait_for_text("#phase", "running")
        tab.run("document.querySelector('#slowest-rows button').focus()")
        focused = tab.run("document.activeElement.getAttribute('aria-label')")
        assert focused.startswith("Why? http://127.0.0.1:")
        before = tab.run("document.querySelector('#chart-rate .plot path.s0').getAttribute('d')")
        tab.wait(f"document.querySelector('#chart-rate .plot path.s0').getAttribute('d') !== {json.dumps(before)}")
        assert tab.run("document.activeElement.getAttribute('aria-label')") == focused
        tab.press("Enter")
        tab.wait_for_text("#why-answer", "found      as a start request")
        assert tab.focused() == "why-url"
        tab.run("document.querySelector('#why-url').value = ''")
        tab.type(f"{site.url}nowhere")
        tab.press("Enter")
        tab.wait_for_text("#why-answer", "was never seen in job")
        assert tab.complaints() == []
        site.go.set()


def test_what_the_web_says_is_shown_and_not_run(crawl, site, tab):
    path = '/<script>window.hacked=1</script>?q="><img src=x onerror=window.hacked=1>'
    site.pages = {
        "/": f"<a href='{path}'>x</a><a href='/2'>x</a>",
        "/2": f"<title>{HOSTILE.replace('<', '&lt;')}</title>",
    }
    site.statuses["/%3Cscript%3Ewindow.hacked=1%3C/script%3E"] = 404
    site.pages["/"] += f"<a href='http://elsewhere.example{path}'>x</a>"
    with crawl() as crawling:
        tab.open(crawling.page.url)
        tab.wait_for_text("#phase", "running")
        site.go.set()
        tab.wait_for_text("#notice", "The crawl has ended")
    assert "OffSite" in tab.text("#left-rows")
    tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert "<script>window.hacked=1</script>" in tab.text("#items-rows")
    assert "script" in tab.text("#failing-rows").lower()
    assert tab.run("window.hacked") is None
    assert tab.run("document.querySelectorAll('main script, main img, main iframe').length") == 0
    assert set(tab.run("[...document.links].map((each) => each.protocol)")) == {"http:"}
    # And what would be put in as HTML nevertheless is refused by the policy.
    assert (
        tab.run("(() => { try { document.body.innerHTML = '<b>x'; } catch (error) { return error.name; } })()")
        == "TypeError"
    )


def test_links_that_are_not_http_are_text(tab, project):
    shelf = Shelf(project, lambda *_: "")
    server = Server(Listen("127.0.0.1", 0))
    server.start(shelf.page)
    try:
        tab.open(server.url())
        tab.wait_for_text("main", "No job has been run in this folder.")
        assert tab.run("document.querySelectorAll('th:not([scope])').length") == 0
        assert tab.run("link('javascript:alert(1)').querySelector('a')") is None
        assert tab.run("link('data:text/html,x').querySelector('a')") is None
        assert tab.run("link('https://a.example/').querySelector('a').rel") == "noopener noreferrer"
    finally:
        shelf.close()
        server.close()


def luminance(colour):
    """The relative luminance of a CSS colour (WCAG 2.2)."""
    parts = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_it_is_dark_or_light_as_the_system_is_and_readable_in_both(crawl, site, tab):
    site.statuses["/1"] = 404
    with crawl("--workers", "1") as crawling:
        tab.open(crawling.page.url, scheme="light", motion="reduce")
        tab.wait_for_text("#phase", "running")
        grounds = {}
        for scheme in ("light", "dark"):
            tab.prefer(scheme, "reduce")
            style = "getComputedStyle(document.querySelector('{}')).{}"
            grounds[scheme] = tab.run(style.format("header", "backgroundColor"))
            for selector in ("h1", "#phase", "#stop", "#facts", "#numbers dt", "th", "#slowest-rows a", ".key"):
                assert contrast(tab.run(style.format(selector, "color")), grounds[scheme]) >= 4.5, (scheme, selector)
            for line in ("s0", "s1", "s2", "s0.bad"):
                colour = tab.run(style.format(f"path.{line}", "stroke"))
                assert contrast(colour, grounds[scheme]) >= 3, (scheme, line)
            assert tab.run(style.format("#stop", "transitionDuration")) == "0s"
        assert luminance(grounds["dark"]) < 0.05 < 0.9 < luminance(grounds["light"])
        tab.prefer("light", "no-preference")
        assert tab.run("getComputedStyle(document.querySelector('#stop')).transitionDuration") == "0.15s"
        site.go.set()


def test_it_fits_a_narrow_window(crawl, site, browser):
    with crawl("--workers", "1") as crawling, browser.tab(width=360, height=700) as tab:
        tab.open(crawling.page.url)
        tab.wait_for_text("#phase", "running")
        assert tab.run("document.documentElement.scrollWidth") <= 360
        site.go.set()


def test_long_texts_are_cut_and_words_stay_whole_however_narrow_the_window_is(crawl, site, browser):
    long = "/" + "x" * 1500
    site.pages["/"] = f"<a href='{long}'>x</a><a href='/1'>x</a>"
    site.statuses = {long: 404, "/1": 503}
    with crawl("-s", "retry.backoff.initial=60") as crawling, browser.tab(width=360, height=700) as tab:
        tab.open(crawling.page.url)
        site.go.set()
        tab.wait_for_text("#failing-rows", "to be retried")
        tab.wait_for_text("#failing-rows", "\u2026")
        assert tab.run("document.documentElement.scrollWidth") <= 360
        assert tab.run("Math.max(...[...document.querySelectorAll('tbody tr')].map((row) => row.offsetHeight))") < 700
        lines = (
            "((cell) => { const range = new Range(); range.selectNodeContents(cell);"
            " return range.getClientRects().length; })"
        )
        assert tab.run(f"[...document.querySelectorAll('td.word')].map({lines})") == [1, 1]
        assert tab.run("document.querySelector('#slowest-rows span[title]').title.length") > 1500
        crawling.page.act("/stop")


def test_the_token_opens_the_page_once_and_leaves_the_address(crawl, site, tab):
    with crawl("-s", "ui.token=0123456789abcdef") as crawling:
        page = crawling.page
        tab.open(f"{page.url}?token=0123456789abcdef")
        tab.wait_for_text("#phase", "running")
        assert tab.run("location.href") == f"http://{page.place}/"
        assert tab.run("document.cookie") == ""
        tab.run("document.querySelector('#pause').click()")
        tab.wait_for_text("#phase", "paused")
        tab.open(f"http://{page.place}/")
        tab.wait_for_text("#pause", "Resume")
        at_home(tab, page)
        tab.run("document.querySelector('#pause').click()")
        site.go.set()
        tab.wait_for_text("#notice", "finished")


def test_without_the_token_the_page_is_not_shown(crawl, site, tab):
    with crawl("-s", "ui.token=0123456789abcdef") as crawling:
        tab.open(crawling.page.url)
        tab.wait_for_text("body", "the token is missing or wrong: open the URL that the crawl has printed")
        assert "pages" not in tab.text("body")
        site.go.set()


def test_a_page_of_another_site_can_neither_look_nor_act(crawl, site, tab):
    with crawl("--workers", "1") as crawling:
        page = crawling.page
        tab.open(page.url)
        tab.wait_for_text("#phase", "running")  # it has the cookie now
        tab.open(site.url)  # another port is the same site, and another origin
        tab.wait("document.links.length === 40")
        assert (
            tab.run(f"fetch('{page.url}', {{credentials: 'include'}}).then(() => 'read', () => 'refused')") == "refused"
        )
        tab.run(f"fetch('{page.url}stop', {{method: 'POST', mode: 'no-cors', credentials: 'include'}}).catch(() => 0)")
        tab.run(f"new Promise((done) => {{ const f = document.createElement('iframe'); f.src = '{page.url}';"
                " f.onload = f.onerror = () => done(1); document.body.append(f); })")  # fmt: skip
        assert page.wait(lambda frame: frame["points"])["phase"] == "running"
        site.go.set()
    assert crawling.code == 0


def test_the_page_goes_on_with_a_crawl_that_is_started_again(crawl, site, tab, project):
    with crawl("--workers", "1") as crawling:
        tab.open(crawling.page.url)
        tab.wait_for_text("#phase", "running")
        crawling.page.act("/stop")
        crawling.page.wait(lambda frame: frame["phase"] == "stopping")
        crawling.page.act("/stop")
        tab.wait_for_text("#notice", "interrupted")
        port = crawling.page.place.split(":")[1]
    site.go.set()
    site.retry_after = 0
    [job] = (path.name for path in (project / ".scrapekit" / "jobs").iterdir())
    site.go.clear()
    with type(crawling)("pages", "--resume", job, "--ui", port):
        tab.wait_for_text("#phase", "running")
        assert tab.text("#notice") == ""
        assert number(tab, "Pages") == 1
        site.go.set()
        tab.wait_for_text("#notice", "The crawl has ended: finished. 41 pages")


def test_a_crawl_that_is_killed_is_missed(crawl, site, tab, monkeypatch):
    publish = Feed.publish
    monkeypatch.setattr(Feed, "publish", lambda self, event, last=False: last or publish(self, event))
    monkeypatch.setattr(board, "_GOODBYE_SECONDS", 0.0)
    with crawl("--workers", "1") as crawling:
        tab.open(crawling.page.url)
        tab.wait_for_text("#phase", "running")
        site.go.set()
    tab.wait_for_text("#notice", "No connection: the crawl has ended without a word, or can't be reached.")


def test_more_tabs_than_a_browser_has_connections_show_their_jobs(project, browser):
    shelf = Shelf(project, lambda *_: "")
    server = Server(Listen("127.0.0.1", 0))
    server.start(shelf.page)
    try:
        with browser.tabs() as opened:
            tabs = []
            for _ in range(7):
                tabs.append(next(opened))
                tabs[-1].open(server.url())
                tabs[-1].wait_for_text("main", "No job has been run in this folder.")
            for tab in tabs[:-1]:
                tab.wait("document.hidden && source.readyState === EventSource.CLOSED")
            assert tabs[-1].run("[document.hidden, source.readyState === EventSource.CLOSED]") == [False, False]
            tabs[0].send("Page.bringToFront")
            tabs[0].wait("source.readyState === EventSource.OPEN")
            assert tabs[0].complaints() == []
    finally:
        shelf.close()
        server.close()


def test_a_connection_that_is_lost_is_not_complained_of_when_it_is_back(crawl, site, tab, project):
    with crawl("--workers", "1") as crawling, ExitStack() as opened:
        crawling.page.wait(lambda frame: frame["numbers"]["in_flight"] == 1)
        [job] = (path.name for path in (project / ".scrapekit" / "jobs").iterdir())
        shelf = Shelf(project, lambda *_: "")
        opened.callback(shelf.close)
        server = Server(Listen("127.0.0.1", 0))
        server.start(shelf.page)
        tab.open(f"{server.url()}jobs/{job}")
        tab.wait_for_text("#phase", "running")
        server.close()
        tab.wait_for_text("#notice", "No connection: ")
        assert tab.text("#phase") == "lost"
        server = Server(server.listen)
        opened.callback(server.close)
        server.start(shelf.page)
        tab.wait("document.querySelector('#notice').innerText === ''")
        assert tab.text("#phase") == "running"
        site.go.set()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_jobs_of_a_folder_and_the_page_of_one(project, site, tab, scheme):
    site.statuses["/7"] = 404
    site.go.set()
    assert main(["crawl", "pages", "-a", f"url={site.url}", "-q"]) == 0
    [job] = (path.name for path in (project / ".scrapekit" / "jobs").iterdir())
    shelf = Shelf(project, lambda url, job: f"{url} in {job}")
    server = Server(Listen("127.0.0.1", 0))
    server.start(shelf.page)
    try:
        tab.open(server.url(), scheme=scheme)
        tab.wait_for_text("#jobs-rows", job)
        assert tab.text("#jobs-rows tr").split("\t")[:3] == [job, "pages", "finished"]
        tab.run("document.querySelector('#jobs-rows a').click()")
        tab.wait_for_text("#notice", "finished. 40 pages, 40 items, 1 failed.")
        assert tab.run("location.pathname") == f"/jobs/{job}"
        assert tab.text("#failing-rows tr").startswith(f"{site.url}7")
        assert "M" in tab.run("document.querySelector('#chart-rate .plot path.s0').getAttribute('d')")
        assert re.match(r"\d\d/\d\d/\d{4}, ", tab.text("#chart-errors .ends"))
        assert tab.run("['chart-latency', 'spiders'].map((id) => $(id).offsetHeight)") == [0, 0]
        assert tab.run("getComputedStyle(document.querySelector('#controls')).display") == "none"
        tab.run("document.querySelector('#failing-rows button').click()")
        tab.wait_for_text("#why-answer", f"{site.url}7 in {job}")
        assert tab.complaints() == []
        state = project / ".scrapekit" / "jobs" / job / "frontier.sqlite"
        state.rename(project / "aside")
        tab.open(f"{server.url()}jobs/{job}")
        tab.wait_for_text("#notice", "the job's state can't be read")
        (project / "aside").rename(state)
        tab.run("connect()")  # as it does by itself, some time later
        tab.wait_for_text("#notice", "finished. 40 pages")
        tab.open(f"{server.url()}jobs/nothing")
        tab.wait_for_text("#notice", "there is no job 'nothing'; there are: ")
        tab.open(f"{server.url()}jobs/%zz")
        tab.wait_for_text("#notice", "there is no job '%zz'; there are: ")
    finally:
        shelf.close()
        server.close()
