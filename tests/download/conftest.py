"""Sites that can break every rule, and downloaders that must give every slot back."""

import contextlib
import sys
from pathlib import Path

import pytest
import trustme

from scrapekit.download import Downloader
from scrapekit.messages import Request

sys.path.insert(0, str(Path(__file__).parent))  # for rawserver, whatever the import mode

from rawserver import Site, assert_slots_are_free, server_context


@pytest.fixture(scope="session")
def ca():
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(ca, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture(scope="session")
def tls(ca):
    return server_context(ca.issue_cert("127.0.0.1", "localhost", "proxied.test"))


@pytest.fixture
def make_site():
    """Makes sites, closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(context=None, host="127.0.0.1"):
            site = Site(context, host)
            stack.callback(site.close)
            return site

        yield make


@pytest.fixture
def plain(make_site):
    return make_site()


@pytest.fixture(params=["http", "https"])
def site(request, make_site):
    return make_site(request.getfixturevalue("tls") if request.param == "https" else None)


@pytest.fixture
def make(ca_file):
    """Makes downloaders; at the end each must have all its slots, and closes."""
    made = []

    def factory(**options):
        downloader = Downloader(**{"workers": 4, "ca_bundle": ca_file} | options)
        made.append(downloader)
        return downloader

    yield factory
    for downloader in made:
        assert_slots_are_free(downloader)
        downloader.close()


@pytest.fixture
def downloader(make):
    return make(read_timeout=5, total_timeout=5)


@pytest.fixture
def fetch(downloader):
    """Fetches a URL: what a worker does, in one line."""

    def run(url, *, using=downloader, host="127.0.0.1", maxsize=8, cookies=None, **arguments):
        return using.fetch(Request(url, **arguments), host=host, maxsize=maxsize, cookies=cookies)

    return run
