"""A SOCKS5 server on loopback that records what it is told, and can refuse."""

import contextlib
import socket
from typing import NamedTuple

from proxyserver import join
from rawserver import Site


class Asked(NamedTuple):
    """One handshake: the credentials and the target as the client named it."""

    user: bytes
    password: bytes
    host: str
    port: int


class SocksServer(Site):
    """Connects every target to loopback, at the port that was asked for.

    ``user`` and ``password`` are demanded where they are set; ``code`` is the answer to CONNECT; ``answers`` go out
    instead of the handshake, if there are any: bytes, or a function of the socket.
    """

    def __init__(self, host="127.0.0.1"):
        self.user = self.password = b""
        self.code = 0
        self.kind = b"\1\0\0\0\0"
        self.answers = None
        self.asked: list[Asked] = []
        super().__init__(host=host)

    @property
    def url(self):
        return f"socks5h://{self.host}:{self.port}"

    def _serve(self, sock):
        self.accepted += 1
        with self._lock:
            self._open.add(sock)
        try:
            with contextlib.suppress(OSError, EOFError):
                if self.answers is None:
                    self._handshake(sock)
                elif callable(self.answers):
                    self.answers(sock)
                else:
                    sock.recv(1024)
                    sock.sendall(self.answers)
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def _handshake(self, sock):
        def read(size):
            data = b""
            while len(data) < size:
                piece = sock.recv(size - len(data))
                if not piece:
                    raise EOFError
                data += piece
            return data

        version, count = read(2)
        assert version == 5
        methods = read(count)
        user = password = b""
        if self.user:
            if 2 not in methods:
                sock.sendall(b"\5\xff")
                return
            sock.sendall(b"\5\2")
            assert read(1) == b"\1"
            user = read(read(1)[0])
            password = read(read(1)[0])
            right = (user, password) == (self.user, self.password)
            sock.sendall(b"\1\0" if right else b"\1\1")
            if not right:
                return
        else:
            sock.sendall(b"\5\0")
        assert read(3) == b"\5\1\0"
        kind = read(1)[0]
        if kind == 3:
            host = read(read(1)[0]).decode()
        else:
            host = socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, read(4 if kind == 1 else 16))
        port = int.from_bytes(read(2))
        self.asked.append(Asked(user, password, host, port))
        sock.sendall(bytes([5, self.code, 0]) + self.kind + b"\0\0")
        if self.code:
            return
        with socket.create_connection(("127.0.0.1", port)) as target:
            join(sock, target)
