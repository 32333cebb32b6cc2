"""What the client sent, and what became of it."""

import json
import os
import shutil
import sys
import time
from dataclasses import dataclass

from .errors import Broken

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "inside"))
import records  # noqa: E402
import roles  # noqa: E402

# How long an answer is waited for where none comes, and by how much one line may be slower than the other.
PATIENCE_S, OVERTAKING_S = 2.0, 0.15
# Traffic flows when nothing was lost for so long.
FLOWING_S = 0.3
PER_SECOND = 1000
# Two flows for two seconds.
TAIL_RECORDS = 4000
NATED, PLAIN, KEEPALIVE = 1, 2, 3
NAMES = {NATED: "masqueraded", PLAIN: "plain", KEEPALIVE: "keepalive"}


@dataclass
class Losses:
    sent: int
    # Those that did not reach the far end, and those whose answer did not come back.
    up: int
    down: int
    # When each of them was sent, and whether it was lost on the way up.
    lost_at: list
    # The longest time without an answered datagram in which one was lost.
    gap_s: float
    # The longest time in which the client itself sent nothing: what a busy machine costs, and no line's fault.
    pause_s: float

    @property
    def lost(self):
        return self.up + self.down


class Traffic:
    """Two flows of 1000 datagrams a second and a download, from now until `stop`."""

    def __init__(self, world, number, name, keepalive=False):
        self.world, self.base = world, number * 16
        self.folder = os.path.join(world.client.folder, name)
        os.makedirs(self.folder, exist_ok=True)
        self.seen_path = os.path.join(world.internet.folder, "seen.bin")
        self.seen_from = os.path.getsize(self.seen_path) if os.path.exists(self.seen_path) else 0
        there, flows = (
            f"/state/{name}",
            [
                f"{self.base + NATED}:{roles.CLIENT_NATED}:{PER_SECOND}",
                f"{self.base + PLAIN}:{roles.CLIENT_PLAIN}:{PER_SECOND}",
            ],
        )
        if keepalive:
            flows.append(f"{self.base + KEEPALIVE}:{roles.CLIENT_NATED}:1")
        tool = ["/usr/bin/python3", "/drill/client.py"]
        world.client.start("udp", *tool, "udp", there, *flows)
        world.client.start("download", *tool, "download", there, roles.CLIENT_NATED)
        self.running = True

    def stop(self):
        if self.running:
            self.running = False
            for name in ("udp", "download"):
                self.world.client.signal(name, 9)
                self.world.client.wait(name, 5)

    def forget(self):
        """The records of a drill are large; nobody needs them any more."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def flows(self, deadline_s=15):
        """Waits until nothing is lost."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            begin = time.monotonic()
            time.sleep(FLOWING_S)
            if all(losses.lost == 0 and losses.sent > 50 for losses in self.losses(begin).values()):
                return
        raise Broken(f"traffic does not flow: not {FLOWING_S} s without a loss within {deadline_s} s")

    def book(self, name, flow, tail=False):
        """{sequence: (time, word)} of one flow; of the last two seconds or so, if that is enough."""
        start, path = (
            (self.seen_from, self.seen_path) if name == "seen" else (0, os.path.join(self.folder, f"{name}.bin"))
        )
        if not os.path.exists(path):
            return {}
        with open(path, "rb") as file:
            if tail:
                whole = (os.path.getsize(path) - start) // records.RECORD.size
                start += max(0, whole - TAIL_RECORDS) * records.RECORD.size
            file.seek(start)
            data = file.read()
        data = data[: len(data) - len(data) % records.RECORD.size]
        return {
            sequence: (at, word)
            for number, sequence, at, word in records.RECORD.iter_unpack(data)
            if number == self.base + flow
        }

    def losses(self, begin, end=None, flows=(NATED, PLAIN)):
        """What was lost of that which was sent from one moment to another (now), for each flow."""
        end = end or time.monotonic()
        for flow in flows:
            self.settle(flow, end)
        return {flow: self.of_flow(flow, begin, end) for flow in flows}

    def settle(self, flow, moment):
        """Waits until something that was sent after that moment has been answered: what is missing then will not come.
        Where nothing is answered at all, patience ends."""
        limit = max(moment, time.monotonic()) + PATIENCE_S
        while time.monotonic() < limit:
            back = self.book("back", flow, tail=True)
            if any(at > moment and sequence in back for sequence, (at, _) in self.book("sent", flow, tail=True).items()):
                break
            time.sleep(0.05)
        time.sleep(OVERTAKING_S)

    def of_flow(self, flow, begin, end):
        seen, back = self.book("seen", flow), self.book("back", flow)
        span = sorted((at, sequence) for sequence, (at, _) in self.book("sent", flow).items() if begin <= at < end)
        lost_at = []
        gap = pause = 0.0
        last_answered, last_sent, lost = begin, begin, False
        for at, sequence in span:
            pause, last_sent = max(pause, at - last_sent), at
            if sequence in back:
                gap = max(gap, at - last_answered) if lost else gap
                last_answered, lost = at, False
                continue
            lost = True
            lost_at.append((at, sequence not in seen))
        if lost or not span:
            gap = max(gap, end - last_answered)
        up = sum(way for _, way in lost_at)
        return Losses(len(span), up, len(lost_at) - up, lost_at, gap, max(pause, end - last_sent))

    def stood_still(self):
        """The longest time in which the client, which sends a thousand times a second, sent nothing at all."""
        sent = sorted(at for at, _ in self.book("sent", PLAIN).values())
        return max((later - earlier for earlier, later in zip(sent, sent[1:])), default=0.0)

    def path(self, begin=0.0, flow=PLAIN):
        """By whose line the far end saw the flow, in the order in which it was sent: [(time, provider)] at each change."""
        changes = []
        for _, (at, word) in sorted(self.book("seen", flow).items()):
            if at >= begin and (not changes or changes[-1][1] != word):
                changes.append((at, word))
        return changes

    def came(self, provider, begin, flow=PLAIN):
        """When the flow came to that provider to stay, or None."""
        path = self.path(begin, flow)
        return path[-1][0] if path and path[-1][1] == provider else None

    def arrived(self, provider, begin, flow=PLAIN):
        """When the far end first saw the flow by that provider since a moment, or None."""
        times = [at for at, word in self.book("seen", flow).values() if word == provider and at >= begin]
        return min(times, default=None)

    def last_loss(self, begin, flow=PLAIN):
        """When the last datagram that was lost since a moment was sent, or None. What is still on its way does not count."""
        end = time.monotonic()
        self.settle(flow, end)
        back = self.book("back", flow)
        times = [
            at for sequence, (at, _) in self.book("sent", flow).items() if begin <= at < end and sequence not in back
        ]
        return max(times, default=None)

    def downloads(self, begin=0.0, folder=None):
        """What the downloads went through: events with their times."""
        path = os.path.join(folder or self.folder, "download.jsonl")
        if not os.path.exists(path):
            return []
        with open(path) as file:
            events = [json.loads(line) for line in file if line.endswith("\n")]
        return [event for event in events if event["t"] >= begin]
