"""Which proxy is next, and which rest: pure decisions under a clock that is an argument."""

from __future__ import annotations

import pytest

from scrapekit.engine import Proxies
from scrapekit.engine.proxies import FIRST_REST, LONGEST_REST
from scrapekit.messages import Failed, Fetched, Request, Yielded

PLAIN, SECURE = Request("http://a.test/"), Request("https://a.test/")
A, B, C = "http://a:1", "http://b:1", "socks5h://u:p@c"
SERVED = Fetched(id=1, status=200, yielded=Yielded())
REFUSED = Failed(id=1, error="ProxyError", message="no")


def turns(proxies, count, now=0.0, request=PLAIN):
    return [proxies.choose(request, now) for _ in range(count)]


def test_proxies_take_turns_by_scheme():
    proxies = Proxies({"http": (A, B), "https": (C,)})
    assert turns(proxies, 4) == [A, B, A, B]
    assert turns(proxies, 2, request=SECURE) == [C, C]
    assert turns(Proxies({"http": (A,), "https": ()}), 1, request=SECURE) == [None]


def test_one_that_fails_rests_and_the_others_serve():
    proxies = Proxies({"http": (A, B), "https": (B, C)})
    proxies.learn(B, REFUSED, 0.0, 1.0)
    assert turns(proxies, 3, 2.0) == [A, A, A]
    assert turns(proxies, 2, 2.0, SECURE) == [C, C]  # for both schemes
    assert set(turns(proxies, 2, 1.0 + FIRST_REST)) == {A, B}


def unreached(host):
    return Failed(id=1, error="ConnectError", message="502", url=f"http://{host}.test/")


def test_a_dead_target_is_not_the_proxys_fault_but_three_are():
    proxies = Proxies({"http": (A, B)})
    for now, host in enumerate(("x", "x", "x", "y")):
        proxies.learn(B, unreached(host), now, now)
    assert set(turns(proxies, 2, 4.0)) == {A, B}
    proxies.learn(B, SERVED, 4.0, 4.0)
    for now, host in enumerate(("x", "y"), 5):
        proxies.learn(B, unreached(host), now, now)
    assert set(turns(proxies, 2, 7.0)) == {A, B}
    proxies.learn(B, unreached("z"), 8.0, 8.0)
    assert turns(proxies, 2, 9.0) == [A, A]


def test_the_rest_doubles_until_it_has_served():
    proxies = Proxies({"http": (A, B)})
    now = 0.0
    for rest in (FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST):
        proxies.learn(B, REFUSED, now, now)
        assert B not in turns(proxies, 2, now + rest - 0.1)
        now += rest
        assert B in turns(proxies, 2, now)
    proxies.learn(B, SERVED, now, now)
    proxies.learn(B, REFUSED, now, now)
    assert B in turns(proxies, 2, now + FIRST_REST)


def test_no_rest_is_longer_than_ten_minutes():
    proxies, now = Proxies({"http": (A, B)}), 0.0
    for _ in range(20):
        proxies.learn(B, REFUSED, now, now)
        now += LONGEST_REST
        assert B in turns(proxies, 2, now)


def test_what_was_sent_before_the_failure_says_nothing_new():
    proxies = Proxies({"http": (A, B)})
    proxies.learn(B, REFUSED, 5.0, 6.0)
    for late in (REFUSED, SERVED):
        proxies.learn(B, late, 5.5, 7.0)
    assert turns(proxies, 2, 15.9) == [A, A]
    assert B in turns(proxies, 2, 16.0)


def test_when_all_rest_the_one_that_is_soonest_done_is_used():
    proxies = Proxies({"http": (A, B)})
    proxies.learn(A, REFUSED, 0.0, 1.0)
    proxies.learn(B, REFUSED, 0.0, 0.5)
    assert turns(proxies, 3, 2.0) == [B, B, B]
    proxies.learn(B, SERVED, 2.0, 3.0)
    assert turns(proxies, 2, 3.0) == [B, B]


@pytest.mark.parametrize("error", ["ConnectError", "TLSError", "DeadlineExceeded", "StatusError"])
def test_what_the_target_does_is_not_the_proxys_fault(error):
    proxies = Proxies({"http": (A, B)})
    proxies.learn(B, Failed(id=1, error=error, message="no", url="http://x.test/"), 0.0, 0.0)
    assert set(turns(proxies, 2, 0.1)) == {A, B}


def test_a_requests_own_proxy_goes_first():
    proxies = Proxies({"http": (A, C)})
    assert proxies.choose(PLAIN.replace(proxy="http://own:1"), 0.0) == "http://own:1"
    assert proxies.choose(PLAIN.replace(proxy=""), 0.0) is None
    assert proxies.choose(PLAIN.replace(proxy="socks5h://c/"), 0.0) == C  # with the credentials of the settings
    proxies.learn("http://own:1", REFUSED, 0.0, 0.0)
    assert proxies.choose(PLAIN.replace(proxy="http://own:1"), 1.0) == "http://own:1"
    assert proxies._rests == {}  # those of the settings only, or a spider's own would add up


def test_one_through_which_a_ban_page_came_rests_too():
    proxies = Proxies({"http": (A, B)})
    proxies.learn(A, Failed(id=1, status=200, error="Banned", message="a captcha"), 0.0, 0.0)
    assert turns(proxies, 2, now=FIRST_REST / 2) == [B, B]
