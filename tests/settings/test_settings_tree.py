"""How settings.yaml and ``-s`` are read, before anything is known about keys."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.errors import SettingsError
from scrapekit.settings import DomainOverride, Settings, load


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def settings_of(text: str | bytes) -> Settings:
    path = Path("settings.yaml")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path).settings


def error(text: str | bytes) -> str:
    with pytest.raises(SettingsError) as caught:
        settings_of(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# YAML


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workers: 1\nhttp: [a,\n b: }", "settings.yaml:3:5: not valid YAML: "),
        ("workers: 1\nhttp:\n\tcookies: true", "settings.yaml:3:1: not valid YAML: "),
        ("workers: *none", "settings.yaml:1:10: not valid YAML: found undefined alias 'none'"),
        ("workers: 1\n---\nworkers: 2", "settings.yaml:2:1: not valid YAML: "),
        ("workers: 1\nhttp: {}\nworkers: 2", "settings.yaml:3: 'workers' is there twice: delete one of the two"),
        ("http:\n  timeout:\n    read: 1\n    read: 1\n", "settings.yaml:4: 'read' is there twice"),
        ("? [a, b]\n: 1", "settings.yaml:1: a key must be text"),
        (
            "workers: !!python/name:os.system ''",
            "settings.yaml:1:10: not valid YAML: could not determine a constructor",
        ),
        (
            "throttle: !!python/object:os.system {a: 1}",
            "settings.yaml:1: the tag !!python/object:os.system is not allowed",
        ),
        ("throttle: !mine {a: 1}", "settings.yaml:1: the tag !mine is not allowed"),
        ("workers: 1\na: \x01", "settings.yaml:2:4: the character '\\x01' is not allowed in YAML"),
        (b"workers: 1\n# caf\xe9\n", "settings.yaml:2: not UTF-8: save the file as UTF-8"),
        ("throttle: &a\n  domains: *a", "settings.yaml:1: a value that contains itself"),
        (
            "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)),
            "settings.yaml:17: its aliases (*) make 196,607 values of it, more than anybody means",
        ),
        ("http: &a {<<: *a}", "settings.yaml:1: a value that contains itself"),
        ("throttle: {domains: {<<: 3}}", "settings.yaml:1:26: not valid YAML: expected a mapping"),
        ("[" * 100_000, "settings.yaml: nested too deeply"),
    ],
)
def test_what_is_not_good_yaml_is_said_with_its_place(text, message):
    assert error(text).startswith(message)


def test_a_file_that_can_not_be_read(tmp_path):
    with pytest.raises(SettingsError, match=r"^nope\.yaml: can't be read: No such file"):
        load(Path("nope.yaml"))
    with pytest.raises(SettingsError, match="can't be read: Is a directory"):
        load(tmp_path)


def test_paths_are_shown_from_the_working_directory(tmp_path):
    (tmp_path / "sub").mkdir()
    with pytest.raises(SettingsError, match=r"^sub/nope\.yaml: "):
        load(tmp_path / "sub" / "nope.yaml")
    with pytest.raises(SettingsError, match=r"^/nowhere/nope\.yaml: "):
        load(Path("/nowhere/nope.yaml"))


def test_a_byte_order_mark_and_windows_line_ends_are_fine():
    assert settings_of("\ufeffworkers: 3\r\nfleet: threads\r\n".encode()).workers == 3
    assert error("\ufeff\r\nworkers: x\r\n").startswith("settings.yaml:2: workers")


def test_anchors_aliases_and_merge_keys():
    domains = settings_of("""
throttle:
  domains:
    a.org: &slow {maxsize: 1, delay: 5}
    b.org: *slow
    c.org: {<<: *slow, delay: 6}
    d.org: {<<: [*slow, {jitter: 0}]}
""").throttle.domains
    assert domains["a.org"] == domains["b.org"] == DomainOverride(maxsize=1, delay=5.0)
    assert domains["c.org"] == DomainOverride(maxsize=1, delay=6.0)
    assert domains["d.org"] == DomainOverride(maxsize=1, delay=5.0, jitter=0.0)


@pytest.mark.parametrize(
    "text", ["1.10", "007", "1_000", "2024-13-45", "2024-01-02", "12:30", "0x1f", "1e3", "=", "'yes'", "a: b"]
)
def test_text_is_taken_as_it_is_written(text):
    value = text if ": " not in text else f'"{text}"'
    assert settings_of(f"http: {{headers: {{X: {value}}}}}").http.headers["X"] == text.strip("'")


def test_what_looks_like_a_date_and_is_none_is_still_refused_where_a_number_must_be():
    assert (
        error("workers: 2024-13-45")
        == "settings.yaml:1: workers must be a whole number from 1 to 1024, not '2024-13-45'"
    )


# ${ENV}


def test_the_environment_is_read_in_text_of_any_style(monkeypatch):
    monkeypatch.setenv("WORKERS", "8")
    monkeypatch.setenv("TOKEN", "no")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("MISSING", raising=False)
    settings = settings_of("""
workers: ${WORKERS}
throttle: {maxsize: "${WORKERS}", adaptive: "${MISSING:-no}"}
retry: {statuses: ["50${MISSING:-3}", 500]}
http:
  user_agent: 'bot ${WORKERS}/${MISSING:-a-b}${EMPTY:-!} $${WORKERS} $5 $$'
  headers: {X-Token: "${TOKEN}", Accept: "${EMPTY}"}
  proxies: ${MISSING:-}
""")
    assert (settings.workers, settings.throttle.maxsize, settings.throttle.adaptive) == (8, 8, False)
    assert settings.retry.statuses == (503, 500)
    assert settings.http.user_agent == "bot 8/a-b! ${WORKERS} $5 $$"
    assert settings.http.headers["X-Token"] == "no"
    assert "Accept" not in settings.http.headers
    assert settings.http.proxies == {}


def test_what_the_environment_holds_is_never_yaml(monkeypatch):
    monkeypatch.setenv("TEXT", "{a: 1} # [${OTHER}] \n<<")
    assert (
        settings_of("export: {path: 'x'}\nhttp:\n  assert_hostname: ${TEXT}").http.assert_hostname
        == "{a: 1} # [${OTHER}] \n<<"
    )
    monkeypatch.setenv("TEXT", "<<")
    assert settings_of("http:\n  assert_hostname: ${TEXT}").http.assert_hostname == "<<"


def test_a_missing_variable_is_named_with_its_key_and_line(monkeypatch):
    monkeypatch.delenv("MISSING", raising=False)
    assert error("http:\n  headers:\n    X: a ${MISSING}") == (
        "settings.yaml:3: http.headers.X: the environment variable MISSING is not set: set it, or write ${MISSING:-default}"
    )
    assert error("crawl: {allowed_domains: ['${MISSING}']}").startswith(
        "settings.yaml:1: crawl.allowed_domains: the env"
    )


@pytest.mark.parametrize("text", ["${", "${1}", "${A-b}", "${A b}"])
def test_a_reference_that_is_none_is_refused(text):
    assert error(f"http: {{user_agent: '{text}'}}").startswith(
        "settings.yaml:1: http.user_agent: write ${NAME} or ${NAME:-default}, or $${ for a plain ${"
    )


# -s


def overridden(*overrides: str) -> Settings:
    return load(None, overrides=overrides).settings


def test_overrides_take_scalars_lists_and_mappings():
    settings = overridden(
        "workers = 3 ",
        "retry.statuses=[429, 503]",
        "crawl.max_pages=null",
        "crawl.max_depth=",
        "throttle={delay: 2, domains: {a.org: {maxsize: 1}}}",
        "http.timeout.read=2.5",
    )
    assert (settings.workers, settings.retry.statuses, settings.crawl.max_pages) == (3, (429, 503), None)
    assert settings.crawl.max_depth is None
    assert (settings.throttle.delay, settings.throttle.domains) == (2.0, {"a.org": DomainOverride(maxsize=1)})
    assert settings.http.timeout.read == 2.5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("@bot: 1", "@bot: 1"),
        ("[x", "[x"),
        ("{a} # b", "{a} # b"),
        ("*", "*"),
        ("!", "!"),
        ("&a", "&a"),
        ("<<", "<<"),
        ("1.10", "1.10"),
        ("'no'", "no"),
        ('"a b"', "a b"),
        ("a=b", "a=b"),
    ],
)
def test_overrides_of_text_need_no_quotes(text, value):
    assert overridden(f"http.user_agent={text}").http.user_agent == value
    assert overridden(f"http.headers.X.Y={text}").http.headers["X.Y"] == value


def test_overrides_know_the_dots_of_host_names_from_those_of_the_path():
    settings = overridden(
        "throttle.domains.*.example.org.delay=2",
        "throttle.domains.'*.example.org'.maxsize=3",
        "throttle.domains.example.net={delay: 4}",
    )
    assert settings.throttle.domains == {
        "*.example.org": DomainOverride(delay=2.0, maxsize=3),
        "example.net": DomainOverride(delay=4.0),
    }


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("workers", "-s: 'workers' is not of the form key.path=value"),
        ("=3", "-s: '=3' is not of the form key.path=value"),
        ("x.y=1", "-s: unknown key 'x.y' (known here: "),
        ("http.timout.read=1", "-s: unknown key 'http.timout.read' "),
        ("workers.x=1", "-s: workers must be a whole number from 1 to 1024, not a mapping"),
        ("workers=[1", "-s workers: not valid YAML: "),
        (
            "throttle.domains.a.org=3",
            "-s: throttle.domains.a.org must be a mapping (maxsize, delay, jitter, adaptive), not 3",
        ),
        ("throttle.domains.delay=3", "-s: throttle.domains.delay must be a mapping"),
        ("http.user_agent=\x00", "-s: the character '\\x00' is not allowed in YAML"),
    ],
)
def test_what_is_wrong_with_an_override(override, message):
    with pytest.raises(SettingsError) as caught:
        overridden(override)
    assert str(caught.value).startswith(message)


@given(st.text())
def test_any_file_is_either_loaded_or_refused_in_one_line(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "settings.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    refusal = ""
    try:
        load(path)
    except SettingsError as refused:
        refusal = str(refused)
    assert "\n" not in refusal


def test_yaml_is_not_imported_until_settings_are_read():
    code = "import sys, scrapekit.settings; sys.exit('yaml' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)
    assert run.returncode == 0
