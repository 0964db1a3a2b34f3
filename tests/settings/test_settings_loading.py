from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.errors import SettingsError
from scrapekit.settings import DomainOverride, FleetSettings, Settings, flatten, load, mask


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def loaded(text: str = "", *overrides: str, spider=None):
    path = Path("settings.yaml")
    path.write_text(text, encoding="utf-8")
    return load(path, spider, "spiders/quotes.py Quotes.settings", overrides)


def error(text: str = "", *overrides: str, spider=None) -> str:
    with pytest.raises(SettingsError) as caught:
        loaded(text, *overrides, spider=spider)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Merging


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "throttle:\nhttp:\n  headers:\n  timeout: {}\n"])
def test_without_anything_set_the_defaults_hold(text):
    assert loaded(text).settings == Settings()
    assert set(loaded(text).origins.values()) == {"default"}


def test_no_file_at_all_is_fine():
    assert load(None).settings == Settings()


def test_each_source_wins_over_the_ones_before_it_and_origins_say_which():
    settings, origins = loaded(
        "workers: 2\nthrottle:\n  delay: 2\n  jitter: 0.2\nrobots: {ttl: 9}\n",
        "throttle.jitter=0.4",
        "throttle.jitter=0.5",
        spider={"throttle": {"delay": 3, "jitter": 0.3}, "crawl": {}},
    )
    assert (settings.workers, settings.throttle.delay, settings.throttle.jitter) == (2, 3.0, 0.5)
    assert settings.robots.ttl == 9.0
    assert {key: origin for key, origin in origins.items() if origin != "default"} == {
        "workers": "settings.yaml:1",
        "throttle.delay": "spiders/quotes.py Quotes.settings",
        "throttle.jitter": "-s",
        "robots.ttl": "settings.yaml:5",
    }
    assert list(origins) == list(flatten(settings))


def test_lists_are_replaced_and_mappings_are_merged():
    settings = loaded(
        'retry: {statuses: [500, 503]}\nthrottle: {domains: {"*.example.org": {maxsize: 2}}}\n',
        "retry.statuses=[429]",
        spider={"throttle": {"domains": {"*.EXAMPLE.org": {"delay": 1}, "example.net": {"adaptive": False}}}},
    ).settings
    assert settings.retry.statuses == (429,)
    assert settings.throttle.domains == {
        "*.example.org": DomainOverride(maxsize=2, delay=1.0),
        "example.net": DomainOverride(adaptive=False),
    }


def test_header_names_have_no_case_and_null_removes_one():
    assert loaded(
        "http: {headers: {x-a: '1', X-B: '2'}}", spider={"http": {"headers": {"X-A": "3"}}}
    ).settings.http.headers == {
        **Settings().http.headers,
        "X-A": "3",
        "X-B": "2",
    }
    removed = loaded("http: {headers: {accept: null, Accept-Language: null}}")
    assert removed.settings.http.headers == {}
    assert flatten(removed.settings)["http.headers"] == {}
    assert removed.origins["http.headers"] == "default"


def test_an_exception_without_keys_counts_and_does_not_undo_another_source():
    settings, origins = loaded(
        "throttle: {domains: {a.org: {}, b.org: {delay: 1}}}", spider={"throttle": {"domains": {"b.org": {}}}}
    )
    assert settings.throttle.domains == {"a.org": DomainOverride(), "b.org": DomainOverride(delay=1.0)}
    assert flatten(settings)["throttle.domains.a.org"] == {}
    assert origins["throttle.domains.a.org"] == "settings.yaml:1"


def test_one_proxy_is_short_for_both_schemes_and_null_for_neither():
    text = "http: {proxies: 'http://proxy:3128'}"
    assert loaded(text).settings.http.proxies == {"http": ("http://proxy:3128",), "https": ("http://proxy:3128",)}
    assert loaded(text, "http.proxies=null").settings.http.proxies == {}
    assert loaded(text, "http.proxies.HTTPS=https://other").settings.http.proxies == {
        "http": ("http://proxy:3128",),
        "https": ("https://other",),
    }


def test_the_kind_of_the_fleet_alone_is_short_for_the_section_and_leaves_the_rest_of_it():
    text = "fleet: {kind: ray:10.0.0.1:6379, actors: 8, resources: {egress: 1}}"
    settings, origins = loaded(text, "fleet=processes:2", spider={"fleet": "ray:auto"})
    assert (settings.fleet.kind, settings.fleet.actors, settings.fleet.resources) == ("processes:2", 8, {"egress": 1})
    assert (origins["fleet.kind"], origins["fleet.actors"]) == ("-s", "settings.yaml:1")
    assert loaded("fleet: processes:3").settings.fleet.kind == "processes:3"
    assert loaded(text).settings.fleet.kind == "ray:10.0.0.1:6379"


def test_the_keys_of_the_fleet_come_from_any_source():
    spider = {"fleet": {"kind": "ray", "actors": 3, "start_method": "forkserver"}}
    settings = loaded(
        "", "fleet.actors=4", "fleet.resources.egress=2", "fleet={start_timeout: 5}", spider=spider
    ).settings
    assert settings.fleet == FleetSettings(
        kind="ray", actors=4, start_method="forkserver", resources={"egress": 2.0}, start_timeout=5.0
    )
    assert loaded("fleet:\n  # kind: ray\n").settings == Settings()


def test_proxies_may_be_lists():
    both = loaded("http: {proxies: ['http://a:1', 'socks5h://u:p@b']}").settings.http.proxies
    assert both == {"http": ("http://a:1", "socks5h://u:p@b"), "https": ("http://a:1", "socks5h://u:p@b")}
    text = "http: {proxies: {http: ['http://a:1'], https: 'socks5://b:2'}}"
    assert loaded(text).settings.http.proxies == {"http": ("http://a:1",), "https": ("socks5://b:2",)}
    assert loaded("", "http.proxies=['http://c', 'http://d']").settings.http.proxies["http"] == ("http://c", "http://d")
    assert loaded(text, "http.proxies.http=http://e").settings.http.proxies["http"] == ("http://e",)


def test_a_client_certificate_is_a_path_or_a_mapping(tmp_path):
    (tmp_path / "me.pem").touch()
    (tmp_path / "key.pem").touch()
    text = "http: {client_cert: {cert: me.pem, key: key.pem, password: 0123}}"
    cert = loaded(text).settings.http.client_cert
    assert (cert.cert, cert.key, cert.password) == ("me.pem", "key.pem", "0123")
    # The short form replaces the whole of it: another certificate has another key.
    cert = loaded(text, spider={"http": {"client_cert": tmp_path / "me.pem"}}).settings.http.client_cert
    assert (cert.cert, cert.key, cert.password) == (str(tmp_path / "me.pem"), None, None)
    assert loaded(text, "http.client_cert=").settings.http.client_cert.cert is None


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("32MiB", 2**25),
        ("500KB", 500_000),
        ("1 gib", 2**30),
        ("1.5MiB", 3 * 2**19),
        ("7", 7),
        ("'7'", 7),
        ("7B", 7),
        ("2GB", 2 * 10**9),
    ],
)
def test_sizes(text, size):
    assert loaded(f"http: {{max_body: {text}}}").settings.http.max_body == size
    assert loaded(spider={"http": {"max_body": text.strip("'")}}).settings.http.max_body == size


def test_values_are_brought_to_one_form(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "ca.pem").touch()
    settings = loaded(
        "log: {level: INFO}\nhttp: {ca_bundle: ~/ca.pem}\ncrawl: {allowed_domains: [example.org, '*.example.net']}\n"
        "retry: {exceptions: [DownloadError]}\n"
    ).settings
    assert settings.log.level == "info"
    assert settings.http.ca_bundle == str(tmp_path / "ca.pem")
    assert settings.crawl.allowed_domains == ("example.org", "*.example.net")
    assert settings.retry.exceptions == ("DownloadError",)


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("Example.ORG.", "example.org"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("*.BÜCHER.example", "*.xn--bcher-kva.example"),
        ("[ab].example.org", "[ab].example.org"),
        ("*", "*"),
        ("0:0::1", "::1"),
        ("[::1]", "::1"),
        ("127.1", "127.0.0.1"),
    ],
)
def test_names_of_exceptions_are_spelled_as_hosts_of_requests_are(name, host):
    assert list(loaded(spider={"throttle": {"domains": {name: {}}}}).settings.throttle.domains) == [host]


def test_a_fingerprint_may_have_colons():
    text = ":".join(["aB"] * 32)
    assert loaded(f"http: {{fingerprints: {{a.example: '{text}'}}}}").settings.http.fingerprints == {"a.example": text}


# What is refused, and in which words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nthrotle: 1", "settings.yaml:2: unknown key 'throtle' (did you mean 'throttle'?)"),
        ("throttle:\n  maxsiz: 1", "settings.yaml:2: unknown key 'throttle.maxsiz' (did you mean 'throttle.maxsize'?)"),
        ("user_agent: x", "settings.yaml:1: unknown key 'user_agent' (did you mean 'http.user_agent'?)"),
        ("log: {zzz: 1}", "settings.yaml:1: unknown key 'log.zzz' (known here: level, file, json)"),
        (
            "throttle: {domains: {a.org: {maxsiz: 1}}}",
            "settings.yaml:1: unknown key 'throttle.domains.a.org.maxsiz' (did you mean 'throttle.domains.a.org.maxsize'?)",
        ),
        ("workers: eight", "settings.yaml:1: workers must be a whole number from 1 to 1024, not 'eight'"),
        ("workers: 0", "settings.yaml:1: workers must be a whole number from 1 to 1024, not 0"),
        ("workers: true", "settings.yaml:1: workers must be a whole number from 1 to 1024, not true"),
        ("workers: 2.5", "settings.yaml:1: workers must be a whole number from 1 to 1024, not 2.5"),
        ("workers:", "settings.yaml:1: workers must be a whole number from 1 to 1024, not null"),
        ("workers: {a: 1}", "settings.yaml:1: workers must be a whole number from 1 to 1024, not a mapping"),
        (
            "throttle: {delay: .nan}",
            "settings.yaml:1: throttle.delay must be a number of seconds from 0 to 86400, not nan",
        ),
        (
            "throttle: {delay: .inf}",
            "settings.yaml:1: throttle.delay must be a number of seconds from 0 to 86400, not inf",
        ),
        (
            "throttle: {delay: 2s}",
            "settings.yaml:1: throttle.delay must be a number of seconds from 0 to 86400, not '2s'",
        ),
        ("throttle: {adaptive: 1}", "settings.yaml:1: throttle.adaptive must be true or false, not 1"),
        (
            "throttle: 3",
            "settings.yaml:1: throttle must be a mapping (maxsize, delay, jitter, adaptive, domains), not 3",
        ),
        ("throttle: {domains: 3}", "settings.yaml:1: throttle.domains must be a mapping (NAME: VALUE), not 3"),
        (
            "crawl: {max_pages: 0}",
            "settings.yaml:1: crawl.max_pages must be a whole number of at least 1, or null, not 0",
        ),
        ("crawl: {durability: disk}", "settings.yaml:1: crawl.durability must be power or process, not 'disk'"),
        (
            "retry: {statuses: [a]}",
            "settings.yaml:1: retry.statuses must be a list, each item a whole number from 100 to 599, not ['a']",
        ),
        ("http: {headers: {X: no}}", "settings.yaml:1: http.headers.X must be text, not false (put it in quotes)"),
        ("http: {user_agent: [" + "a, " * 40 + "]}", "settings.yaml:1: http.user_agent must be text, not ['a', "),
        (
            "http: {max_body: 32M}",
            "settings.yaml:1: http.max_body must be a size from 1 byte to 1TiB, such as 32MiB, 500KB or 1048576, not '32M'",
        ),
        ("http: {max_body: 5IB}", "settings.yaml:1: http.max_body must be a size"),
        ("http: {max_body: 0KB}", "settings.yaml:1: http.max_body must be a size"),
        ("http: {num_pools: 3}", "settings.yaml:1: http.num_pools must be at least workers (16), not 3: each worker"),
        (
            "http: {client_cert: {password: x}}",
            "settings.yaml:1: http.client_cert.password needs http.client_cert.cert",
        ),
        ("http: {ca_bundle: nope.pem}", "settings.yaml:1: http.ca_bundle must be a file that exists, not 'nope.pem'"),
        (
            "http: {spool_dir: nowhere}",
            "settings.yaml:1: http.spool_dir must be a folder that exists and can be written to, not 'nowhere'",
        ),
        (
            "http: {fingerprints: {a.example: ab}}",
            "settings.yaml:1: http.fingerprints.a.example must be a certificate's fingerprint",
        ),
        (
            "http: {server_hostnames: {'*.example.org': a.example}}",
            "settings.yaml:1: http.server_hostnames: '*.example.org' is a glob: write each host name by itself",
        ),
        (
            "http: {server_hostnames: {10.0.0.1: 'https://a.example/'}}",
            "settings.yaml:1: http.server_hostnames.10.0.0.1 must be the host name that the certificate has, not 'http",
        ),
        ("http: {dns: {timeout: 0}}", "settings.yaml:1: http.dns.timeout must be a number of seconds from 0.001"),
        ("fleet: 'ray:'", "settings.yaml:1: fleet.kind must be threads, processes:N or ray[:ADDRESS], not 'ray:'"),
        (
            "fleet:\n  kind: thread",
            "settings.yaml:2: fleet.kind must be threads, processes:N or ray[:ADDRESS], not 'thread'",
        ),
        (
            "fleet: processes:0",
            "settings.yaml:1: fleet.kind must be threads, processes:N or ray[:ADDRESS], not 'processes:0'",
        ),
        ("fleet: [ray]", "settings.yaml:1: fleet.kind must be text, not ['ray']"),
        ("fleet: {actors: 0}", "settings.yaml:1: fleet.actors must be a whole number from 1 to 10000, not 0"),
        ("fleet: {resources: {cpu: 2}}", "settings.yaml:1: fleet.resources: 'cpu' is not the name of a custom"),
        (
            "fleet: {resources: {proxy: x}}",
            "settings.yaml:1: fleet.resources.proxy must be a number of at least 0.0001, not 'x'",
        ),
        ("fleet: {actor: 2}", "settings.yaml:1: unknown key 'fleet.actor' (did you mean 'fleet.actors'?)"),
        ("ray: {actors: 4}", "settings.yaml:1: unknown key 'ray' (did you mean 'fleet.actors'?)"),
        (
            "processes:\n  start_method: spawn",
            "settings.yaml:1: unknown key 'processes' (did you mean 'fleet.start_method'?)",
        ),
        (
            "export: {path: 'a/{spidr}'}",
            "settings.yaml:1: export.path has an unknown placeholder {spidr}: 'a/{spidr}'; there are {spider}, {job}, ",
        ),
        ("export: {path: 'a/{job!r}'}", "settings.yaml:1: export.path has an unknown placeholder {job}"),
        ("export: {path: 'a/{job'}", "settings.yaml:1: export.path has a brace out of place: 'a/{job'"),
        ("export: {path: ''}", "settings.yaml:1: export.path must be a path"),
        (
            "retry: {exceptions: [DNSError, KeyError]}",
            "settings.yaml:1: retry.exceptions must name kinds of DownloadError (AddressDenied, ",
        ),
        (
            "retry: {exceptions: [OffSite]}",
            "settings.yaml:1: retry.exceptions must name kinds of DownloadError (AddressDenied, ",
        ),
        ('http: {user_agent: "a\\nb"}', "settings.yaml:1: http.user_agent must not contain line breaks"),
        ("http: {user_agent: ''}", "settings.yaml:1: http.user_agent must be text in Latin-1 that is not empty"),
        ("http: {headers: {X: ☃}}", "settings.yaml:1: http.headers.X must be text in Latin-1"),
        (
            "http: {secret_headers: [X Y]}",
            "settings.yaml:1: http.secret_headers must be names of headers, not 'X Y'",
        ),
        ("http: {headers: {X Y: a}}", "settings.yaml:1: http.headers: 'X Y' is not a header name"),
        (
            "http: {headers: {user-agent: a}}",
            "settings.yaml:1: http.headers: 'user-agent' has a setting of its own: http.user_agent",
        ),
        ("http: {proxies: {ftp: 'http://a'}}", "settings.yaml:1: http.proxies: 'ftp' is not the scheme of a URL"),
        ("http: {proxies: 'socks4://a:1'}", "settings.yaml:1: http.proxies.http must be the URL of a proxy"),
        ("http: {proxies: 'http://a:b'}", "settings.yaml:1: http.proxies.http must be the URL of a proxy"),
        ("http: {proxies: 'http://'}", "settings.yaml:1: http.proxies.http must be the URL of a proxy"),
        ("http: {proxies: [a]}", "settings.yaml:1: http.proxies.http must be the URL of a proxy"),
        ("http: {proxies: {http: {a: b}}}", "settings.yaml:1: http.proxies.http must be a list, each item text, not a"),
        (
            "throttle: {domains: {'http://a.org/': {}}}",
            "settings.yaml:1: throttle.domains: 'http://a.org/' has a scheme, a port or a path: write the host name",
        ),
        ("throttle: {domains: {'a.org:80': {}}}", "settings.yaml:1: throttle.domains: 'a.org:80' has a scheme, a port"),
        ("throttle: {domains: {'*..ö': {}}}", "settings.yaml:1: throttle.domains: '*..ö' is not a host name or a glob"),
        ("throttle: {domains: {'': {}}}", "settings.yaml:1: throttle.domains: '' is not a host name or a glob"),
        ("throttle: {domains: {a..ö: {}}}", "settings.yaml:1: throttle.domains: 'a..ö' is not a host name or a glob"),
        (
            "crawl: {ignore_parameters: [utm_*, '?gclid=']}",
            (
                "settings.yaml:1: crawl.ignore_parameters must be names or globs of query parameters, such as utm_*, "
                "not '?gclid='"
            ),
        ),
        (
            "crawl:\n  allowed_domains:\n  - https://a.org",
            "settings.yaml:2: crawl.allowed_domains 'https://a.org' is a URL: write the domain only",
        ),
        ("- workers", "settings.yaml:1: the top level must be a mapping (workers, fleet, http, "),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text, message):
    assert error(text).startswith(message)


def test_errors_name_the_spider_or_the_command_line():
    assert error(spider={"workrs": 1}).startswith(
        "spiders/quotes.py Quotes.settings: unknown key 'workrs' (did you mean"
    )
    assert error(spider={"workers": "8"}).startswith(
        "spiders/quotes.py Quotes.settings: workers must be a whole number"
    )
    assert error(spider={"http": {1: 2}}) == "spiders/quotes.py Quotes.settings: the key 1 must be text"
    assert error(spider=[1]).startswith("spiders/quotes.py Quotes.settings: the top level must be a mapping")
    assert error("", "workrs=1").startswith("-s: unknown key 'workrs' (did you mean 'workers'?)")
    assert error("", "ray.actors=4").startswith("-s: unknown key 'ray.actors' (did you mean 'fleet.actors'?)")
    assert error(spider={"fleet": {"ray": 1}}).startswith(
        "spiders/quotes.py Quotes.settings: unknown key 'fleet.ray' (known here: kind, start_method, actors,"
    )
    assert error("", "workers=0") == "-s: workers must be a whole number from 1 to 1024, not 0"
    with pytest.raises(SettingsError, match=r"^Spider\.settings: workers must be"):
        load(None, {"workers": 0})


def test_an_overridden_value_must_be_valid_all_the_same():
    assert error("workers: 0", "workers=3").startswith("settings.yaml:1: workers must be")


# Secrets


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("http.proxies.http", "http://user:p@ss@proxy:3128", "http://***@proxy:3128"),
        ("http.proxies.https", "user:pass@proxy", "***@proxy"),
        ("http.proxies.https", "https://proxy", "https://proxy"),
        ("http.proxies.http", ("http://u:p@a", "socks5://b"), ["http://***@a", "socks5://b"]),
        ("http.auth.example.org.basic", "me:secret", "***"),
        ("http.auth.example.org.bearer", "secret", "***"),
        ("http.auth.example.org.allow_http", True, True),
        ("http.headers.Authorization", "Bearer x", "***"),
        ("http.headers.X-Api-Key", "x", "***"),
        ("http.headers.Accept", "*/*", "*/*"),
        ("http.client_cert.password", "x", "***"),
        ("http.client_cert.password", None, None),
        ("http.proxies", {}, {}),
        ("workers", 16, 16),
    ],
)
def test_secrets_are_masked(key, value, shown):
    assert mask(key, value) == shown


def test_errors_do_not_tell_secrets():
    assert "hunter2" not in error("http: {proxies: 'ftp://me:hunter2@proxy'}")
    assert "hunter2" not in error('http: {headers: {Authorization: "hunter2\\n"}}')
    assert error("http: {headers: {Cookie: yes}}") == (
        "settings.yaml:1: http.headers.Cookie must be text, not '***' (put it in quotes)"
    )


# Properties


def settings_or_refusal(spider, *overrides: str) -> Settings | str:
    try:
        return load(None, spider, overrides=overrides).settings
    except SettingsError as refused:
        return str(refused)


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*flatten(Settings()), "http", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(["workers", "http", "throttle", "retry", "crawl", "export", "x"]), JSON_LIKE, max_size=3
    )
)
def test_any_spider_settings_are_either_loaded_or_refused_in_one_line(spider):
    settings = settings_or_refusal(spider)
    assert msgspec.convert(msgspec.to_builtins(settings), type(settings)) == settings
    assert isinstance(settings, Settings) or "\n" not in settings


@given(st.sampled_from(sorted(flatten(Settings()))), st.text())
def test_any_override_is_either_taken_or_refused_in_one_line(key, text):
    settings = settings_or_refusal(None, f"{key}={text}")
    assert isinstance(settings, Settings) or "\n" not in settings


def test_any_loaded_settings_can_be_loaded_again_from_what_was_loaded():
    settings = loaded('workers: 3\nthrottle: {domains: {"*.a.org": {delay: 1}}}\nhttp: {headers: {X: "1"}}').settings
    assert load(None, msgspec.to_builtins(settings)).settings == settings


def test_the_mode_of_the_cache_is_short_and_off_is_no_truth_value(tmp_path):
    file = tmp_path / "settings.yaml"
    for text, mode in (
        ("cache: dev", "dev"),
        ("cache: off", "off"),
        ("cache: {mode: HTTP}", "http"),
        ("cache:", "off"),
    ):
        file.write_text(text)
        assert load(file).settings.cache.mode == mode


def test_the_path_of_the_cache_is_a_path():
    with pytest.raises(SettingsError, match="cache.path must be a path, not ' '"):
        load(None, {"cache": {"path": " "}})
    assert not load(None, {"cache": {"path": "~/x"}}).settings.cache.path.startswith("~")
