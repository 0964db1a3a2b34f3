"""Bad input to the real command: one clear line that says what and where, exit code 2, and nothing left behind."""

from __future__ import annotations

import socket

import pytest

URL = "http://127.0.0.1:9/"  # never asked: all of these fail before the first request


@pytest.fixture
def refused(shell):
    """Runs ``scrapekit crawl`` with arguments that must be refused: the one line that it says.

    Where the options are wrong, and not what they mean, a second line says how to get help.
    """

    def run(*arguments, usage: bool = False) -> str:
        before = sorted(path for path in shell.folder.rglob("*") if "__pycache__" not in path.parts)
        result = shell.run("crawl", *arguments)
        assert result.returncode == 2, result
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
        line, *more = result.stderr.splitlines()
        assert more == (["try 'scrapekit crawl --help'"] if usage else [])
        after = sorted(path for path in shell.folder.rglob("*") if "__pycache__" not in path.parts)
        assert {path.name for path in after if path not in before} <= {".scrapekit", "jobs", ".gitignore"}
        return line

    return run


def spider(shell, text: str, name: str = "mine.py") -> None:
    (shell.folder / "spiders" / name).write_text(text)


def test_an_unknown_spider_with_a_suggestion(refused):
    line = refused("boks")
    assert "'boks'" in line
    assert "did you mean 'books'?" in line


def test_a_spider_file_that_does_not_exist(refused):
    assert "my_spider.py" in refused("my_spider.py")


def test_a_folder_without_spiders(refused, shell):
    (shell.folder / "spiders").rename(shell.folder / "other")
    assert "spiders" in refused("books")


def test_a_spider_file_with_a_syntax_error_with_file_and_line(refused, shell):
    spider(shell, "from scrapekit import Spider\n\nclass Mine(Spider)\n    name = 'mine'\n")
    line = refused("mine")
    assert "spiders/mine.py:3" in line
    assert "SyntaxError" in line
    assert "mine.py:3" in refused("spiders/mine.py")


def test_a_spider_file_that_raises_with_file_and_line(refused, shell):
    spider(shell, "import scrapekit\n\n\nscrapekit.Spyder\n")
    assert "spiders/mine.py:4: AttributeError" in refused("mine")


def test_an_unknown_setting_with_a_suggestion_and_where_it_stands(refused, shell):
    line = refused("books", "-s", "throttle.maxsiz=3")
    assert "throttle.maxsiz" in line
    assert "throttle.maxsize" in line or "'maxsize'" in line
    (shell.folder / "settings.yaml").write_text("workers: 4\nthrotle:\n  delay: 1\n")
    line = refused("books")
    assert "settings.yaml" in line
    assert "2" in line  # the line
    assert "throttle" in line


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("workers", "many"),
        ("workers", "0"),
        ("throttle.delay", "-1"),
        ("http.max_body", "huge"),
        ("retry.statuses", "ok"),
        ("crawl.durability", "none"),
        ("throttle.domains", "[1]"),
    ],
)
def test_a_setting_of_the_wrong_type_or_out_of_range(refused, key, value):
    assert key in refused("books", "-s", f"{key}={value}")


def test_a_setting_without_a_value(refused):
    assert "workers" in refused("books", "-s", "workers")


def test_settings_that_are_not_yaml_with_the_line(refused, shell):
    (shell.folder / "settings.yaml").write_text("workers: 4\nhttp: {headers: [\n")
    assert "settings.yaml" in refused("books")


def test_a_settings_file_that_does_not_exist(refused):
    assert "other.yaml" in refused("books", "--settings", "other.yaml")


def test_an_unknown_callback_of_a_start_request(refused, shell):
    spider(
        shell,
        "from scrapekit import Request, Spider\n\n\nclass Mine(Spider):\n    name = 'mine'\n\n"
        f"    def start(self):\n        yield Request('{URL}', 'parse_bok')\n\n    def parse_book(self, response):\n        pass\n",
    )
    line = refused("mine", "-O", "out.jsonl")
    assert "parse_bok" in line


def test_an_output_in_a_folder_that_does_not_exist(refused):
    for option in ("-o", "-O"):
        line = refused("books", option, "nowhere/books.jsonl")
        assert "nowhere" in line
        assert "does not exist" in line


def test_an_output_of_a_format_that_is_not_available(refused):
    assert ".xlsx" in refused("books", "-O", "books.xlsx")


def test_an_output_that_is_a_folder(refused, shell):
    (shell.folder / "out").mkdir()
    assert "out" in refused("books", "-O", "out")


def test_nothing_to_resume(refused):
    assert "nothing to resume" in refused("books", "--resume")
    assert "books-1" in refused("books", "--resume", "books-1")


def test_an_argument_that_is_not_a_url(refused):
    line = refused("docs", "-a", "url=foo")
    assert "'foo'" in line or "foo" in line
    assert "URL" in line or "url" in line
    assert "url" in refused("docs")
    assert "-a" in refused("docs", "-a", "foo", usage=True)


def test_a_start_url_that_is_not_a_url(refused, shell):
    (shell.folder / "out.jsonl").write_text('{"of": "yesterday"}\n')
    assert "foo" in refused("books", "-a", "url=foo", "-O", "out.jsonl")
    assert (shell.folder / "out.jsonl").read_text() == '{"of": "yesterday"}\n'
    spider(
        shell, "from scrapekit import Spider\n\n\nclass Mine(Spider):\n    name = 'mine'\n    start_urls = ['foo']\n"
    )
    assert "foo" in refused("mine", "-O", "out.jsonl")


def test_options_that_exclude_each_other(refused):
    refused("books", "--resume", "-O", "b.jsonl", usage=True)
    refused("books", "--nonsense", usage=True)


def test_a_host_that_is_down_is_a_crawl_that_failed_and_not_bad_input(shell):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/"
        result = shell.run("crawl", "books", "-a", f"url={url}", "-s", "retry.times=0", "-O", "out.jsonl")
    assert result.returncode == 1
    assert "ConnectError" in result.stderr
    assert "Traceback" not in result.stderr
