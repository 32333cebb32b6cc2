"""What was sent and what arrived, as the tools write it down: one record a datagram, read by the drill on the host.

All times are CLOCK_MONOTONIC, which every container shares with the host.
"""

import socket
import struct
import time

ECHO_PORT = 7007
STREAM_PORT = 7008
# Flow, sequence number, time, and a word about it: the provider's number at the far end, otherwise 0.
RECORD = struct.Struct("<IIdI")
# What a datagram begins with.
HEADER = struct.Struct(">II")
DATAGRAM_BYTES = 64
# Beyond the usual limit, for who has CAP_NET_ADMIN; Python has no name for it.
SO_RCVBUFFORCE = 33
# A record is on disk at the latest so much later.
FLUSH_S = 0.05


def write(flow, sequence):
    return HEADER.pack(flow, sequence).ljust(DATAGRAM_BYTES, b"\0")


def read(datagram):
    return HEADER.unpack_from(datagram)


def roomy(wire):
    """Room for what arrives while a busy machine lets us wait: seconds of it."""
    wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)


class Book:
    """Appends records to a file, many at a time."""

    def __init__(self, path):
        self.file = open(path, "ab", buffering=0)
        self.pending = bytearray()
        self.flushed = time.monotonic()

    def note(self, flow, sequence, word=0):
        now = time.monotonic()
        self.pending += RECORD.pack(flow, sequence, now, word)
        if now - self.flushed > FLUSH_S:
            self.flush()

    def flush(self):
        if self.pending:
            self.file.write(self.pending)
            self.pending.clear()
        self.flushed = time.monotonic()
