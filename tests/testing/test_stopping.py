import signal
import threading

import pytest

from scrapekit.testing.stopping import until_stopped


@pytest.mark.parametrize("portable", [False, True], ids=["posix", "elsewhere"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_waits_for_a_signal_and_leaves_signals_as_they_were(monkeypatch, portable, number):
    if portable:
        monkeypatch.delattr(signal, "pthread_sigmask")
    before = signal.getsignal(number)
    sender = threading.Timer(0.05, signal.pthread_kill, (threading.get_ident(), number))
    with until_stopped() as wait:
        sender.start()
        wait()
    sender.join()
    assert signal.getsignal(number) is before
