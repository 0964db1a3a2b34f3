"""Whether and when a failed request is tried again: tenacity as a policy that is evaluated, never left to sleep."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import tenacity

from scrapekit.errors import StatusError, request_error
from scrapekit.messages import Failed
from scrapekit.web.headers import retry_after


class Retry(NamedTuple):
    """Try again, ``wait`` seconds from now at the earliest."""

    wait: float


class GiveUp(NamedTuple):
    """The failure is final."""


class RetryPolicy:
    """Exponential backoff with full jitter, capped (Brooker, "Exponential Backoff And Jitter", 2015).

    Pure but for tenacity's use of :mod:`random`; any thread.

    Args:
        times: Attempts after the first.
        statuses: HTTP statuses that are worth another attempt.
        exceptions: Names of the error classes that are; their subclasses too.
        initial: Seconds; the first wait is drawn from 0 to this.
        multiplier: Each later wait is drawn from 0 to this times as much.
        maximum: Seconds; no backoff is longer.
        max_retry_after: Seconds; a longer ``Retry-After`` is taken for this.
    """

    def __init__(
        self,
        *,
        times: int = 3,
        statuses: Collection[int] = (408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524),
        exceptions: Collection[str] = ("ConnectError", "DeadlineExceeded", "DNSError", "PoolExhausted", "ProtocolError",
                                       "ProxyError", "Rejected", "TruncatedBody"),
        initial: float = 1.0,
        maximum: float = 60.0,
        multiplier: float = 2.0,
        max_retry_after: float = 600.0,
    ) -> None:  # fmt: skip
        retried = tuple(request_error(name) for name in exceptions)
        status_set = frozenset(statuses)

        def worth_it(error: BaseException) -> bool:
            assert isinstance(error, _Failure)
            if issubclass(error.kind, StatusError):
                return error.status in status_set
            return issubclass(error.kind, retried)

        self._policy = tenacity.Retrying(
            retry=tenacity.retry_if_exception(worth_it),
            stop=tenacity.stop_after_attempt(times + 1),
            wait=tenacity.wait_random_exponential(multiplier=initial, max=maximum, exp_base=multiplier),
        )
        self._max_retry_after = max_retry_after

    def decide(self, failed: Failed, attempt: int, now: float) -> Retry | GiveUp:
        """What to do after attempt number ``attempt`` (1 is the first) has failed at ``now``."""
        state = tenacity.RetryCallState(self._policy, None, (), {})
        state.attempt_number = attempt
        error = _Failure(request_error(failed.error), failed.status)
        state.set_exception((_Failure, error, None))  # no traceback: nothing was raised
        if not self._policy.retry(state) or self._policy.stop(state):
            return GiveUp()
        return Retry(max(self._policy.wait(state), self.asked_wait(failed.retry_after, now)))

    def asked_wait(self, value: str | None, now: float) -> float:
        """Seconds for which a Retry-After header asks, capped; 0 where there is none (RFC 9110, 10.2.3)."""
        return min(retry_after(value, now) or 0.0, self._max_retry_after) if value else 0.0


class _Failure(Exception):  # noqa: N818  (never raised: it tells tenacity what failed)
    def __init__(self, kind: type[Exception], status: int) -> None:
        super().__init__()
        self.kind = kind
        self.status = status
