"""What uplinkd does not do yet: shown in each table, so that nobody takes it for tried."""

from harness.drill import not_yet

not_yet("operator", 13, "operator: use, auto, drain", "uplinkd takes no orders from outside yet", until=("use", "--help"))
not_yet("dns", 16, "DNS-only outage", "there are no DNS probes yet")
not_yet("portal", 16, "HTTP portal", "there are no HTTP probes yet")
