"""A user on the LAN: python3 client.py udp FOLDER FLOW:SOURCE:RATE... | download FOLDER SOURCE

udp       datagrams at a steady rate, and which of them were answered: FOLDER/sent.bin and FOLDER/back.bin
download  one download after the other, and how each of them ended: FOLDER/download.jsonl
Both go on until they are killed, at most for a quarter of an hour.
"""

import json
import select
import socket
import sys
import time

import records
import roles

MAX_S = 900
# Who has fallen behind by more does not catch up, which would be a burst and no steady rate.
MAX_BEHIND_S = 0.05
# A download is asked for signs of life after a second of silence, each second, three times.
KEEPALIVE_S, KEEPALIVES = 1, 3
# How often progress is written down.
PROGRESS_S = 0.1


class Flow:
    def __init__(self, spec):
        number, self.source, rate = spec.split(":")
        self.number, self.pause_s = int(number), 1 / int(rate)
        self.sequence = 0
        self.due = time.monotonic()
        self.wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.wire.bind((self.source, 0))
        self.wire.setblocking(False)
        records.roomy(self.wire)

    def send(self, sent, now):
        if now - self.due > MAX_BEHIND_S:
            self.due = now
        while self.due <= now:
            # Noted first: an answer must not come before its question.
            sent.note(self.number, self.sequence)
            try:
                self.wire.sendto(records.write(self.number, self.sequence), (roles.ECHO, records.ECHO_PORT))
            except OSError:
                pass
            self.sequence += 1
            self.due += self.pause_s

    def receive(self, back):
        while True:
            try:
                datagram, _ = self.wire.recvfrom(2048)
            except BlockingIOError:
                return
            except OSError:
                # An ICMP error that came back is no answer.
                continue
            back.note(*records.read(datagram))


def udp(folder, specs):
    flows = [Flow(spec) for spec in specs]
    sent, back = records.Book(f"{folder}/sent.bin"), records.Book(f"{folder}/back.bin")
    end = time.monotonic() + MAX_S
    poll = select.poll()
    owners = {}
    for flow in flows:
        poll.register(flow.wire, select.POLLIN)
        owners[flow.wire.fileno()] = flow
    while (now := time.monotonic()) < end:
        for flow in flows:
            flow.send(sent, now)
        for book in (sent, back):
            if now - book.flushed > records.FLUSH_S:
                book.flush()
        pause_s = min(flow.due for flow in flows) - time.monotonic()
        # To the millisecond: the next datagram may leave so much late, the rate is kept.
        for file, _ in poll.poll(max(0, min(pause_s, records.FLUSH_S)) * 1000):
            owners[file].receive(back)


def download(folder, source):
    """Again as soon as one has ended, as a person would."""
    with open(f"{folder}/download.jsonl", "a", buffering=1) as diary:
        end = time.monotonic() + MAX_S
        number = 0
        while time.monotonic() < end:
            number += 1
            one_download(diary, number, source, end)
            time.sleep(PROGRESS_S)


def one_download(diary, number, source, end):
    def say(event, **more):
        diary.write(json.dumps({"t": time.monotonic(), "download": number, "event": event, **more}) + "\n")

    total, spoken = 0, 0.0
    try:
        wire = socket.create_connection((roles.ECHO, records.STREAM_PORT), timeout=2, source_address=(source, 0))
        with wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_S)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVES)
            wire.settimeout(None)
            say("connected", port=wire.getsockname()[1])
            while (now := time.monotonic()) < end:
                got = len(wire.recv(65536))
                if got == 0:
                    say("closed", bytes=total)
                    return
                total += got
                if now - spoken > PROGRESS_S:
                    spoken = now
                    say("going", bytes=total)
    except ConnectionResetError:
        say("reset", bytes=total)
    except TimeoutError:
        say("timeout", bytes=total)
    except OSError as error:
        say("failed", bytes=total, why=str(error))


if __name__ == "__main__":
    if sys.argv[1] == "udp":
        udp(sys.argv[2], sys.argv[3:])
    else:
        download(sys.argv[2], sys.argv[3])
