"""Spiders for the tests of crawls with their own look at the network; worker processes have to find them in a file."""

import os
import socket
import ssl

from scrapekit import Spider


class Networked(Spider):
    """Has an SSLContext and a resolver of its own. Arguments: the port that all names lead to, and the CA's file."""

    allowed_domains = None

    def ssl_context(self):
        return ssl.create_default_context(cafile=self.ca) if hasattr(self, "ca") else None

    def resolve(self, host, port):
        if host.startswith("unknown"):
            return super().resolve("", 0)  # what can't be
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (getattr(self, "to", "127.0.0.1"), int(self.port)))]

    def parse(self, response):
        yield {"url": response.url, "process": os.getpid()}


class NoContext(Networked):
    def ssl_context(self):
        return "tls please"
