"""Proxies and logins through real crawls on real sockets: who sees which secret, and that nothing else ever does."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from pathlib import Path
from textwrap import dedent

import pytest
import trustme

from scrapekit.testing import Reply, serve

sys.path.insert(0, str(Path(__file__).parents[1] / "download"))

from proxyserver import proxying
from rawserver import Site, reply, server_context
from socksserver import SocksServer

PROXY, SOCKS, DEAD, BASIC, TOKEN, URL = ("pr0xyword", "s0cksword", "d3adword", "b4sicword", "t0kenword1", "ur1word")
PROXY_BASIC, SITE_BASIC, URL_BASIC = (b64encode(f"me:{word}".encode()) for word in (PROXY, BASIC, URL))
HIDDEN = [word.encode() for word in (PROXY, SOCKS, DEAD, BASIC, TOKEN)] + [PROXY_BASIC, SITE_BASIC, URL_BASIC]

SPIDER = """
    import logging
    from scrapekit import Request, Spider

    class Secrets(Spider):
        name = "secrets"
        allowed_domains = None

        def start(self):
            yield Request(f"https://api.test:{self.tls}/moved")
            yield Request(f"https://me:ur1word@url.test:{self.tls}/within")
            yield Request(f"https://sub.tok.test:{self.tls}/raises")
            yield Request(f"http://plain.test:{self.plain}/")
            yield Request(f"https://own.test:{self.tls}/", proxy=self.own)
            for number in range(12):
                yield Request(f"https://api.test:{self.tls}/{number}")

        def parse(self, response):
            logging.warning("seen %s with Authorization: Bearer t0kenword1 \\x1b[31m", response.url)
            if response.url.endswith("raises"):
                raise ValueError(f"{response.request.headers} Bearer t0kenword1 at http://me:pr0xyword@proxy/ \\x1b]0;x")
            yield {"host": response.url.partition("@")[2] or response.url, "title": "\\ud800 \\u202e"}
"""


@pytest.fixture
def servers(tmp_path):
    """A TLS site, a plain one, an HTTP proxy, a SOCKS5 proxy, and one that refuses everything."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    names = ("api.test", "other.test", "url.test", "sub.tok.test", "own.test")
    made = {
        "tls": Site(server_context(ca.issue_cert(*names))),
        "plain": Site(),
        "proxy": Site(),
        "socks": SocksServer(),
        "dead": Site(),
        "ambient": Site(),
    }
    tls = made["tls"]
    tls.routes = {
        "/robots.txt": reply("", status="404 Not Found"),
        "/moved": reply(b"", f"Location: https://other.test:{tls.port}/landed", status="302 Found"),
        "/within": reply(b"", f"Location: https://url.test:{tls.port}/there", status="302 Found"),
        "*": reply("hello", "Content-Type: text/html"),
    }
    made["plain"].routes = {"/robots.txt": reply("", status="404 Not Found"), "*": reply("hello")}
    made["proxy"].routes = {"*": proxying(PROXY_BASIC)}
    made["dead"].routes = {"*": reply("", status="407 Proxy Authentication Required")}
    made["socks"].user, made["socks"].password = b"me", SOCKS.encode()
    yield made
    for site in made.values():
        site.close()


def heads_for(site, host):
    return [head for head in site.heads if f"\r\nHost: {host}".encode() in head]


@pytest.mark.parametrize("fleet", ["threads", "processes:2"])
def test_each_secret_is_seen_where_it_belongs_and_nowhere_else(fleet, servers, project, shell, tmp_path):
    tls, plain, proxy, socks, dead = (servers[name] for name in ("tls", "plain", "proxy", "socks", "dead"))
    (project / "spiders" / "secrets.py").write_text(dedent(SPIDER))
    (project / "settings.yaml").write_text(
        dedent(f"""
        workers: 1
        http:
          ca_bundle: {tmp_path / "ca.pem"}
          proxies:
            - "http://me:${{PROXY}}@127.0.0.1:{proxy.port}"
            - "http://me:${{DEAD}}@127.0.0.1:{dead.port}"
            - "socks5h://me:${{SOCKS}}@127.0.0.1:{socks.port}"
          auth:
            api.test: {{basic: "me:${{BASIC}}"}}
            "*.tok.test": {{bearer: "${{TOKEN}}"}}
            plain.test: {{bearer: "${{TOKEN}}"}}
        retry: {{backoff: {{initial: 0.01}}}}
        """)
    )
    netrc = tmp_path / ".netrc"
    netrc.write_text("".join(f"machine {name} login me password n3trcword\n" for name in ("own.test", "plain.test")))
    netrc.chmod(0o600)
    ambient = servers["ambient"].url
    secrets = {"PROXY": PROXY, "SOCKS": SOCKS, "DEAD": DEAD, "BASIC": BASIC, "TOKEN": TOKEN}
    outside = dict.fromkeys(["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"], ambient)
    ended = shell.run(
        "crawl", "secrets", "--fleet", fleet, "-v", "-O", "out.jsonl",
        "-a", f"tls={tls.port}", "-a", f"plain={plain.port}", "-a", f"own=http://127.0.0.1:{proxy.port}",
        env={**secrets, **outside, "NO_PROXY": "*", "HOME": str(tmp_path), "NETRC": str(netrc)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    lines = (project / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 12 + 4, ended.stderr
    assert '"title":"\ufffd \u202e"' in lines[0]  # what items hold is data: only what can't be UTF-8 is replaced

    # Proxies take turns, and one that refuses is left alone: for each worker, one request may be under way to it.
    assert 1 <= len(dead.heads) <= 4
    assert proxy.heads
    assert socks.asked
    assert all(PROXY_BASIC in head for head in proxy.heads)
    assert {asked[:2] for asked in socks.asked} == {(b"me", SOCKS.encode())}
    assert servers["ambient"].accepted == 0
    assert any(b"CONNECT own.test" in head for head in proxy.heads)

    # The targets see their own credentials, the proxies none of them.
    seen = tls.heads + plain.heads
    assert all(b"proxy" not in head.lower() for head in seen)
    assert all(b"\r\nAuthorization: Basic " + SITE_BASIC in head for head in heads_for(tls, "api.test"))
    assert all(b"\r\nAuthorization: Basic " + URL_BASIC in head for head in heads_for(tls, "url.test")[-2:])
    assert all(f"\r\nAuthorization: Bearer {TOKEN}".encode() in head for head in heads_for(tls, "sub.tok.test"))
    bare = heads_for(tls, "other.test") + heads_for(tls, "own.test") + heads_for(plain, "plain.test")
    assert len(bare) >= 6  # each with its robots.txt
    assert all(b"uthorization" not in head for head in bare)
    for head in proxy.heads + dead.heads:
        assert not any(word in head for word in (SITE_BASIC, URL_BASIC, TOKEN.encode(), b"n3trcword"))

    # Nothing that is kept or shown holds one. (A password in a URL is part of it, in the column of the URLs.)
    kept = [path for path in project.rglob("*") if path.is_file() and "spiders" not in path.parts]
    assert {path.name for path in kept} >= {"frontier.sqlite", "job.json", "out.jsonl", "settings.yaml"}
    for name, content in [*((path.name, path.read_bytes()) for path in kept), ("stderr", ended.stderr.encode())]:
        assert not [word for word in HIDDEN if word in content], name
    assert URL not in ended.stderr + ended.stdout + "".join(lines)
    assert "https://***@url.test" in ended.stderr
    assert "ValueError" in ended.stderr  # the traceback is there
    assert not [char for char in ended.stderr if ord(char) < 32 and char not in "\n\t"]


def test_settings_are_shown_without_secrets(shell, project):
    (project / "settings.yaml").write_text(
        dedent("""
        http:
          headers: {Authorization: "Bearer ${TOKEN}"}
          client_cert: {cert: settings.yaml, password: "${TOKEN}"}
          proxies: ["http://me:${TOKEN}@p.test:1", "socks5://${TOKEN}@q.test"]
          auth:
            a.test: {basic: "me:${TOKEN}"}
            b.test: {bearer: "${TOKEN}", allow_http: true}
        """)
    )
    ended = shell.run("settings", env={"TOKEN": TOKEN})
    assert ended.returncode == 0
    assert TOKEN not in ended.stdout + ended.stderr
    assert 'http.proxies.http = ["http://***@p.test:1", "socks5://***@q.test"]  (settings.yaml:5)' in ended.stdout
    assert 'http.auth.a.test.basic = "***"  (settings.yaml:7)' in ended.stdout
    assert "http.auth.b.test.allow_http = true  (settings.yaml:8)" in ended.stdout
    refused = shell.run("crawl", "quotes", env={"TOKEN": TOKEN})
    assert (refused.returncode, TOKEN in refused.stderr) == (2, False)
    assert "http.client_cert" in refused.stderr


def test_maxsize_holds_over_all_proxies_together(shell, project):
    proxies = [Site() for _ in range(3)]
    for proxy in proxies:
        proxy.routes = {"*": proxying(PROXY_BASIC)}
    (project / "spiders" / "many.py").write_text(
        dedent("""
        from scrapekit import Spider

        class Many(Spider):
            name = "many"

            def start(self):
                for number in range(60):
                    yield self.request(number)

            def request(self, number):
                from scrapekit import Request
                return Request(f"http://target.test:{self.port}/{number}", delay=0)

            def parse(self, response):
                yield {}
        """)
    )
    urls = ", ".join(f"'http://me:{PROXY}@127.0.0.1:{proxy.port}'" for proxy in proxies)
    try:
        with serve(lambda _: Reply(b"hello"), latency=0.02) as target:
            ended = shell.run(
                "crawl", "many", "-a", f"port={target.port}", "-O", "out.jsonl", "-s", f"http.proxies=[{urls}]",
                "-s", "throttle.maxsize=2", "-s", "throttle.adaptive=false", "-s", "workers=16", "-s", "robots.obey=false",
            )  # fmt: skip
            assert ended.returncode == 0, ended.stderr
            assert sorted(len(proxy.heads) for proxy in proxies) == [20, 20, 20]
            assert max(target.max_open_by_host.values()) == 2
    finally:
        for proxy in proxies:
            proxy.close()


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are Unicode")
def test_a_folder_whose_name_is_not_utf8_can_be_worked_in(shell, project):
    shell.folder = Path(os.fsdecode(os.fsencode(project.parent) + b"/\xff\xfe"))
    project.rename(shell.folder)
    with serve(lambda view: Reply(b"hello", 404 if view.path == "/robots.txt" else 200)) as site:
        (shell.folder / "one.py").write_text(
            f"import scrapekit\nclass One(scrapekit.Spider):\n    name = 'one'\n    start_urls = ['{site.url}']\n"
            "    def parse(self, response):\n        yield {}\n"
        )
        for fleet in ("threads", "processes:1"):
            ended = shell.run("crawl", "one.py", "--fleet", fleet, "-O", "out.jsonl")
            assert ended.returncode == 0, ended.stderr
            assert (shell.folder / "out.jsonl").read_bytes() == b"{}\n"
