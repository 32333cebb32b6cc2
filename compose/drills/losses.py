"""Lines that fail behind a gateway and a carrier that look alive: what only probes notice."""

import time

from harness.drill import SILENCE_S, drill

# How long a lossy line may be borne, with a window of ten seconds to judge it by instead of a minute.
LOSSY_WINDOW_S, LOSSY_LIMIT_S = 10, 12
LOSS_PERCENT = 30
DEAD_TARGET = "203.0.113.13"


@drill("silence", 2, "silent loss upstream of the primary, behind a live gateway")
def silence(site):
    dead_line(site, "silent loss", lambda: site.lines.silence(0), lambda: site.lines.clear(0))


@drill("uploads-lost", 3, "one-way loss: nothing reaches the internet by the primary any more")
def uploads(site):
    dead_line(site, "uploads lost", lambda: site.lines.silence(0, ways=["up"]), lambda: site.lines.clear(0))


@drill("downloads-lost", 3, "one-way loss: nothing comes back by the primary any more")
def downloads(site):
    dead_line(site, "downloads lost", lambda: site.lines.silence(0, ways=["down"]), lambda: site.lines.clear(0))


@drill("gateway", 5, "the primary's gateway dead, the carrier up")
def gateway(site):
    dead_line(site, "gateway dead", lambda: site.lines.gateway(0, False), lambda: site.lines.gateway(0, True))


def dead_line(site, what, fault, undo):
    """Left within two seconds, taken again after the stable window."""
    site.begin()
    site.moves("wan2", "wan1")
    dead = fault()
    site.daemon.wait_for("fallback", "wan2")
    time.sleep(0.5)
    site.gap_at_most(what, dead, SILENCE_S)
    site.comes_home(undo())


@drill("lossy", 4, f"{LOSS_PERCENT} % loss each way on the primary")
def lossy(site):
    window = f'degraded_window = "{LOSSY_WINDOW_S}s"'
    site.begin(change=lambda text: text.replace("[probe]", f"[probe]\n{window}"))
    site.moves("wan2", "wan1")
    begun = site.lines.lose(0, LOSS_PERCENT)
    site.daemon.wait_for("fallback", "wan2", deadline_s=LOSSY_LIMIT_S + 8)
    time.sleep(0.5)
    left = site.traffic.arrived(2, begun)
    took = (left or time.monotonic()) - begun
    site.promise(
        f"left for the clean line within {LOSSY_LIMIT_S} s",
        f"{took:.1f} s" if left else "never",
        bool(left) and took <= LOSSY_LIMIT_S,
        timed=True,
    )
    # A moment for what was on the old line when it was left.
    site.lost_nothing("on the clean line", (left or begun) + 0.1, moves=0)
    # It is clear when the window has forgotten, and then the stable window begins.
    site.comes_home(site.lines.clear(0), slack_s=LOSSY_WINDOW_S + 4, deadline_s=30)


@drill("target", 18, "one target of three dead on both uplinks")
def target(site):
    site.begin()
    begun = site.lines.target(DEAD_TARGET, False)
    time.sleep(6)
    site.lost_nothing("one target dead", begun, moves=0)
    site.download_goes_on("one target dead", begun)
    # It was really dead: both have noticed.
    status = site.daemon.wait("an answer", lambda status: True)
    loss = [
        one["loss_percent"] for uplink in status["uplinks"] for one in uplink["targets"] if one["target"] == DEAD_TARGET
    ]
    site.promise(
        "both uplinks see it dead", ", ".join(f"{one:.0f} % lost" for one in loss), len(loss) == 2 and min(loss) > 0
    )
    healths = [uplink["health"] for uplink in status["uplinks"]]
    site.promise("both uplinks stay healthy", ", ".join(healths), healths == ["healthy"] * 2)
