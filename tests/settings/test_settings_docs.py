"""The example file and the reference say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scrapekit.settings import Settings, flatten, load
from scrapekit.settings.shape import all_keys, describe

ROOT = Path(__file__).parents[2]
ROWS = {
    row[1]: row.group(2, 3)
    for line in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").splitlines()
    if (row := re.fullmatch(r"\| `([a-z_.*]+)` \| (.+?) \| (.+?) \| .+ \|", line))
}


def test_the_example_file_holds_the_defaults_and_every_key(monkeypatch):
    monkeypatch.chdir(ROOT)
    settings, origins = load(Path("settings.yaml"))
    assert settings == Settings()
    # The user agent has the version in it, and an empty mapping has no line of its own.
    assert {key for key, origin in origins.items() if origin == "default"} == {
        "fleet.resources",
        "http.user_agent",
        "http.auth",
        "http.fingerprints",
        "http.proxies",
        "http.server_hostnames",
        "throttle.domains",
    }


def test_the_reference_has_every_key_in_the_order_of_the_schema():
    assert list(ROWS) == [key for key, _ in all_keys(Settings)]


@pytest.mark.parametrize(("key", "annotation"), [*all_keys(Settings)])
def test_the_reference_has_the_right_type_and_default(key, annotation):
    words, default = ROWS[key]
    assert words == describe(annotation)
    if "*" in key or key == "http.user_agent":
        assert default in {"none", "`null`", "`scrapekit/VERSION`"}
    elif default != "`null`":
        assert load(None, overrides=[f"{key}={default.strip('`')}"]).settings == Settings()
    else:
        assert flatten(Settings())[key] is None
