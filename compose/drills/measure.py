"""The measure itself: what is not measured cannot be promised."""

import time

from harness.drill import drill, ms
from harness.traffic import NATED, PLAIN, Traffic

OUTAGE_S = 1.5


@drill("without", 0, "no daemon at all: a dead line is an outage, and is seen as one")
def without(site):
    site.traffic = Traffic(site.world, site.number, site.name)
    site.traffic.flows()
    dead = site.lines.silence(0, ways=["up"])
    time.sleep(OUTAGE_S)
    back = site.lines.clear(0)
    site.traffic.flows()
    losses = site.traffic.losses(dead - 0.2, back + 0.2)
    gap = min(one.gap_s for one in losses.values())
    outage = back - dead
    site.promise("the gap is the outage", f"{ms(gap)} of {ms(outage)}", abs(gap - outage) < 0.2)
    plain, nated = losses[PLAIN], losses[NATED]
    measured = f"{plain.up} and {nated.up} lost on the way up, {plain.down} and {nated.down} on the way down"
    expected = outage * 1000
    site.promise(
        "the lost are counted, and on the right way",
        measured,
        all(abs(one.up - expected) < 200 and one.down == 0 for one in (plain, nated)),
    )
