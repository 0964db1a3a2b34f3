"""``scrapekit doctor``: whether this machine is fit for a crawl, and what to do where it is not."""

from __future__ import annotations

import click

from scrapekit.cli.options import load_settings, override_option, settings_option
from scrapekit.safe import safe


@click.command("doctor", short_help="Check Python, libraries, network, disk and terminal.")
@click.argument("url", metavar="[URL]", required=False, default="https://example.org/")
@override_option
@settings_option
def doctor_command(url: str, overrides: tuple[str, ...], settings_file: str | None) -> int:
    """Check what a crawl of URL needs: Python, libraries, settings, open files, DNS, proxies, TLS, disk, terminal.

    What is wrong is marked with '!', what may surprise with '?', each with what to do. Nothing is sent but a look-up of
    the host's name. The exit code is 1 if something is wrong.

    \b
    scrapekit doctor
    scrapekit doctor https://quotes.toscrape.com/
    """  # noqa: D301  (\b is click's: it leaves these lines as they are)
    from scrapekit.cli import checks
    from scrapekit.cli.page import request_to
    from scrapekit.errors import ConfigError
    from scrapekit.settings import Settings
    from scrapekit.web import host_of

    host = host_of(request_to(url).url)
    found = [checks.python(), *checks.libraries()]
    try:
        settings = load_settings(settings_file, None, overrides).settings
        found.append(checks.Finding("", "settings", "valid"))
    except ConfigError as error:
        settings = Settings()
        found.append(checks.Finding("!", "settings", str(error), "correct that line; the rest is checked by defaults"))
    http = settings.http
    found += [
        checks.open_files(settings.workers, settings.num_pools),
        checks.names(host, http.dns.timeout, proxied=bool(http.proxies)),
        checks.proxies(http.proxies),
        checks.certificates(http.ca_bundle, verify=http.verify),
        checks.disk(),
        checks.terminal(),
    ]
    for each in found:
        click.echo(f"{each.mark or ' ':1} {each.what:13} {safe(each.said)}")
        if each.fix:
            click.echo(f"  {'':13} -> {safe(each.fix)}")
    return 1 if any(each.mark == "!" for each in found) else 0
