import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.engine import RetryPolicy
from scrapekit.engine.retry import GiveUp, Retry
from scrapekit.messages import Failed

NOW = 1_000_000_000.0


def decide(error, status=0, attempt=1, *, retry_after=None, **policy):
    failed = Failed(id=1, error=error, message="", status=status, retry_after=retry_after)
    return RetryPolicy(**policy).decide(failed, attempt, NOW)


@pytest.mark.parametrize("error", ["ConnectError", "DNSError", "ProxyError", "PoolExhausted", "DeadlineExceeded", "ProtocolError", "TruncatedBody"])  # fmt: skip
@pytest.mark.parametrize("attempt", [1, 3])
def test_failures_of_the_moment_are_tried_again(error, attempt):
    assert isinstance(decide(error, attempt=attempt), Retry)


@pytest.mark.parametrize("error", ["TLSError", "BodyTooLarge", "BadRedirect", "TooManyRedirects", "CallbackError", "ParseError", "RobotsDenied", "NoSuchError"])  # fmt: skip
def test_failures_that_would_come_again_are_final(error):
    assert decide(error) == GiveUp()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524])
def test_statuses_of_the_moment_are_tried_again(status):
    assert isinstance(decide("StatusError", status), Retry)


@pytest.mark.parametrize("status", [300, 304, 400, 401, 403, 404, 410, 451, 501, 505])
def test_other_statuses_are_final(status):
    assert decide("StatusError", status) == GiveUp()


@pytest.mark.parametrize(("times", "attempt", "verdict"), [(0, 1, GiveUp), (1, 1, Retry), (1, 2, GiveUp), (3, 3, Retry), (3, 4, GiveUp), (3, 99, GiveUp)])  # fmt: skip
def test_there_are_so_many_attempts_after_the_first(times, attempt, verdict):
    assert isinstance(decide("ConnectError", attempt=attempt, times=times), verdict)


def test_what_is_tried_again_can_be_chosen():
    assert isinstance(decide("StatusError", 404, statuses=[404]), Retry)
    assert isinstance(decide("StatusError", 503, statuses=[404]), GiveUp)
    assert isinstance(decide("CallbackError", exceptions=["CallbackError"]), Retry)
    assert isinstance(decide("ConnectError", exceptions=["CallbackError"]), GiveUp)


def test_a_subclass_of_what_is_tried_again_is_too():
    assert isinstance(decide("TLSError", exceptions=["DownloadError"]), Retry)
    assert isinstance(decide("CallbackError", exceptions=["DownloadError"]), GiveUp)


def test_the_statuses_decide_about_a_status_whatever_the_exceptions_say():
    assert decide("StatusError", 404, exceptions=["RequestError"]) == GiveUp()


@given(attempt=st.integers(1, 60), initial=st.floats(0, 10), maximum=st.floats(0, 100), multiplier=st.floats(1, 100))
def test_the_backoff_is_between_nothing_and_its_bounds(attempt, initial, maximum, multiplier):
    verdict = decide(
        "ConnectError", attempt=attempt, times=100, initial=initial, maximum=maximum, multiplier=multiplier
    )
    assert 0 <= verdict.wait <= min(maximum, initial * min(multiplier ** (attempt - 1), 1e300)) * (1 + 1e-9)


def test_the_backoff_grows_with_the_attempts():
    longest = [max(decide("ConnectError", attempt=n, times=9, maximum=1e9).wait for _ in range(200)) for n in (1, 4, 7)]
    assert longest[0] <= 1 < longest[1] <= 8 < longest[2] <= 64


def test_a_retry_after_is_waited_for_up_to_its_cap():
    for given_, expected in (("100", 100), ("99999", 600), ("Sun, 09 Sep 2001 01:50:40 GMT", 240)):
        verdict = decide("StatusError", 503, retry_after=given_, initial=0.1, max_retry_after=600)
        assert verdict.wait == expected


@pytest.mark.parametrize("value", ["0", "soon", "", "-5", "Sun, 09 Sep 2001 01:40:40 GMT", None])
def test_a_retry_after_that_says_nothing_leaves_the_backoff(value):
    assert decide("StatusError", 503, retry_after=value, initial=1, maximum=1).wait <= 1


def test_a_backoff_that_is_longer_than_the_retry_after_stands():
    waits = [decide("StatusError", 503, 4, retry_after="0.001", times=9, maximum=9).wait for _ in range(50)]
    assert max(waits) > 0.001


@pytest.mark.parametrize(("value", "wait"), [(None, 0), ("", 0), ("7", 7), ("x", 0), ("601", 600)])
def test_what_a_host_asks_for_is_capped(value, wait):
    assert RetryPolicy(max_retry_after=600).asked_wait(value, NOW) == wait
