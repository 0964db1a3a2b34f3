"""http.auth: which URL gets which credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from scrapekit.errors import SettingsError
from scrapekit.settings import flatten, load

BASIC = "Basic bWU6c8OpY3JldA=="


def http(*overrides):
    return load(None, overrides=list(overrides)).settings.http


def test_each_host_gets_its_own():
    auth = http(
        "http.auth.api.example.org.basic=me:s\u00e9cret",
        "http.auth.*.example.com.bearer=all.of-it_1~",
        "http.auth.www.example.com.bearer=www==",
    ).authorization
    assert auth("https://api.example.org/x?y") == BASIC
    assert auth("https://api.example.org:8443/") == BASIC
    assert auth("https://a.b.example.com/") == "Bearer all.of-it_1~"
    assert auth("https://example.com/") == "Bearer all.of-it_1~"
    assert auth("https://www.example.com/") == "Bearer www=="
    for other in ("https://example.org/", "https://x.api.example.org/", "https://api.example.org.evil.test/"):
        assert auth(other) is None


def test_plain_http_gets_them_on_this_machine_only_unless_it_is_allowed():
    auth = http("http.auth.*.bearer=abc", "http.auth.open.test={bearer: abc, allow_http: true}").authorization
    assert auth("https://secret.test/") == "Bearer abc"
    for plain in ("http://secret.test/", "http://127.0.0.evil.test/", "http://10.0.0.1/", "http://localhost.test/"):
        assert auth(plain) is None
    for plain in ("http://open.test/", "http://127.0.0.1:8080/", "http://[::1]/", "http://a.localhost/"):
        assert auth(plain) == "Bearer abc"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{a.test: {}}", "http.auth.a.test must have one of basic"),
        ('{a.test: {basic: "a:hunter2", bearer: hunter2}}', "http.auth.a.test must have one of basic"),
        ("{a.test: {basic: hunter2}}", "http.auth.a.test basic must be user:password"),
        ('{a.test: {basic: "hunter2:\\n"}}', "http.auth.a.test basic must be user:password"),
        ('{a.test: {bearer: "hunter2 x"}}', "http.auth.a.test bearer must be a token"),
        ('{a.test: {bearer: ["hunter2"]}}', "http.auth.a.test.bearer must be text, or null"),
        ('{"https://a.test": {bearer: x}}', "has a scheme, a port or a path"),
        ("{a.test: {token: hunter2}}", "unknown key 'http.auth.a.test.token'"),
    ],
)
def test_what_can_not_be_sent_is_refused_and_not_shown(text, said, tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text(f"http:\n  auth: {text}\n")
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{path}:2:")
    assert "hunter2" not in str(caught.value)


def test_they_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("PW", "from:env")
    path = Path(tmp_path / "settings.yaml")
    path.write_text('http:\n  auth:\n    a.test: {basic: "me:${PW}"}\n')
    settings = load(path).settings
    assert flatten(settings)["http.auth.a.test.basic"] == "me:from:env"
    assert "http.auth.a.test.bearer" not in flatten(settings)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('export: {path: "a\\ud800b"}', "export.path"),
        ('http: {proxies: ["http://a", "http://\\udc80b"]}', "http.proxies.http"),
        ('fleet: {resources: {"a\\ud800b": 1}}', "fleet.resources"),
    ],
)
def test_half_a_surrogate_pair_is_refused_in_one_line(text, key, tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert str(caught.value) == f"{path}:1: {key} must be text that UTF-8 can hold, without lone surrogates"
