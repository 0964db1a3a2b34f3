"""Spiders for the tests of worker processes, which have to find them in a file."""

import os
import re
import signal
import threading
import time

from scrapekit import Spider


class Links(Spider):
    def parse(self, response):
        blocked = [*signal.pthread_sigmask(signal.SIG_BLOCK, [])]
        yield {"url": response.url, "process": os.getpid(), "blocked": blocked}
        yield from response.follow_all("a")


class Killer(Links):
    """One page takes its process with it, each time."""

    def parse(self, response):
        if response.url.endswith("/deadly"):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.02)  # so that others are in the same process
        yield from super().parse(response)


class Unmakeable(Links):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        if os.environ.get("SCRAPEKIT_TEST_PARENT") != str(os.getpid()):
            raise RuntimeError("not in a worker process")


class Mortal(Links):
    """Every process dies at once."""

    def parse(self, response):
        os._exit(7)


class Hangs(Links):
    """One page never comes back: it waits in C, or it never lets another thread run."""

    def parse(self, response):
        if response.url.endswith("/deadly"):
            self.hang()
        yield from super().parse(response)

    def hang(self):
        threading.Event().wait()


class Hogs(Hangs):
    def hang(self):
        re.match("(a|a)*$", "a" * 1000 + "b")  # tries each of 2**1000 ways, and holds the GIL
