"""Arrays over a socket: their size in bytes, and then they themselves, as float64."""

import socket
import struct
import time

import numpy as np


def connect(address, patience_s=60):
    """To one that may not listen yet."""
    host, port = address.rsplit(":", 1)
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return socket.create_connection((host, int(port)), timeout=patience_s)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def listen(address):
    host, port = address.rsplit(":", 1)
    return socket.create_server((host, int(port)))


def send(connection, array):
    payload = np.ascontiguousarray(array, dtype="<f8").tobytes()
    connection.sendall(struct.pack("<Q", len(payload)) + payload)


def receive(connection):
    """None when the other side is gone."""
    head = _exactly(connection, 8)
    payload = head and _exactly(connection, struct.unpack("<Q", head)[0])
    return None if payload is None else np.frombuffer(payload, dtype="<f8")


def _exactly(connection, size):
    chunks = []
    while size:
        chunk = connection.recv(size)
        if not chunk:
            return None
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)
