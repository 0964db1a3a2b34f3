"""What a proxy does, as routes of a raw site: tunnels, and forwarding. Names of the tests lead to loopback."""

import contextlib
import socket
import threading


def pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sink, socket.SHUT_RDWR)


def join(client, target):
    """Let both talk until one of them ends."""
    back = threading.Thread(target=pump, args=(target, client))
    back.start()
    pump(client, target)
    back.join(10)


def tunnel(talk):
    """Answer CONNECT."""
    port = int(talk.head.split(b" ")[1].rpartition(b":")[2])
    with socket.create_connection(("127.0.0.1", port)) as target:
        talk.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        join(talk.sock, target)
    return True


def forward(talk):
    """Answer a request with a whole URL; what is meant for the proxy goes no further."""
    line, *headers = talk.head.split(b"\r\n")
    method, url, version = line.split(b" ")
    place, _, path = url.removeprefix(b"http://").partition(b"/")
    headers = [header for header in headers if not header.lower().startswith((b"proxy-", b"connection:"))]
    with socket.create_connection(("127.0.0.1", int(place.partition(b":")[2] or 80))) as target:
        head = [b" ".join([method, b"/" + path, version]), *headers, b"Connection: close", b"", b""]
        target.sendall(b"\r\n".join(head))
        pump(target, talk.sock)
    return True


def proxying(credentials):
    """The route of a proxy that wants these, as they stand in the header."""

    def route(talk):
        if b"Proxy-Authorization: Basic " + credentials not in talk.head:
            talk.send(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
            return False
        return tunnel(talk) if talk.head.startswith(b"CONNECT") else forward(talk)

    return route
