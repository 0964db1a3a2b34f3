"""The commands around the crawl: list, settings, version, help, and how wrong command lines are answered."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import click
import pytest

from scrapekit import cli, settings
from scrapekit.cli import app


def test_list_shows_name_file_and_first_line_of_the_docstring(project):
    project.write("spiders/a.py", "from scrapekit import Spider\nclass Alpha(Spider): name = 'a.example'")
    assert project.run("list") == (
        0, "a.example  spiders/a.py\npages      spiders/pages.py  Every page of a site.\n", ""
    )  # fmt: skip


def test_list_marks_broken_files_and_names_that_are_there_twice(project):
    project.write("spiders/bad.py", "raise ValueError('\x1b')")
    project.write("spiders/copy.py", (project.folder / "spiders/pages.py").read_text())
    code, out, err = project.run("list")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        r"!      spiders/bad.py    spiders/bad.py:1: ValueError: \x1b",
        "pages  spiders/copy.py   (this name is there twice) Every page of a site.",
        "pages  spiders/pages.py  (this name is there twice) Every page of a site.",
    ]


def test_list_shows_names_of_files_that_are_not_utf_8(project):
    (project.folder / "spiders/pages.py").rename(project.folder / "spiders/\udcff.py")
    assert project.run("list") == (0, "pages  spiders/\\udcff.py  Every page of a site.\n", "")


def test_list_without_spiders_is_an_error(project):
    (project.folder / "spiders/pages.py").write_text("1 / 0")
    code, out, err = project.run("list")
    assert (code, err) == (
        2,
        "scrapekit: error: there are no spiders in spiders/: 'scrapekit new NAME URL' writes one\n",
    )
    assert out.startswith("!  spiders/pages.py")
    (project.folder / "spiders/pages.py").unlink()
    assert project.run("list") == (
        2,
        "",
        "scrapekit: error: there are no spiders in spiders/: 'scrapekit new NAME URL' writes one\n",
    )
    (project.folder / "spiders").rmdir()
    assert project.run("list").err == (
        f"scrapekit: error: there is no folder 'spiders' in {project.folder}: 'scrapekit init' starts a project\n"
    )


def test_settings_show_every_value_and_who_set_it(project):
    project.write("settings.yaml", "workers: 3\nhttp: {proxies: 'http://me:hunter2@proxy:1/'}")
    code, out, err = project.run("settings", "-s", "throttle.delay=2")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert "workers = 3  (settings.yaml:1)" in lines
    assert "throttle.delay = 2.0  (-s)" in lines
    assert 'crawl.durability = "process"  (default)' in lines
    assert 'http.proxies.http = ["http://***@proxy:1/"]  (settings.yaml:2)' in lines
    assert "hunter2" not in out


def test_settings_of_a_spider_include_its_own(project):
    project.write("spiders/slow.py", "from scrapekit import Spider\nclass Slow(Spider): settings = {'workers': 1}")
    assert "workers = 1  (spiders/slow.py Slow.settings)\n" in project.run("settings", "slow").out
    assert "workers = 16  (default)\n" in project.run("settings").out


def test_settings_may_stand_in_another_file(project):
    project.write("settings.yaml", "workers: 3")
    project.write("other.yaml", "workers: 4")
    assert "workers = 4  (other.yaml:1)\n" in project.run("settings", "--settings", "other.yaml").out
    gone = project.run("settings", "--settings", "gone.yaml")
    assert gone == (2, "", "scrapekit: error: gone.yaml: can't be read: No such file or directory\n")


@pytest.mark.parametrize(("target", "why"), [("gone.yaml", "No such file or"), ("settings.yaml", "Too many levels of")])
@pytest.mark.parametrize("command", [["settings"], ["crawl", "pages"]])
def test_a_settings_file_that_is_a_link_to_nowhere_is_not_the_same_as_none(project, command, target, why):
    (project.folder / "settings.yaml").symlink_to(target)
    code, out, err = project.run(*command)
    assert (code, out) == (2, "")
    assert err.startswith(f"scrapekit: error: settings.yaml: can't be read: {why}")


def test_the_version_is_that_of_the_package(project, monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: "1.2.3")
    assert project.run("--version") == (0, "scrapekit 1.2.3\n", "")


def test_a_checkout_that_is_not_installed_has_no_version(project, monkeypatch):
    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    assert project.run("--version") == (0, "scrapekit (not installed: this is a checkout)\n", "")


@pytest.mark.parametrize(
    "command", ["completion", "crawl", "doctor", "fetch", "init", "list", "new", "parse", "select", "settings", "shell"]
)
def test_every_command_helps_with_examples(project, command):
    code, out, err = project.run(command, "--help")
    assert (code, err) == (0, "")
    assert f"\n  scrapekit {command}" in out or f"| scrapekit {command}" in out
    assert project.run(command, "-h") == (0, out, "")


def test_without_a_command_the_help_goes_to_stderr(project):
    code, out, err = project.run()
    assert (code, out) == (2, "")
    assert "scrapekit crawl quotes" in err
    assert project.run("--help") == (0, err, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--nothing", "No such option '--nothing'.\ntry 'scrapekit --help'"),
        ("crwl", "No such command 'crwl'."),
        ("crawl", "Missing argument 'NAME...'.\ntry 'scrapekit crawl --help'"),
        ("crawl pages more", "there is no spider 'more' in spiders/; there are pages"),
        ("crawl pages --workers", "Option '--workers' requires an argument.\ntry 'scrapekit crawl --help'"),
        ("crawl pages -a url", "-a: 'url' is not of the form name=value\ntry"),
        ("crawl pages -a =x", "-a: '=x' is not of the form name=value\ntry"),
        ("crawl pages -o a -O a", "a: two outputs can't be the same file"),
        ("crawl pages -o - -o -", "-: two outputs can't be the same file"),
        ("crawl pages -q -v", "-q and -v exclude each other\ntry"),
        ("crawl pages --resume -a x=1", "--resume goes on with the job's own arguments and output: leave out -a, -o"),
        ("crawl pages --resume -o x", "--resume goes on with the job's own arguments and output: leave out -a, -o"),
        ("crawl pages --resume -O x", "--resume goes on with the job's own arguments and output: leave out -a, -o"),
        ("crawl pagse", "there is no spider 'pagse' in spiders/: did you mean 'pages'? There are pages"),
        ("crawl pages -s throtle.delay=1", "-s: unknown key 'throtle.delay' (did you mean"),
        ("crawl pages -s workers=many", "-s: workers must be a whole number from 1 to 1024, not 'many'"),
        ("crawl pages --workers 0", "-s: workers must be a whole number from 1 to 1024, not 0"),
        ("crawl pages --max-pages x", "-s: crawl.max_pages must be"),
        ("crawl pages --fleet rays", "-s: fleet.kind must be threads, processes:N or ray[:ADDRESS], not 'rays'"),
        ("crawl pages --resume", "there is nothing to resume: spider 'pages' has no unfinished job"),
        ("crawl pages --resume x", "there is no job 'x'; spider 'pages' has no unfinished job"),
        ("crawl pages -a parse=x", "argument 'parse' would hide the method of that name of spider 'pages'"),
        (
            "crawl pages -a url=http://a.test/ -o nowhere/x.jsonl",
            "nowhere/x.jsonl: the folder nowhere does not exist; ",
        ),
        ("crawl pages -a url=http://a.test/ -o x.tsv", "x.tsv: .tsv is not available"),
    ],
)
def test_what_is_asked_for_wrongly_is_said_in_a_line_with_exit_code_2(project, words, said):
    code, out, err = project.run(*words.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"scrapekit: error: {said}")
    assert len(err.splitlines()) <= 2
    assert "Traceback" not in err
    assert not (project.folder / ".scrapekit" / "jobs").exists() or project.jobs == []


def test_a_spider_file_that_is_wrong_is_said_with_file_and_line(project):
    project.write("spiders/pages.py", "x = 1\ndef f(:")
    assert project.run("crawl", "pages") == (
        2, "", "scrapekit: error: spiders/pages.py:2: SyntaxError: invalid syntax\n"
    )  # fmt: skip


def test_verbose_shows_the_traceback_before_the_line(project):
    project.write("spiders/pages.py", "1 / 0")
    code, _, err = project.run("crawl", "pages", "-v")
    assert code == 2
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith("\nscrapekit: error: spiders/pages.py:1: ZeroDivisionError: division by zero\n")


def test_ctrl_c_before_the_crawl_has_begun_is_an_interruption(project):
    project.write("spiders/pages.py", "raise KeyboardInterrupt")
    assert project.run("crawl", "pages") == (130, "", "\nscrapekit: error: interrupted\n")


def test_a_bug_is_a_traceback(project, monkeypatch):
    monkeypatch.setattr(app, "safe", None)
    with pytest.raises(TypeError):
        cli.main(["--nothing"])


def test_a_bug_of_any_kind_is_a_traceback(project, monkeypatch):
    def flatten(settings):
        raise EOFError("a bug")

    monkeypatch.setattr(settings, "flatten", flatten)
    with pytest.raises(click.Abort) as error:
        cli.main(["settings"])
    assert str(error.value.__cause__) == "a bug"


def command(project, *arguments, **options):
    with project.start(*arguments, **options) as process:
        out, err = process.communicate()
    return process.returncode, out, err


def test_the_module_is_the_command(project):
    assert command(project, "list") == (0, "pages  spiders/pages.py  Every page of a site.\n", "")
    assert command(project, "crawl")[0] == 2


def test_what_is_quick_loads_nothing_that_is_slow(project):
    code = (
        "import sys; from scrapekit.cli import main; main(sys.argv[1:])\n"
        "print({'lxml', 'urllib3', 'rich', 'yaml', 'msgspec', 'sqlite3', 'tenacity'} & {*sys.modules})"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, "--version"],
        capture_output=True, text=True, check=True, cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(project.root)},
    )  # fmt: skip
    assert found.stdout.splitlines()[-1] == "set()"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["list", "settings", "--help", "crawl --help", "--version"])
def test_a_stdout_that_is_full_is_one_line(project, words, unbuffered):
    with Path("/dev/full").open("w") as full:
        ended = command(project, *words.split(), stdout=full, env={"PYTHONUNBUFFERED": unbuffered})
    assert ended == (1, None, "scrapekit: error: stdout can't be written: No space left on device\n")


def test_tables_go_to_a_stdout_that_is_said_to_take_ascii_only(project, site):
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    code, out, err = command(project, "parse", site.url, "--spider", "pages", encoding="utf-8", env=ascii_only)
    assert (code, err) == (0, "")
    assert out.startswith("1 item\n\N{BOX DRAWINGS HEAVY DOWN AND RIGHT}")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_stdout_that_is_too_full_for_tables_is_one_line(project, site):
    with Path("/dev/full").open("w") as full:
        ended = command(project, "parse", site.url, "--spider", "pages", stdout=full)
    assert ended == (1, None, "scrapekit: error: stdout can't be written: No space left on device\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_stdout_is_an_exit_code_for_callers_too(project, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", io.TextIOWrapper(io.FileIO("/dev/full", "w"), write_through=True))
        assert project.run("list") == (1, "", "scrapekit: error: stdout can't be written: No space left on device\n")


def test_an_error_of_a_file_that_is_not_stdout_is_a_bug(project, monkeypatch):
    def flatten(settings):
        raise OSError("a bug")

    monkeypatch.setattr(settings, "flatten", flatten)
    with pytest.raises(OSError, match="a bug"):
        cli.main(["settings"])


def test_a_reader_that_leaves_early_is_no_error(project):
    read, write = os.pipe()
    os.close(read)
    try:
        code, _, err = command(project, "settings", stdout=write)
    finally:
        os.close(write)
    assert (code, err) == (1, "")
