"""How a project begins: init and new, and the spiders that new guesses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scrapekit.cli import guess, shipped
from scrapekit.cli.new import draft_for
from scrapekit.cli.templates import class_name, commented
from scrapekit.settings import Settings, load
from scrapekit.testing import Reply, SampleSite, response, serve

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shop():
    with serve(SampleSite(books=45, quotes=30, retry_after=0)) as server:
        yield server.url


def test_init_writes_a_project_that_works_and_says_what_is_next(project, shop):
    code, out, err = project.run("init", "my project")
    assert (code, err) == (0, "")
    files = [line.removeprefix("wrote  my project/") for line in out.split("\n\n")[0].splitlines()]
    assert files == ["settings.yaml", "spiders/quotes.py", "tests/test_quotes.py", ".gitignore"]
    assert out.endswith(
        "\nnext:\n  cd 'my project'\n  scrapekit crawl quotes -O quotes.jsonl\n"
        "  scrapekit new NAME URL    # a spider for your site\n"
    )
    folder = project.folder / "my project"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout + tested.stderr
    spider = folder / "spiders/quotes.py"
    spider.write_text(spider.read_text().replace("https://quotes.toscrape.com/", f"{shop}/quotes/"))
    crawled = subprocess.run(
        [sys.executable, "-m", "scrapekit", "crawl", "quotes", "-O", "quotes.jsonl"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert crawled.returncode == 0, crawled.stderr
    assert len((folder / "quotes.jsonl").read_text().splitlines()) == 30


def test_init_overwrites_nothing(project):
    project.write("settings.yaml", "workers: 3")
    code, out, _ = project.run("init")
    assert code == 0
    assert out.startswith("kept   settings.yaml\nwrote  spiders/quotes.py\n")
    assert "  cd " not in out
    assert (project.folder / "settings.yaml").read_text() == "workers: 3"
    before = {path: path.stat().st_mtime_ns for path in project.folder.rglob("*")}
    assert project.run("init").out.count("kept ") == 4
    assert {path: path.stat().st_mtime_ns for path in project.folder.rglob("*")} == before


def test_init_says_why_it_can_not_write(project):
    (project.folder / "file").touch()
    said = "scrapekit: error: file: a file, where a folder is needed: choose another DIR\n"
    assert project.run("init", "file") == (2, "", said)
    code, _, err = project.run("init", "file/below")
    assert code == 2
    assert err == "scrapekit: error: file/below/settings.yaml can't be written: Not a directory\n"


def test_each_line_of_the_settings_that_init_writes_can_be_taken_back_alone(tmp_path):
    text = commented(shipped.shipped("settings.yaml"))
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    assert set(load(file).origins.values()) == {"default"}
    lines = text.splitlines()
    tried = 0
    for number, line in enumerate(lines):
        if found := re.match(r"( *)# (\w+: .*)", line):
            key = found[2].split(":")[0]
            if f'    # "*.{key}' in line or key in {"Settings", "Times"}:
                continue
            file.write_text("\n".join([*lines[:number], found[1] + found[2], *lines[number + 1 :]]))
            loaded = load(file)
            assert key == "user_agent" or loaded.settings == Settings(), line
            tried += 1
    assert tried > 60


def test_the_wheel_has_what_is_shipped(monkeypatch, tmp_path):
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert packed["force-include"] == {
        name: f"scrapekit/shipped/{Path(name).name}" for name in ("settings.yaml", "docs/settings.md")
    }
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped/settings.md").write_text("from the wheel")
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "cli/shipped.py"))
    assert shipped.shipped("docs/settings.md") == "from the wheel"


def test_new_writes_a_spider_that_yields_what_is_listed(project, shop):
    code, out, err = project.run("new", "shop", f"{shop}/")
    assert (code, err) == (0, "")
    wrote, told, _, following, parse, crawl = out.splitlines()
    assert wrote == "wrote  spiders/shop.py"
    assert re.fullmatch(r"\d+ items on this page, with url, title, price_color, and the link to the next page", told)
    assert (following, parse) == ("next:", f"  scrapekit parse {shop}/ --spider shop")
    assert crawl == "  scrapekit crawl shop -O shop.jsonl --max-pages 10"
    assert project.run("parse", f"{shop}/", "--spider", "shop").code == 0
    assert project.run("crawl", "shop", "-O", "shop.jsonl", "-q").code == 0
    titles = {json.loads(line)["title"] for line in (project.folder / "shop.jsonl").read_text().splitlines()}
    assert {book.title for book in SampleSite(books=45).books} <= titles


def test_new_finds_texts_lists_and_the_next_page_of_quotes(project, shop):
    assert project.run("new", "my-quotes", f"{shop}/quotes/").code == 0
    text = (project.folder / "spiders/my-quotes.py").read_text()
    assert "class MyQuotes(Spider):" in text
    assert 'for record in response.css("div.quote"):' in text
    assert '"text": record.css("span.text::text").get(),' in text
    assert '"tag": record.css("a.tag::text").getall(),' in text
    assert 'yield from response.follow_all("li.next a")' in text
    ruff = Path(sys.executable).with_name("ruff")
    if ruff.exists():
        subprocess.run(
            [ruff, "check", "--isolated", "--select", "E,F,Q", "--line-length", "120", "spiders/my-quotes.py"],
            check=True,
        )
        subprocess.run(
            [ruff, "format", "--isolated", "--check", "--line-length", "120", "spiders/my-quotes.py"], check=True
        )


def test_an_empty_spider_asks_nobody_and_runs(project, shop):
    code, out, _ = project.run("new", "plain", f"{shop}/", "--empty")
    assert code == 0
    assert out.startswith("wrote  spiders/plain.py\n\nnext:\n")
    code, out, _ = project.run("parse", f"{shop}/", "--spider", "plain")
    assert code == 0
    assert out.startswith("1 item\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("new 2nd URL", 2, "NAME must be letters, digits, '_' and '-', and begin with a letter, not '2nd'"),
        ("new ../x URL", 2, "NAME must be letters"),
        ("new pages URL", 2, "spiders/pages.py is there already: choose another name, or delete it"),
        ("new shop example.org", 2, "not a URL that can be fetched: 'example.org': it has no scheme such as https://"),
        ("new shop example.org --empty", 2, "not a URL that can be fetched"),
        ("new shop URLgone", 1, "there is nothing to guess from a page of status 404"),
        ("new shop URLprivate/", 1, "robots.txt forbids it"),
    ],
)
def test_new_says_why_it_writes_nothing(project, shop, words, code, said):
    before = sorted(project.folder.rglob("*"))
    ended = project.run(*words.replace("URL", f"{shop}/").split())
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert [path for path in sorted(project.folder.rglob("*")) if path not in before] == []


def page(body, kind="text/html"):
    return response("https://example.org/list", body, headers={"Content-Type": kind})


def guessed(body):
    found = guess.records(page(body))
    return found and (found.records, found.size, [tuple(field) for field in found.fields])


def test_rows_of_a_table_have_the_names_of_its_columns():
    rows = "".join(f"<tr><td><a href=/{n}>n{n}</a><td>{n * 3}<td>{n / 2}</tr>" for n in range(5))
    assert guessed(f"<table><tr><th>Name<th>Size (kB)<th> </tr>{rows}</table>") == (
        "tr:has(td)",
        5,
        [
            ("name", "td:nth-child(1) > a::text", False),
            ("url", "td:nth-child(1) > a::attr(href)", False),
            ("size_kb", "td:nth-child(2)::text", False),
            ("column_3", "td:nth-child(3)::text", False),
        ],
    )


def test_the_list_in_the_middle_wins_over_menus():
    menu = "".join(f"<li><a href=/{n}>A long entry of the menu {n}</a>" for n in range(9))
    rows = "".join(f"<li>text {n}</li>" for n in range(4))
    assert guessed(f"<nav><ul>{menu}</ul></nav><ul id=list>{rows}</ul>")[:2] == ("ul#list > li", 4)


def test_images_dates_and_names_that_are_there_twice():
    rows = "".join(
        f"<div class=x><img src=/{n}.png><time datetime=2024-01-0{n}>{n}. January</time><p class=a>{n}</p>"
        f"<b class=a>{n}!</b><i class=gone>same</i><a href='#top'>up</a></div>"
        for n in range(1, 5)
    )
    assert guessed(rows) == (
        "div.x",
        4,
        [
            ("image", "img::attr(src)", False),
            ("text", "time::text", False),
            ("date", "time::attr(datetime)", False),
            ("a", "p.a::text", False),
            ("a_2", "b.a::text", False),
        ],
    )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<p>one<p>two",
        "<ul><li>same<li>same<li>same</ul>",
        "<div><p>1</p><p>2</p><p>3</p></div><div><p>4</p></div>" * 9,
    ],
)
def test_no_list_is_no_guess(body):
    found = guessed(body)
    assert found is None or found[1] >= 3
    draft = draft_for(page(body))
    assert draft.body.startswith("        ")


@pytest.mark.parametrize(
    ("link", "query"),
    [
        ("<a rel='nofollow next' href=/2>2</a>", 'a[rel~="next"]'),
        ("<link rel=next href=/2>", 'link[rel~="next"]'),
        ("<li class=next><a href=/2>2</a></li>", "li.next a"),
        ("<a class='btn page-next' href=/2>2</a>", "a.page-next"),
        ("<a class=next href=/list>2</a>", None),
        ("<a class=next href=/2>2</a><a class=next href=/3>2</a>", None),
        ("<a class=nextgen href=/2>2</a><a href=mailto:x>3</a>", None),
        ("<a href=/1>1</a> <a href=/2>2</a> <a href=/2><b>Next</b> &raquo;</a>", 'a:contains("Next")'),
        ("<a href=/2>&lt; older posts</a>", 'a:contains("older")'),
        ("<a href=/2> &raquo; </a>", 'a:contains("\xbb")'),
        ("<a href=/2>Next of kin</a>", None),
    ],
)
def test_the_next_page_is_what_says_so(link, query):
    assert guess.next_page(page(link)) == query


@pytest.mark.parametrize(
    ("kind", "body", "line"),
    [
        ("application/json", '[{"a": 1}]', "yield from response.doc"),
        (
            "application/json",
            '{"n": [1], "data": {"it\\"s": [{"a": 1}]}}',
            """yield from response.doc["data"]['it"s']""",
        ),
        ("application/json", '{"a": 1}', 'yield {"url": response.url, "data": response.doc}'),
        ("text/csv", "a,b\n1,2\n", "yield from response.doc"),
        ("image/png", "x", 'yield {"url": response.url, "status": response.status, "size": response.size}'),
        ("text/html", "<h1>x</h1>", '"heading": response.css("h1 ::text").get(),'),
    ],
)
def test_other_pages_give_something_too(kind, body, line):
    assert line in draft_for(page(body, kind)).body


def test_a_guess_from_json_runs(project):
    def app(request):
        if request.path == "/robots.txt":
            return Reply(b"", 404)
        return Reply(b'{"results": [{"a": 1}, {"a": 2}]}', headers=(("Content-Type", "application/json"),))

    with serve(app) as server:
        assert "2 items on this page, with a\n" in project.run("new", "api", server.url).out


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        (
            "text/html",
            b"<div id=app></div><script src=app.js></script>",
            "no list was seen there: 'scrapekit select URL",
        ),
        ("application/xml", b"<urlset><url><loc>x</loc></url></urlset>", "sitemaps, feeds and other XML have spiders "),
        ("application/json", b'{"a": 1}', "no list of several objects was seen there: 'scrapekit shell URL' has it as"),
        ("text/plain", b"a", "nothing can be guessed from text/plain: 'scrapekit shell URL' has it as response.doc"),
    ],
)
def test_new_says_why_it_found_little(project, kind, body, said):
    with serve(lambda request: Reply(body, headers=(("Content-Type", kind),))) as server:
        code, out, _ = project.run("new", "little", server.url, "-s", "robots.obey=false")
    assert code == 0
    wrote, found, why, *_ = out.splitlines()
    assert (wrote, found[:20]) == ("wrote  spiders/little.py", "1 item on this page,")
    assert why.startswith(said)


def test_new_leaves_nothing_behind_where_the_spider_can_not_run(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "jmespath", None)
    reply = Reply(b'[{"a": 1}, {"a": 2}]', headers=(("Content-Type", "application/json"),))
    with serve(lambda request: reply) as server:
        code, out, err = project.run("new", "api", server.url, "--yaml", "-s", "robots.obey=false")
        assert (code, out) == (2, "")
        assert "pip install '.[jmespath]'" in err
        assert [path.name for path in (project.folder / "spiders").iterdir()] == ["pages.py"]
        monkeypatch.undo()
        monkeypatch.chdir(project.folder)
        assert project.run("new", "api", server.url, "--yaml", "-s", "robots.obey=false").code == 0


def test_new_says_how_to_look_at_what_is_not_what_it_says(project):
    with serve(lambda request: Reply(b"{", headers=(("Content-Type", "application/json"),))) as server:
        code, out, err = project.run("new", "api", server.url, "-s", "robots.obey=false")
    assert (code, out) == (1, "")
    failed, fix = err.splitlines()
    assert failed.startswith("scrapekit: error: not JSON: ")
    url = f"{server.url}/"
    assert fix == f"'scrapekit fetch {url}' shows what came, 'scrapekit shell {url}' opens Python with it"


@pytest.mark.parametrize(("name", "cls"), [("shop", "Shop"), ("my-shop_2", "MyShop2"), ("2", "Spider2")])
def test_the_class_is_named_after_the_spider(name, cls):
    assert class_name(name) == cls
