"""What uplinkd does not do yet: shown in each table, so that nobody takes it for tried."""

from harness.drill import not_yet

not_yet("operator", 13, "operator: use, auto, drain", "uplinkd takes no orders from outside yet", until=("use", "--help"))
PROBES = 'set probe.targets = ["{}"]\nend 1s\n'
not_yet("dns", 16, "DNS-only outage", "there are no DNS probes yet", until=PROBES.format("dns://192.0.2.53?name=example.com"))
not_yet("portal", 16, "HTTP portal", "there are no HTTP probes yet", until=PROBES.format("http://192.0.2.80/?expect=204"))
