"""The services of the internet: python3 internet.py echo|stream|dns|web."""

import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import records
import roles

# What a download gets: 64 KiB a tenth of a second, so that a client notices soon when nothing comes.
CHUNK = bytes(8192)
CHUNK_PAUSE_S = 0.0125
# A sender that hears nothing from its client gives up after this.
USER_TIMEOUT_MS = 15_000
MAX_DOWNLOAD_S = 600


def echo():
    """Sends each datagram back, and remembers when it came and from which provider."""
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    records.roomy(wire)
    wire.bind((roles.ECHO, records.ECHO_PORT))
    wire.settimeout(records.FLUSH_S)
    book = records.Book("/state/seen.bin")
    while True:
        try:
            datagram, sender = wire.recvfrom(2048)
        except TimeoutError:
            book.flush()
            continue
        wire.sendto(datagram, sender)
        flow, sequence = records.read(datagram)
        book.note(flow, sequence, int(sender[0].rsplit(".", 1)[1]))


def stream():
    """A download without end."""
    listener = socket.create_server((roles.ECHO, records.STREAM_PORT), backlog=64)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=pour, args=(connection,), daemon=True).start()


def pour(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    end = time.monotonic() + MAX_DOWNLOAD_S
    try:
        with connection:
            while time.monotonic() < end:
                connection.sendall(CHUNK)
                time.sleep(CHUNK_PAUSE_S)
    except OSError:
        pass


def dns():
    """Every name has one address."""
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    wire.bind((roles.DNS, 53))
    while True:
        query, sender = wire.recvfrom(1500)
        if len(query) < 17:
            continue
        end = 12
        while end < len(query) and query[end]:
            end += query[end] + 1
        question = query[12 : end + 5]
        header = query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0)
        answer = struct.pack(">HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(roles.WEB)
        wire.sendto(header + question + answer, sender)


class NoContent(BaseHTTPRequestHandler):
    """What a portal check wants to see."""

    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def web():
    ThreadingHTTPServer((roles.WEB, 80), NoContent).serve_forever()


if __name__ == "__main__":
    {"echo": echo, "stream": stream, "dns": dns, "web": web}[sys.argv[1]]()
