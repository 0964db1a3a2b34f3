"""Time: servers that answer never, or a byte at a time."""

from __future__ import annotations

from scrapekit.testing.faults.registry import fault
from scrapekit.testing.faults.talk import Talk, head


@fault("/timing/silence", "DeadlineExceeded", slow=True)
def silence(talk: Talk) -> None:
    """The connection is accepted, and nothing is ever said."""
    talk.hang()


@fault("/timing/dripped-body", "DeadlineExceeded", slow=True)
def dripped_body(talk: Talk) -> None:
    """A byte of the body now and then."""
    talk.send(head("Content-Length: 1000000"))
    talk.drip()
