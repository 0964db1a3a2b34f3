"""What all tests share."""

import gc
import os
import signal
import sys

import pytest
from hypothesis import settings

# Containers are often told to write no bytecode. Then each of the many commands that the tests start, and each worker of
# pytest-xdist, would compile all modules anew: a third of the time of the suite.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell ignores SIGINT on behalf of what it starts in the background, nohup ignores SIGHUP, and children inherit that.
# The tests send both, to this process and to the commands that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Shared machines are slow at times; a deadline would be a timed assertion.
settings.register_profile("default", deadline=None)
settings.load_profile("default")


def pytest_make_parametrize_id(val, argname):
    """No megabytes of a parameter in the name of a test, which goes to and fro between the workers of pytest-xdist."""
    return f"{len(val)}-of-{argname}" if isinstance(val, (str, bytes)) and len(val) > 200 else None


def pytest_collection_finish():
    """The thousands of tests stay to the end: no collection of garbage, for which some of them ask, looks at them again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """What a test has logged may hold names that are no UTF-8, which pytest-xdist can't send: it would end there."""
    report = yield
    report.sections = [(title, text.encode("utf-8", "backslashreplace").decode()) for title, text in report.sections]
    return report
