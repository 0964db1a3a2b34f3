import pytest

from scrapekit.web.suffixes import is_public_suffix, same_site


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("example.org", "www.example.org", True),
        ("a.b.example.co.uk", "example.co.uk", True),
        ("example.org", "example.org", True),
        ("example.org", "example.com", False),
        ("one.co.uk", "two.co.uk", False),
        ("one.github.io", "two.github.io", False),
        ("localhost", "localhost", True),
        ("localhost", "other", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("::1", "example.org", False),
    ],
)
def test_hosts_of_one_owner_are_one_site(one, other, same):
    assert same_site(one, other) is same
    assert same_site(other, one) is same


@pytest.mark.parametrize(
    ("domain", "public"), [("co.uk", True), ("example.co.uk", False), ("1.2.3.4", True), ("::1", True)]
)
def test_what_belongs_to_nobody(domain, public):
    assert is_public_suffix(domain) is public
