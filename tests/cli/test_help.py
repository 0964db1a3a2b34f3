"""What helps: doctor, completion, and settings --explain."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from importlib import metadata

import pytest
from click.shell_completion import ShellComplete

from scrapekit.cli import app, checks, explain
from scrapekit.settings import Settings
from scrapekit.settings.shape import all_keys


def test_doctor_finds_a_machine_that_runs_these_tests_fit(project):
    code, out, err = project.run("doctor", "http://localhost/")
    assert (code, err) == (0, ""), out
    looked_at = [line[2:].split()[0] for line in out.splitlines() if "->" not in line]
    assert looked_at[0] == "python"
    assert {"libraries", "libxml2", "openssl", "settings", "open", "dns", "proxies", "tls", "disk", "terminal"} <= {
        *looked_at
    }


def test_doctor_says_what_is_wrong_and_what_to_do(project):
    project.write("settings.yaml", "wrokers: 3")
    code, out, _ = project.run("doctor", "http://localhost/")
    assert code == 1
    assert "! settings      settings.yaml:1: unknown key 'wrokers' (did you mean 'workers'?)" in out
    assert "-> correct that line" in out
    assert project.run("doctor", "localhost").code == 2


def test_libraries_below_their_floor_are_wrong(monkeypatch):
    there = {"urllib3": "2.7.9", "brotli": "1.1.0", "lxml": "6.0"}
    needed = {
        "scrapekit": ["lxml>=6", "urllib3[brotli,zstd]<3,>=2.8", "gone>=1.2", "ray>=2; extra == 'ray'"],
        "urllib3": [
            "brotli>=1.2.0; (platform == 'x') and extra == 'brotli'",
            'brotlicffi>=1; extra == "brotli"',
            "h2>4; extra == 'h2'",
        ],
    }

    def version(name):
        if name not in there:
            raise metadata.PackageNotFoundError(name)
        return there[name]

    monkeypatch.setattr(checks, "version", version)
    monkeypatch.setattr(checks, "requires", needed.get)
    monkeypatch.setattr(checks, "_LIBXML2", (99,))
    found = checks.libraries()
    assert [(each.mark, each.what, each.fix) for each in found if each.mark] == [
        ("!", "urllib3", "pip install 'urllib3>=2.8'"),
        ("!", "brotli", "pip install 'brotli>=1.2.0'"),
        ("!", "gone", "pip install 'gone>=1.2'"),
        ("?", "libxml2", "pip install -U lxml"),
    ]


def test_a_checkout_that_is_not_installed_is_said():
    assert checks.libraries("no-such-package-is-installed")[0].mark == "?"


def test_too_few_open_files_are_wrong(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 100))
    assert checks.open_files(16, 64) == (
        "!", "open files", "100 at most, and 16 workers may need 144", "ulimit -n 144"
    )  # fmt: skip
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, 0))
    assert checks.open_files(16, 64).said == "no limit"
    monkeypatch.setitem(sys.modules, "resource", None)
    assert checks.open_files(16, 64).said == "this system sets no limit"


def test_a_name_that_has_no_address_is_wrong_unless_a_proxy_may_know_it(monkeypatch):
    def unknown(*_):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = checks.names("shop.example", 5, proxied=False)
    assert found[:3] == ("!", "dns", "shop.example: Name or service not known")
    assert checks.names("shop.example", 5, proxied=True).mark == "?"
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    assert checks.names("shop.example", 5, proxied=False).said == "shop.example: no answer in 5 s"


def test_proxies_of_the_environment_are_pointed_out():
    assert checks.proxies({}, {}) == ("", "proxies", "none", "")
    assert checks.proxies({}, {"https_proxy": "http://p/"}).fix == 'settings.yaml: http: {proxies: "${https_proxy:-}"}'
    assert checks.proxies({"http": ("http://me:secret@p:1/",)}, {}).said == "http://***@p:1/"


def test_certificates_that_can_not_be_read_or_are_not_checked(tmp_path):
    assert checks.certificates(str(tmp_path / "gone.pem"), verify=True).mark == "!"
    assert checks.certificates(None, verify=False).mark == "?"
    assert checks.certificates(None, verify=True).mark == ""


def test_a_disk_that_is_full_or_not_ours(tmp_path, monkeypatch):
    for free, mark in ((2**20, "!"), (2**29, "?"), (2**40, "")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: shutil._ntuple_diskusage(free, 0, free))
        assert checks.disk(tmp_path).mark == mark
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert checks.disk(tmp_path).said.endswith("can't be written to")


class Screen:
    encoding = "utf-8"

    def isatty(self):
        return True


def test_a_terminal_is_said_as_it_is(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", Screen())
        patched.setattr(sys, "stdout", Screen())
        good = checks.terminal({"TERM": "xterm", "NO_COLOR": "1"})
        patched.setattr(Screen, "encoding", "ascii")
        bad = checks.terminal({})
    assert good.mark == ""
    assert good.said.startswith("xterm, utf-8, ")
    assert good.said.endswith("no colours (NO_COLOR)")
    assert (bad.mark, bad.said[:14]) == ("?", "no TERM, ascii")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_of_the_shell(project, shell):
    code, out, _ = project.run("completion", shell)
    assert code == 0
    assert "_SCRAPEKIT_COMPLETE" in out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=out, text=True, check=True)


def test_what_the_script_asks_for_is_answered(project):
    environment = {"_SCRAPEKIT_COMPLETE": "bash_complete", "COMP_WORDS": "scrapekit cra", "COMP_CWORD": "1"}
    with project.start(env=environment) as process:
        out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "plain,crawl\n", "")


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("crawl ", ["books", "pages", "quotes", "shop"]),
        ("crawl quotes p", ["pages"]),
        ("crawl ./sp", ["file ./sp"]),
        ("crawl pages -O ou", ["file ou"]),
        ("crawl --settings ", ["file "]),
        ("parse --spider b", ["books"]),
        ("check sh", ["shop"]),
        ("settings q", ["quotes"]),
        ("settings --explain throttle.d", ["throttle.delay", "throttle.domains"]),
        ("settings --explain nothing", []),
        ("jobs show --report ", ["file "]),
    ],
)
def test_spiders_files_and_settings_are_completed_without_running_a_spiders_file(project, words, completed):
    project.write("spiders/two.py", """
        from scrapekit import Spider
        raise SystemExit("it was run")
        class Books(Spider): ...
        class Other(Spider):
            name: str = "quotes"
        class _Base(Spider): ...
        class Item: ...
    """)  # fmt: skip
    project.write("spiders/broken.py", "class")
    project.write("spiders/shop.yaml", "start: x")
    *typed, incomplete = words.split(" ")
    found = ShellComplete(app.scrapekit, {}, "scrapekit", "_").get_completions(typed, incomplete)
    assert [each.value if each.type == "plain" else f"{each.type} {each.value}" for each in found] == completed


def test_another_shell_is_refused(project):
    code, _, err = project.run("completion", "tcsh")
    assert code == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in err


def test_explain_says_what_a_key_does_and_what_holds(project):
    project.write("settings.yaml", "throttle: {delay: 3, domains: {example.org: {delay: 1}}}")
    assert project.run("settings", "--explain", "throttle.delay").out.splitlines() == [
        "throttle.delay = 3.0  (settings.yaml:1)",
        "  must be  a number of seconds from 0 to 86400",
        "  default  0",
        "  Per host: from the start of one request to the start of the next.",
        "",
    ]
    out = project.run("settings", "--explain", "throttle.domains.example.org.delay").out
    assert out.startswith("throttle.domains.example.org.delay = 1.0  (settings.yaml:1)\n")
    section = project.run("settings", "--explain", "http.timeout").out
    assert [line.split(" = ")[0] for line in section.splitlines() if line.startswith("http")] == [
        f"http.timeout.{key}" for key in ("connect", "read", "total", "pool")
    ]
    assert "](" not in project.run("settings", "--explain", "http").out


@pytest.mark.parametrize("key", [key for key, _ in all_keys(Settings)])
def test_every_key_is_explained(key):
    [row] = explain.explain(key)
    assert row.key == key
    assert len(row.meaning) > 5


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("throttle.dely", "did you mean 'throttle.delay'?"),
        ("max_depht", "did you mean 'crawl.max_depth'?"),
        ("zzz", "'scrapekit settings' lists them all"),
    ],
)
def test_a_key_that_is_not_there_is_said_with_the_nearest(project, key, hint):
    said = f"scrapekit: error: there is no setting {key!r}: {hint}\n"
    assert project.run("settings", "--explain", key) == (2, "", said)
