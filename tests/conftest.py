"""What all tests share."""

import signal

from hypothesis import settings

# A shell ignores SIGINT on behalf of what it starts in the background, nohup ignores SIGHUP, and children inherit that.
# The tests send both, to this process and to the commands that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Shared machines are slow at times; a deadline would be a timed assertion.
settings.register_profile("default", deadline=None)
settings.load_profile("default")
