"""The guard against requests forged to reach what only this machine can: which addresses are public (OWASP: SSRF)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from scrapekit.download.resolver import Addresses, literal
from scrapekit.errors import AddressDenied

# IANA's IPv4 Special-Purpose Address Registry (RFC 6890), of which each version of Python knows another part.
_PRIVATE_4 = [
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # public by its number, but reached by Azure's virtual machines only, and their platform
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
]
_GLOBAL_6 = ip_network("2000::/3")  # all that is handed out so far (RFC 4291), but for:
_PRIVATE_6 = [ip_network(network) for network in ("2001::/23", "2001:db8::/32", "3fff::/20")]  # 2001:0::/32 is Teredo
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits
_PRIVATE_NAMES = ("localhost", "local", "internal", "home.arpa")  # RFC 6761, RFC 6762, ICANN 2024, RFC 8375


def is_public(address: str) -> bool:
    """Whether ``address`` is one of the public Internet, and so is any IPv4 address that it carries. Pure.

    What is no address is not public. Mapped IPv4, NAT64 and 6to4 are as public as the IPv4 address within; Teredo is
    not, as it may lead to any private network.
    """
    try:
        number = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return _is_public_4(number) if isinstance(number, IPv4Address) else _is_public_6(number)


def check_addresses(addresses: Addresses) -> None:
    """Raises AddressDenied unless every address is public: one that is not is no mistake that others make good."""
    for *_, address in addresses:
        if not is_public(str(address[0])):
            raise AddressDenied(f"{address[0]} is not a public address, and http.allow_private is false")


def check_name(host: str) -> None:
    """Raises AddressDenied if ``host`` is by itself an address, or a name, of a private network. Resolves nothing."""
    check_addresses(literal(host, 0))
    name = host.rstrip(".").lower()
    if any(name == private or name.endswith(f".{private}") for private in _PRIVATE_NAMES):
        raise AddressDenied(f"{host} is a name of private networks, and http.allow_private is false")


def _is_public_4(address: IPv4Address) -> bool:
    return not any(address in network for network in _PRIVATE_4)


def _is_public_6(address: IPv6Address) -> bool:
    within = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        within = IPv4Address(int(address) & 0xFFFFFFFF)
    if within is not None:
        return _is_public_4(within)
    return address in _GLOBAL_6 and not any(address in network for network in _PRIVATE_6)
