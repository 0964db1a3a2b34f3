"""Finding spiders by name and by path, and what is said about files and arguments that are wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import scrapekit
from scrapekit import Spider
from scrapekit.errors import SpiderError, SpiderNotFound
from scrapekit.project.spiders import file_of, find_spiders, load_spider, make_spider, settings_origin

QUOTES = '''
    from scrapekit import Spider

    class Quotes(Spider):
        """All quotes.

        And more.
        """
'''


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """An empty project as the working directory; imports leave nothing behind."""
    (tmp_path / "spiders").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(path, text=QUOTES):
    Path(path).write_text(dedent(text), encoding="utf-8")


def load(name):
    return load_spider(name, Path())


def refusal(name, kind=SpiderError):
    with pytest.raises(kind) as error:
        load(name)
    assert "\n" not in str(error.value)
    return str(error.value)


# Finding


def test_spiders_are_found_with_file_and_first_line_of_the_docstring():
    write("spiders/quotes.py")
    write("spiders/books.py", "from scrapekit import Spider\nclass B(Spider):\n    name = 'books.example'")
    books, quotes = find_spiders(Path("spiders"))
    assert (quotes.name, quotes.path, quotes.summary) == ("quotes", Path("spiders/quotes.py"), "All quotes.")
    assert issubclass(quotes.cls, Spider)
    assert (books.name, books.summary, books.error) == ("books.example", "", "")


def test_only_classes_that_the_file_defines_are_its_spiders():
    write("spiders/quotes.py")
    write(
        "spiders/more.py",
        """
        from abc import ABC, abstractmethod
        from quotes import Quotes
        from scrapekit import Spider

        class _Base(Spider): pass
        class Abstract(Spider, ABC):
            @abstractmethod
            def parse(self, response): ...
        class More(Quotes): pass
        class NoSpider: pass
        Alias = More
        instance = More()
        """,
    )
    assert [each.name for each in find_spiders(Path("spiders"))] == ["more", "quotes"]


def test_hidden_and_private_files_other_suffixes_and_folders_below_are_left_alone():
    for name in ("_helpers.py", "__init__.py", ".quotes.py", "quotes.pyc", "quotes.txt"):
        write(f"spiders/{name}", "raise AssertionError('imported')")
    Path("spiders/below").mkdir()
    write("spiders/below/quotes.py")
    assert find_spiders(Path("spiders")) == []


def test_a_broken_file_does_not_hide_the_others():
    write("spiders/bad.py", "import nowhere_to_be_found")
    write("spiders/quotes.py")
    bad, quotes = find_spiders(Path("spiders"))
    assert (bad.name, bad.cls) == ("bad", None)
    assert bad.error == "spiders/bad.py:1: ModuleNotFoundError: No module named 'nowhere_to_be_found'"
    assert quotes.name == "quotes"
    assert load("quotes").name == "quotes"


def test_spiders_import_modules_beside_them_and_from_the_project(project):
    write(
        "spiders/quotes.py",
        "import beside, above\nfrom scrapekit import Spider\nclass Quotes(Spider): url = beside.URL",
    )
    write("spiders/beside.py", "URL = 'http://beside/'")
    write("above.py", "")
    assert load("quotes").url == "http://beside/"
    assert load("quotes").url == "http://beside/"
    assert sys.path[-2:] == [str(project / "spiders"), str(project)]


def test_a_spider_file_hides_no_installed_module():
    write("spiders/json.py", "import json\nfrom scrapekit import Spider\nclass Dump(Spider): dumped = json.dumps({})")
    assert load("dump").dumped == "{}"


def test_dataclasses_work_in_spider_files():
    write(
        "spiders/quotes.py",
        """
        from __future__ import annotations
        from dataclasses import dataclass
        from scrapekit import Spider

        @dataclass
        class Quote:
            text: str

        class Quotes(Spider):
            quote = Quote("x")
        """,
    )
    assert load("quotes").quote.text == "x"


def test_a_changed_file_is_read_anew():
    write("spiders/quotes.py", "from scrapekit import Spider\nclass Quotes(Spider): url = 'one'")
    assert load("quotes").url == "one"
    write("spiders/quotes.py", "from scrapekit import Spider\nclass Quotes(Spider): url = 'two'")
    assert load("quotes").url == "two"


# Names that are wrong


def test_an_unknown_name_gets_a_suggestion_and_the_list():
    write("spiders/quotes.py")
    write("spiders/books.py", "from scrapekit import Spider\nclass Books(Spider): pass")
    assert refusal("qoutes", SpiderNotFound) == (
        "there is no spider 'qoutes' in spiders/: did you mean 'quotes'? There are books, quotes"
    )
    assert refusal("x", SpiderNotFound) == "there is no spider 'x' in spiders/; there are books, quotes"


def test_an_unknown_name_may_be_in_a_file_that_is_broken():
    write("spiders/quotes.py")
    write("spiders/bad.py", "1 / 0")
    assert refusal("books").endswith(
        "there are quotes; a file that can't be imported: spiders/bad.py:1: ZeroDivisionError: division by zero"
    )


def test_a_folder_within_a_project_says_where_that_is(project, monkeypatch):
    monkeypatch.chdir(project / "spiders")
    assert refusal("quotes", SpiderNotFound).endswith(f"/spiders: there is one in {project}: cd there")


def test_a_project_without_spiders_says_so(project):
    said = "there is no spider 'quotes' in spiders/, which has no spiders: 'scrapekit new NAME URL' writes one"
    assert refusal("quotes", SpiderNotFound) == said
    (project / "spiders").rmdir()
    assert (
        refusal("quotes", SpiderNotFound)
        == f"there is no folder 'spiders' in {project}: 'scrapekit init' starts a project"
    )


def test_a_name_that_two_files_have_is_an_error():
    write("spiders/a.py")
    write("spiders/b.py")
    assert (
        refusal("quotes") == "spider 'quotes' is there twice, in spiders/a.py and in spiders/b.py: rename one of them"
    )


@pytest.mark.parametrize("name", ["''", "'a b'", "'../x'", "'-v'", "'.x'", "7", "None", r"'a\n'"])
def test_a_name_that_no_file_could_have_is_an_error(name):
    write("spiders/quotes.py", f"from scrapekit import Spider\nclass Quotes(Spider): name = {name}")
    assert refusal("quotes").startswith("spiders/quotes.py: Quotes.name must be letters, digits,")


# Files that are wrong


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1\ndef f(:\n", "spiders/bad.py:2: SyntaxError: invalid syntax"),
        (
            "if 1:\nx = 2",
            "spiders/bad.py:2: IndentationError: expected an indented block after 'if' statement on line 1",
        ),
        ("import beside", "spiders/beside.py:3: ValueError: three lines"),
        ("import json\njson.loads('{')", "spiders/bad.py:2: JSONDecodeError: Expecting property name"),
        ("import sys\nsys.exit('gone')", "spiders/bad.py:2: SystemExit: gone"),
        ("import wrong", "spiders/wrong.py:1: SyntaxError: invalid syntax"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line_with_its_place(source, said):
    write("spiders/beside.py", "\n\nraise ValueError('''three\n\nlines''')")
    write("spiders/wrong.py", "=")
    write("spiders/bad.py", source)
    assert refusal("bad").startswith(said)


def test_a_file_that_is_not_text_is_an_error():
    Path("spiders/bad.py").write_bytes(b"\xff\xfe\x00")
    assert refusal("bad").startswith("spiders/bad.py")


def test_a_file_that_cannot_be_read_is_an_error():
    Path("spiders/bad.py").mkdir()
    assert refusal("bad").startswith("spiders/bad.py: IsADirectoryError: ")


def test_a_broken_file_leaves_no_module_behind():
    write("spiders/bad.py", "1 / 0")
    find_spiders(Path("spiders"))
    assert not [name for name in sys.modules if name.endswith("_bad")]


# Paths


def test_a_path_is_a_file_with_one_spider(tmp_path):
    write("my_spider.py")
    assert load("my_spider.py").name == "quotes"
    assert load(str(tmp_path / "my_spider.py")).name == "quotes"


def test_one_of_several_spiders_is_named_after_the_path(tmp_path):
    write("two.py", "from scrapekit import Spider\nclass One(Spider): pass\nclass Two(Spider): name = 'second'")
    assert load("two.py:One").name == "one"
    assert load("two.py:second").__name__ == "Two"
    assert refusal("two.py") == "two.py has several spiders, One, Two: say which, as in two.py:One"
    assert refusal("two.py:Three", SpiderNotFound) == "two.py: there is no spider 'Three' in it, only One, Two"


def test_paths_without_a_file_or_without_a_spider_are_errors():
    write("empty.py", "")
    assert refusal("gone.py", SpiderNotFound) == "there is no file gone.py"
    write("spiders/there.py", "")
    assert refusal("there.py", SpiderNotFound) == "there is no file there.py: did you mean spiders/there.py?"
    assert refusal("empty.py", SpiderNotFound) == "empty.py: no subclass of scrapekit.Spider is defined in it"


def test_paths_elsewhere_are_shown_in_full(tmp_path, monkeypatch):
    write("bad.py", "1 / 0")
    monkeypatch.chdir("spiders")
    with pytest.raises(SpiderError, match=f"^{tmp_path}/bad.py:1: ZeroDivisionError"):
        load_spider(str(tmp_path / "bad.py"), Path())


def test_the_origin_of_settings_is_file_and_class():
    write("spiders/quotes.py")
    assert settings_origin(load("quotes")) == "spiders/quotes.py Quotes.settings"


# Making one


class Argued(Spider):
    def __init__(self, *, url, **arguments):
        super().__init__(**arguments)
        if url == "bad":
            raise ValueError("bad\nurl")
        self.url = url


def test_arguments_reach_the_spider():
    spider = make_spider(Argued, {"url": "http://x/", "tag": "love"})
    assert (spider.url, spider.tag) == ("http://x/", "love")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {},
            "spider 'argued' can't be made with these arguments (-a NAME=VALUE): TypeError: Argued.__init__() missing 1 required",
        ),
        ({"url": "bad"}, "spider 'argued' can't be made with these arguments (-a NAME=VALUE): ValueError: bad url"),
        ({"url": "x", "parse": "y"}, "argument 'parse' would hide the method of that name of spider 'argued'"),
    ],
)
def test_arguments_that_are_wrong_are_said_in_one_line(arguments, said):
    with pytest.raises(SpiderError) as error:
        make_spider(Argued, arguments)
    assert str(error.value).startswith(said)


def test_a_url_that_is_wrong_is_said_as_it_is():
    from scrapekit import Request

    class Starts(Spider):
        def __init__(self, url):
            Request(url)

    with pytest.raises(SpiderError, match=r"^spider 'starts': "):
        make_spider(Starts, {"url": "mailto:x"})


# Spiders as YAML

SHOP = """
description: |
  All of the shop.
  And more.
start: https://shop.example.org/
items: {fields: {title: h1}}
"""


def test_a_yaml_file_is_a_spider_like_any_other(project):
    write("spiders/quotes.py")
    write("spiders/shop.yaml", SHOP)
    write("spiders/old.yml", SHOP.replace("description", "name: older\ndescription"))
    write("spiders/_hidden.yaml", "not: one")
    older, quotes, shop = find_spiders(Path("spiders"))
    assert (shop.name, shop.path, shop.summary, shop.error) == (
        "shop", Path("spiders/shop.yaml"), "All of the shop.", "",
    )  # fmt: skip
    assert (older.name, quotes.name) == ("older", "quotes")
    assert load("shop").name == load("spiders/shop.yaml").name == load("spiders/shop.yaml:shop").name == "shop"
    assert settings_origin(load("shop")) == "spiders/shop.yaml shop.settings"
    assert file_of(load("shop")) == project / "spiders" / "shop.yaml"
    assert refusal("spiders/shop.yaml:other", SpiderNotFound) == (
        "spiders/shop.yaml: there is no spider 'other' in it, only shop"
    )
    assert refusal("nowhere.yml", SpiderNotFound) == "there is no file nowhere.yml"


def test_a_yaml_file_that_is_wrong_does_not_hide_the_others():
    write("spiders/quotes.py")
    write("spiders/shop.yaml", SHOP + "itmes: 5\n")
    wrong = "spiders/shop.yaml:7: unknown key 'itmes' (did you mean 'items'?)"
    assert [each.error for each in find_spiders(Path("spiders"))] == ["", wrong]
    assert refusal("shop") == refusal("spiders/shop.yaml") == wrong
    assert load("quotes").name == "quotes"


def test_a_name_that_is_there_in_both_forms_is_refused():
    write("spiders/quotes.py")
    write("spiders/quotes.yaml", SHOP)
    assert refusal("quotes") == (
        "spider 'quotes' is there twice, in spiders/quotes.py and in spiders/quotes.yaml: rename one of them"
    )
    assert load("spiders/quotes.yaml").__doc__.startswith("All of the shop.")


def test_a_yaml_file_of_the_same_name_is_in_the_way_even_if_it_is_wrong():
    write("spiders/quotes.py")
    write("spiders/quotes.yaml", "start: 5")
    assert "is there twice, in spiders/quotes.py and in spiders/quotes.yaml" in refusal("quotes")


def test_yaml_that_can_not_be_meant_is_not_read():
    write("spiders/quotes.py")
    write("spiders/shop.yaml", "wrong: [")
    assert load("quotes").name == "quotes"
    code = (
        "import sys; from pathlib import Path; from scrapekit.project.spiders import load_spider; "
        "load_spider('quotes', Path()); print('scrapekit.declarative' in sys.modules)"
    )
    root = Path(scrapekit.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    write("spiders/books.yaml", SHOP.replace("description", "name: library\ndescription"))
    assert load("library").name == "library"
    assert refusal("libary", SpiderNotFound) == (
        "there is no spider 'libary' in spiders/: did you mean 'library'? There are library, quotes, shop"
    )
    Path("spiders/gone.yaml").symlink_to("nowhere")
    assert load("quotes").name == "quotes"
    assert refusal("gone").startswith("spiders/gone.yaml: can't be read: No such file")


def test_python_may_build_on_a_yaml_file(project):
    write("spiders/shop.yaml", SHOP)
    write(
        "spiders/louder.py",
        """
        from pathlib import Path
        from scrapekit.declarative import load

        Shop = load(Path(__file__).with_name("shop.yaml"))

        class Louder(Shop):
            name = "louder"
        """,
    )
    assert [each.name for each in find_spiders(Path("spiders"))] == ["louder", "shop"]
    assert file_of(load("louder")) == project / "spiders" / "louder.py"
    assert file_of(load("louder").__base__) == project / "spiders" / "shop.yaml"
