"""Golden items: checked by the command and by the pytest fixture, over a replay of pages that were really fetched."""

import json
import os
import shutil
import subprocess
import sys
import threading
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import scrapekit
from scrapekit import Spider
from scrapekit.cli import main
from scrapekit.errors import ArchiveError
from scrapekit.pipelines import FilesPipeline, read_manifest
from scrapekit.project.comparison import compare
from scrapekit.pytest_plugin import checker
from scrapekit.testing import SampleSite, serve

ROOT = Path(__file__).parents[2]
SPIDER = """
from scrapekit import Spider

class Quotes(Spider):
    name = "golden"

    def parse(self, response):
        for quote in response.css("div.quote"):
            yield {
                "author": quote.css("small::text").get(),
                "text": quote.css("span.text::text").get(),
                "tags": quote.css("a.tag::text").getall(),
            }
        yield from response.follow_all("li.next a")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "spiders").mkdir()
    (tmp_path / "spiders" / "golden.py").write_text(SPIDER)
    (tmp_path / "settings.yaml").write_text("fleet: processes:2\nthrottle: {delay: 0.01}\n")
    return tmp_path


def change(folder, old, new):
    path = folder / "spiders" / "golden.py"
    path.write_text(path.read_text().replace(old, new))
    for name in [name for name in sys.modules if name.startswith("_spider_")]:
        del sys.modules[name]


@pytest.fixture
def recorded(folder, capsys):
    """The pages of a site that is gone; the URL they had."""
    with serve(SampleSite(books=1)) as site:
        url = f"{site.url}/quotes/"
        words = ["crawl", "golden", "-a", f"start_urls={url}", "-q", "-s", "crawl.max_pages=3", "-s", "fleet=threads"]
        assert main([*words, "--record", "tests/golden/golden.warc.gz", "-O", "items.jsonl"]) == 0
    capsys.readouterr()
    return url


@pytest.fixture
def check(folder, recorded, capsys):
    def run(*words):
        code = main(["check", "golden", "-a", f"start_urls={recorded}", *words])
        return code, *capsys.readouterr()

    return run


def test_items_are_accepted_and_then_hold(folder, check):
    code, out, err = check()
    assert (code, out) == (2, "")
    assert "tests/golden/golden.jsonl is not there: look at the items, and accept them with --update" in err
    assert check("--update") == (0, "golden: 30 items accepted, in tests/golden/golden.jsonl\n", "")
    accepted = (folder / "tests" / "golden" / "golden.jsonl").read_bytes()
    assert check() == (0, "golden: 30 items, as they should be\n", "")
    assert check("--update")[0] == 0
    assert (folder / "tests" / "golden" / "golden.jsonl").read_bytes() == accepted
    assert sorted(accepted.splitlines()) == sorted((folder / "items.jsonl").read_bytes().splitlines())


def test_a_difference_is_shown_and_fails_until_it_is_accepted(folder, check):
    check("--update")
    change(folder, '"author": quote.css("small::text").get()', '"author": quote.css("small::text").get().upper()')
    code, out, err = check()
    assert (code, err) == (1, "")
    assert out.count("\n~ ") + out.startswith("~ ") == 30
    assert '\n    author: "' in out
    assert "golden: 30 changed; if that is right: scrapekit check golden --update\n" in out
    assert "! 1 NotRecorded, such as http://127.0.0.1" in out  # the recording ended before the site did
    assert check("--update")[0] == 0
    assert check()[0] == 0


def test_a_callback_that_raises_is_shown(folder, check):
    check("--update")
    change(folder, "        yield from", '        assert "/page/3" not in response.url, "oh no"\n        yield from')
    code, out, err = check()
    assert (code, err) == (1, "")
    assert "golden: 10 missing; " in out
    assert "! 1 CallbackError, such as " in out
    assert "oh no" in out
    assert "Traceback" in check("-v")[2]


def test_a_spider_that_gives_nothing_is_never_accepted(folder, check):
    change(folder, "div.quote", "div.nothing")
    for words in ((), ("--update",)):
        code, out, _ = check(*words)
        assert code == 1
        assert out.endswith("golden: it gives no items\n")
    assert not (folder / "tests" / "golden" / "golden.jsonl").exists()


def test_without_a_recording_it_says_how_to_make_one(folder, capsys):
    assert main(["check", "golden"]) == 2
    said = capsys.readouterr().err
    assert "tests/golden/golden.warc.gz is not there: record it with scrapekit crawl golden --record tests/" in said


@pytest.mark.parametrize(("text", "said"), [("{}\n[1]\n", ":2: not an item in JSON"), ("{\n", ":1: not an item")])
def test_golden_items_that_are_damaged_are_an_error(folder, check, text, said):
    (folder / "tests" / "golden" / "golden.jsonl").write_text(text)
    code, _, err = check()
    assert code == 2
    assert said in err


def test_golden_items_that_can_not_be_read_or_written_are_an_error(folder, check):
    (folder / "tests" / "golden" / "golden.jsonl").mkdir()
    assert "can't be read" in check()[2]
    code, _, err = check("--update")
    assert (code, "can't be written" in err) == (2, True)


TEST = """
import pytest
from spiders.golden import Quotes

def test_quotes(check_spider):
    check_spider(Quotes, start_urls={url!r})

def test_by_another_name(check_spider):
    check_spider(Quotes(start_urls={url!r}), name="other", settings={{"workers": 1}})
"""


def run_pytest(folder, *words):
    plugin = ["-p", "scrapekit.pytest_plugin", "-p", "no:cacheprovider"]
    environment = {
        "PYTHONPATH": f"{ROOT}:{folder}",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", *plugin, *words, "tests"],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_the_fixture_does_the_same(folder, recorded):
    golden = folder / "tests" / "golden"
    (golden / "other.warc.gz").write_bytes((golden / "golden.warc.gz").read_bytes())
    (folder / "tests" / "test_golden_spider.py").write_text(TEST.format(url=recorded))
    (folder / "pytest.ini").write_text("[pytest]\n")
    code, text = run_pytest(folder)
    assert code == 1
    assert text.count("is not there: look at the items, and accept them with --update") >= 2
    code, text = run_pytest(folder, "--update-golden")
    assert (code, "2 passed" in text) == (0, True)
    assert (golden / "other.jsonl").read_bytes() == (golden / "golden.jsonl").read_bytes()
    assert run_pytest(folder)[0] == 0
    change(folder, '"small::text"', '"span::text"')
    code, text = run_pytest(folder)
    assert code == 1
    assert "golden: 30 changed; if that is right: pytest --update-golden" in text
    assert '    author: "' in text
    assert "Traceback" not in text


def test_what_the_fixture_gives_uses_the_settings_of_the_project(folder, recorded):
    spiders = {}
    exec(SPIDER, spiders)
    cls = spiders["Quotes"]
    with pytest.raises(ArchiveError, match="accept them with --update"):
        checker(folder, update=False)(cls, start_urls=recorded)
    checker(folder, update=True)(cls, start_urls=recorded)
    checker(folder, update=False)(cls(start_urls=recorded), settings={"workers": 1})
    (folder / "settings.yaml").write_text("crawl: {max_depth: 0}\n")
    with pytest.raises(pytest.fail.Exception, match="20 missing; if that is right: pytest --update-golden"):
        checker(folder, update=False)(cls, start_urls=recorded)
    (folder / "settings.yaml").unlink()
    checker(folder, update=False)(cls, start_urls=recorded)


def test_one_page_comes_after_the_other_so_that_unique_keeps_the_same_items_each_time(folder, recorded):
    later = threading.Event()

    class Firsts(Spider):
        name = "golden"
        start_urls = [recorded, f"{recorded}page/2/"]
        unique = ["kind"]

        def parse(self, response):
            if response.url == recorded:
                later.wait(0.3)  # long enough for another worker to be first
            else:
                later.set()
            yield {"kind": "page", "url": response.url, "alone": later.is_set() is (response.url != recorded)}

    checker(folder, update=True)(Firsts)
    [item] = (folder / "tests" / "golden" / "golden.jsonl").read_text().splitlines()
    assert json.loads(item) == {"kind": "page", "url": recorded, "alone": True}


def test_files_and_their_manifest_are_left_as_they_are(folder):
    class Pictures(Spider):
        name = "pictures"
        pipelines = [FilesPipeline("files")]

        def parse(self, response):
            yield {"file_urls": [f"{response.url}page/{n}/" for n in (1, 2, 3)]}

    archive = str(folder / "tests" / "golden" / "pictures.warc.gz")
    Path(archive).parent.mkdir(parents=True)
    with serve(SampleSite(books=1)) as site:
        spider = Pictures(start_urls=[f"{site.url}/quotes/"])
        scrapekit.run(spider, settings={"archive": {"record": archive}, "crawl": {"max_pages": 2}})
        scrapekit.run(spider)
    before = list(read_manifest("files"))
    assert [record.status for record in before] == ["saved"] * 3  # more than was recorded
    stages = spider.pipelines
    checker(folder, update=True)(spider)
    checker(folder, update=False)(spider)
    assert list(read_manifest("files")) == before
    shutil.rmtree("files")
    checker(folder, update=False)(spider)
    assert not Path("files").exists()
    assert spider.pipelines is stages
    scrapekit.run(spider, settings={"archive": {"replay": archive}})
    assert {record.status for record in read_manifest("files")} == {"saved"}  # of the others, nothing is known


def test_pytest_finds_the_plugin_of_an_installed_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module = import_module(project["entry-points"]["pytest11"]["scrapekit"])
    assert {"check_spider", "pytest_addoption"} <= set(vars(module))


def test_loading_the_plugin_loads_nothing_else():
    code = "import sys, scrapekit.pytest_plugin; print(*[n for n in sys.modules if n.startswith('scrapekit.')])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.stdout.split() == ["scrapekit.pytest_plugin"]


# The comparison


def test_order_makes_no_difference_and_number_does():
    one, two = {"a": 1, "b": 2}, {"a": 2}
    assert compare([one, two, two], [two, {"b": 2, "a": 1}, two]).none
    difference = compare([one, two, two], [one, two])
    assert (difference.missing, difference.new, difference.changed) == ([two], [], [])
    assert not difference.none


def test_items_that_share_fields_are_one_that_changed():
    expected = [{"name": "a", "price": "1", "old": True}, {"name": "b", "price": "2"}]
    came = [{"name": "b", "price": 2}, {"name": "a", "price": "1", "new": None}, {"x": 1}]
    difference = compare(expected, came)
    assert difference.summary == "2 changed, 1 new"
    assert difference.text().splitlines() == [
        '~ {"name":"a","price":"1"}',
        "    - old: true",
        "    + new: null",
        '~ {"name":"b"}',
        '    price: "2" -> 2',
        '+ {"x":1}',
    ]


def test_one_and_true_are_two_things():
    assert compare([{"a": 1, "b": 0}], [{"a": True, "b": 0}]).text() == '~ {"b":0}\n    a: 1 -> true'


def test_a_value_that_all_have_makes_no_pairs_and_each_has_one_partner():
    expected = [{"shop": "x", "n": n} for n in range(60)]
    came = [{"shop": "x", "n": -n - 1} for n in range(60)]
    difference = compare(expected, came)
    assert difference.summary == "60 missing, 60 new"
    assert difference.text().splitlines()[-1] == "and 20 more"
    assert compare([{"a": 1}, {"a": 1, "b": 2}], [{"a": 1, "c": 3}]).summary == "1 changed, 1 missing"


def test_long_values_are_cut():
    assert all(len(line) < 400 for line in compare([{"a": "x" * 999}], []).text().splitlines())
    assert json.dumps("x" * 10) in compare([{"a": "x" * 10}], []).text()
