"""README and docs say what is there: their examples run, their commands exist, their links lead somewhere.

Examples that name a practice site are run against the sample site, which has the same markup.
"""

import contextlib
import doctest
import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

import scrapekit
from scrapekit.cli.app import scrapekit as commands
from scrapekit.engine.schema import SCHEMA
from scrapekit.settings import load
from scrapekit.spider import Spider
from scrapekit.testing import SampleSite, serve

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
WALKED = {"tutorial.md"}  # tests/test_tutorial.py does all of it, in its order
LANGUAGES = {"python", "py", "pycon", "yaml", "console", "sql", "toml", "json", "text", ""}
# "py" is the code of others, which is shown and not run.
# What examples may start besides our own command and files of this checkout.
PROGRAMS = {"apt-get", "cd", "dpkg", "head", "make", "python3", "sort", "source", "sqlite3", "wc"}
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
TARGETS = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


class Block(NamedTuple):
    page: Path
    language: str
    line: int
    text: str


def blocks_of(page, *languages):
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\S*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if not languages or found[1] in languages:
            yield Block(page, found[1], text.count("\n", 0, found.start(2)) + 1, found[2])


def with_blocks(*languages, but=()):
    """A parameter for each page that has blocks in these languages: all of them, for later ones build on earlier ones."""
    found = {page.name: list(blocks_of(page, *languages)) for page in PAGES if page.name not in but}
    return [pytest.param(blocks, id=name) for name, blocks in found.items() if blocks]


def commands_of(blocks):
    """The commands after ``$``, and whether a Ctrl-C follows."""
    for block in blocks:
        lines = block.text.splitlines()
        for line, after in zip(lines, [*lines[1:], ""], strict=True):
            if line.startswith("$ "):
                yield line[2:].partition("  #")[0].strip(), after == "^C"


def words_of(command):
    """The words of each program that a command line starts."""
    words = []
    for word in shlex.split(command):
        if word in {"|", "&&"}:
            yield words
            words = []
        else:
            words.append(word)
    yield words


def on_loopback(text, site):
    """An example with the sample site in place of the practice sites. None may reach the network."""
    for url, local in (
        ("https://quotes.toscrape.com/", "/quotes/"),
        ("https://books.toscrape.com/", "/"),
        ("https://docs.example.org/", "/"),
        ("https://api.example.org/", "/api/"),
    ):
        text = text.replace(url, site.url + local)
    assert "https://" not in text
    return re.sub(r"http://\w+\.example\.org:3128", site.url, text)


def write_files(page, folder, site):
    """The files that a page of docs shows, by the name in their first line."""
    for block in blocks_of(page, "python", "text", "yaml"):
        if name := re.match(r"# (\w+\.(?:py|txt)|spiders/\w+\.yaml)\n", block.text):
            (folder / "spiders").mkdir(exist_ok=True)
            (folder / name[1]).write_text(on_loopback(block.text, site), encoding="utf-8")


@pytest.fixture(scope="module")
def site():
    sample = SampleSite(books=40, retry_after=0)

    def app(request):
        """The sample site, which serves as its own proxy as well: then the target is a whole URL."""
        return sample(replace(request, target=re.sub(r"^http://[^/]+", "", request.target)))

    with serve(app) as server:
        yield server


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_is_of_a_language_that_is_checked_here(page):
    assert {block.language for block in blocks_of(page)} <= LANGUAGES
    assert page.read_text(encoding="utf-8").count("```") == 2 * len(list(blocks_of(page)))


@pytest.mark.parametrize("blocks", with_blocks("python", but=WALKED))
def test_python_examples_run_and_their_spiders_crawl(blocks, site, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_files(blocks[0].page, tmp_path, site)
    names = {"__name__": "example"}
    for block in blocks:
        before = set(map(id, names.values()))
        source = "\n" * (block.line - 1) + on_loopback(block.text, site)
        exec(compile(source, block.page, "exec", dont_inherit=True), names)
        for value in [value for value in names.values() if id(value) not in before]:
            # What a page only imports, such as Spider itself, is no example.
            if isinstance(value, type) and issubclass(value, Spider) and value.__module__ == "example":
                report = scrapekit.run(value, settings={"retry": {"backoff": {"initial": 0}}})
                assert report.failure is None
                assert report.pages
                assert report.stats.item_errors == {}
                assert set(report.stats.errors) <= {"StatusError 404"}  # the sample site has a dead link


@pytest.mark.parametrize("blocks", with_blocks("pycon"))
def test_sessions_print_what_they_show(blocks):
    text = "".join("\n" * (block.line == 0) + block.text for block in blocks)
    session = doctest.DocTestParser().get_doctest(text, {}, blocks[0].page.name, str(blocks[0].page), 0)
    assert session.examples
    assert doctest.DocTestRunner().run(session).failed == 0


@pytest.mark.parametrize("blocks", with_blocks("yaml", but={"declarative.md"}))  # those are spiders
def test_settings_are_valid(blocks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in blocks:
        for name in re.findall(r"\$\{(\w+)\}", block.text):
            monkeypatch.setenv(name, "secret-of-the-tests")
        for name in re.findall(r"[\w-]+\.pem", block.text):
            Path(name).touch()
        file = tmp_path / "settings.yaml"
        file.write_text(block.text, encoding="utf-8")
        _, origins = load(file)
        assert set(origins.values()) != {"default"}


@pytest.mark.parametrize("blocks", with_blocks("json"))
def test_what_is_json_is_json(blocks):
    for block in blocks:
        assert json.loads(block.text)


def test_the_table_of_extras_is_that_of_the_package():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| .* \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    names = {extra: ", ".join(re.match(r"[\w-]+", each)[0] for each in needs) for extra, needs in EXTRAS.items()}
    assert dict(rows) == {extra: brings or "nothing more" for extra, brings in names.items()}


def test_the_cluster_on_kubernetes_has_what_kuberay_requires():
    [text] = [block.text for block in blocks_of(ROOT / "docs" / "scaling.md", "text") if "RayCluster" in block.text]
    cluster = yaml.safe_load(text)
    head, [workers] = cluster["spec"]["headGroupSpec"], cluster["spec"]["workerGroupSpecs"]
    assert (cluster["apiVersion"], cluster["kind"]) == ("ray.io/v1", "RayCluster")
    assert cluster.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert head.keys() == {"rayStartParams", "template"}
    assert workers.keys() == {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}
    for group in (head, workers):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        [container] = group["template"]["spec"]["containers"]
        assert container.keys() >= {"name", "image"}


@pytest.mark.parametrize("blocks", with_blocks("console"))
def test_commands_exist_with_those_options(blocks):
    for command, _ in commands_of(blocks):
        for program, *arguments in words_of(command):
            if program == "scrapekit":
                name, *rest = arguments
                above = commands.make_context("scrapekit", [name])  # click keeps the help option that it gives
                commands.commands[name].make_context(name, list(rest), above)
            elif program == "make":
                assert TARGETS.issuperset(word for word in arguments if "=" not in word), command
            elif program == ".venv/bin/pip":
                named = [word for word in arguments if word != "pytest"]
                assert named in (["install", "."], *(["install", f".[{extra}]"] for extra in EXTRAS)), (
                    "the package of our name on PyPI is somebody else's"
                )
            elif program == "python":
                flag, module, *options = arguments
                assert flag == "-m", command
                shown = subprocess.run(
                    [sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True
                )
                assert all(option in shown.stdout for option in options if option.startswith("--")), command
            elif program == ".venv/bin/python":
                assert (ROOT / arguments[0]).is_file(), command
            else:
                assert program in PROGRAMS, command
            if program == "sqlite3":
                with contextlib.closing(sqlite3.connect(":memory:")) as database:
                    database.executescript(SCHEMA)
                    database.execute(arguments[1])


@pytest.fixture(scope="module")
def ledger(site, tmp_path_factory):
    """The database of a job that has crawled the sample site."""
    folder = tmp_path_factory.mktemp("ledger")
    command = [sys.executable, "-m", "scrapekit", "crawl", str(ROOT / "spiders" / "books.py"), "-q"]
    subprocess.run(
        [*command, "-a", f"url={site.url}/", "-s", "retry.backoff.initial=0"],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=60, check=True,
    )  # fmt: skip
    [database] = folder.glob(".scrapekit/jobs/*/frontier.sqlite")
    return database


@pytest.mark.parametrize("blocks", with_blocks("sql"))
def test_queries_run_on_a_real_ledger(blocks, ledger):
    assert len(blocks) >= 10
    with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as database:
        empty = [block.line for block in blocks if not database.execute(block.text).fetchall()]
    # All but what is due for retries, for hosts that wait, and for what a crash or a quarantine leaves.
    assert len(empty) <= len(blocks) // 3, empty


@pytest.mark.parametrize("blocks", with_blocks("console", but=WALKED))
def test_commands_do_what_they_promise(blocks, site, tmp_path):
    """Run each ``scrapekit`` command in a copy of the project. --max-pages stands for the Ctrl-C that is shown."""
    for path in (ROOT / "spiders").glob("*.[py]*"):
        (tmp_path / "spiders").mkdir(exist_ok=True)
        text = path.read_text(encoding="utf-8").replace("url=https://docs.example.org/3/", "url=")
        (tmp_path / "spiders" / path.name).write_text(on_loopback(text, site), encoding="utf-8")
    write_files(blocks[0].page, tmp_path, site)
    # Whatever an example does, it stays on loopback and does not wait.
    (tmp_path / "settings.yaml").write_text("crawl: {allowed_domains: [127.0.0.1]}\nretry: {backoff: {initial: 0}}\n")
    (tmp_path / "scrapekit").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m scrapekit "$@"\n')
    (tmp_path / "scrapekit").chmod(0o755)
    paths = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    for command, interrupted in commands_of(blocks):
        words = shlex.split(command)
        if words[0] != "scrapekit" or not shutil.which("bash"):
            continue
        if words[1] == "ui":  # it ends when it is told to
            with subprocess.Popen(
                ["./scrapekit", "ui", "0"], cwd=tmp_path, env=os.environ | paths, stdout=subprocess.PIPE
            ) as shown:
                assert b"the jobs of this folder are at http://127.0.0.1:" in shown.stdout.readline()
                shown.send_signal(signal.SIGINT)
            assert shown.returncode == 0
            continue
        resumed = "--resume" in words
        limit = " --max-pages 2" if interrupted else " --max-pages 100000" if resumed else ""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", on_loopback(re.sub(r"(--ui|--metrics) \d+", r"\1 0", command), site) + limit],
            cwd=tmp_path, env=os.environ | paths, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if "-O" in words:
            assert (tmp_path / words[words.index("-O") + 1]).stat().st_size
        if words[1] == "crawl" and "-q" not in words:
            assert "stopped at crawl.max_pages" in done.stderr if interrupted else " finished\n" in done.stderr


def test_the_report_that_is_shown_has_the_lines_of_a_real_one(site, tmp_path):
    [shown] = blocks_of(ROOT / "docs" / "cli.md", "text")
    (tmp_path / "settings.yaml").write_text("retry: {backoff: {initial: 0}}\n")
    words = ["crawl", str(ROOT / "spiders" / "books.py"), "-a", f"url={site.url}/", "-O", "books.jsonl"]
    done = subprocess.run(
        [sys.executable, "-m", "scrapekit", *words],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    labels = re.compile(r"^  (\w+)", re.MULTILINE)
    assert labels.findall(shown.text) == labels.findall(done.stderr)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if not re.match(r"\w+:", target):
            there = (page.parent / path) if path else page
            assert there.is_file(), target
            headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
            assert not anchor or anchor in {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}


def test_every_page_of_docs_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"(docs/{page.name})" not in readme] == []


def test_the_readme_names_demo_and_test_and_the_makefile_has_them():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"make (\w+)", readme))
    assert {"demo", "test"} <= named <= TARGETS


def test_nobody_is_told_to_install_the_package_of_our_name_from_pypi():
    for page in PAGES:
        assert not re.search(r"pip3? install (?!\.)\S*scrapekit", page.read_text(encoding="utf-8")), page


def test_every_page_of_docs_is_in_the_navigation_of_the_site():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    docs = ROOT / "docs"
    named = re.findall(r"- (?:\w+: )?(\S+\.md)$", text.partition("\nnav:")[2], re.MULTILINE)
    assert sorted(named) == sorted(str(page.relative_to(docs)) for page in docs.rglob("*.md"))
