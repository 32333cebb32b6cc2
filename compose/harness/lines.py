"""Faults: cables, losses, silence. Everything can be undone, and `mend` undoes all of it."""

import json
import subprocess
import time

from .errors import Trouble
from .traffic import roles

WANS = ["wan1", "wan2"]
# What an interface of the router is connected with, to be put back the same.
ADDRESS = {"wan1": None, "wan2": "198.51.100.10/24"}
MAC = {"wan1": "02:00:00:00:01:10", "wan2": "02:00:00:00:02:10"}
ROUTERS = ["192.0.2.10", "198.51.100.10"]
FAULTS = """table ip faults
delete table ip faults
table ip faults {{
    chain {chain} {{
        type filter hook {hook} priority -300
        {rules}
    }}
}}
"""
BOTH = ["up", "down"]
FROM = {"up": 'iifname "wan"', "down": 'iifname "core"'}


class Lines:
    def __init__(self, world):
        self.world = world
        self.pulled = set()
        self.bridges = {}

    # Cables.

    def host_end(self, wan):
        """The host's end of the router's cable."""
        link = json.loads(self.world.router.do("ip", "-j", "link", "show", wan))[0]
        for one in json.loads(ip("-j", "link", "show")):
            if one["ifindex"] == link["link_index"]:
                return one
        raise Trouble(f"the host's end of {wan} is not to be found")

    def pull(self, wan):
        """The cable out of the router. Returns when that was."""
        name = self.host_end(wan)["ifname"]
        self.pulled.add(wan)
        at = time.monotonic()
        ip("link", "set", name, "down")
        return at

    def plug(self, wan):
        """The cable back. Returns when that was."""
        name = self.host_end(wan)["ifname"]
        at = time.monotonic()
        ip("link", "set", name, "up")
        self.pulled.discard(wan)
        return at

    def unplug_card(self, wan):
        """The interface itself goes, as with a modem on USB. Returns when that was."""
        end = self.host_end(wan)
        self.bridges[wan] = end["master"]
        at = time.monotonic()
        ip("link", "delete", end["ifname"])
        return at

    def plug_card(self, wan):
        """It comes back, with another index."""
        pid = self.world.host.podman("inspect", "--format", "{{.State.Pid}}", self.world.container("router")).strip()
        far = f"drill-{wan}"
        at = time.monotonic()
        ip("link", "add", far, "type", "veth", "peer", "name", wan, "address", MAC[wan], "netns", pid)
        ip("link", "set", far, "master", self.bridges.pop(wan), "up")
        self.world.router.do("ip", "link", "set", wan, "up")
        if ADDRESS[wan]:
            self.world.router.do("ip", "address", "add", ADDRESS[wan], "dev", wan)
        else:
            # What knew the old index goes, as a hotplug script would have it.
            if self.world.router.wait("dhcp", 0) is None:
                self.world.router.signal("dhcp", 9)
                self.world.router.wait("dhcp", 5)
            self.world.router.start("dhcp", *roles.UDHCPC)
        return at

    # Between a provider's gateway and the internet, behind a gateway that answers.

    def faults(self, agent, chain, hook, rules):
        at = time.monotonic()
        agent.do("nft", "-f", "-", text=FAULTS.format(chain=chain, hook=hook, rules="\n        ".join(rules)))
        return at

    def silence(self, *isps, ways=BOTH):
        """Nothing passes the providers any more in these directions. Returns when it began."""
        rules = [f"{FROM[way]} drop" for way in ways]
        return min(self.faults(self.world.isps[isp], "forward", "forward", rules) for isp in isps)

    def lose(self, isp, percent, ways=BOTH):
        """So many packets of a hundred are lost in these directions."""
        rules = [f"{FROM[way]} numgen random mod 100 < {percent} drop" for way in ways]
        return self.faults(self.world.isps[isp], "forward", "forward", rules)

    def clear(self, *isps):
        """The providers forward everything again. Returns when the last of them was asked to."""
        return max(self.faults(self.world.isps[isp], "forward", "forward", []) for isp in isps)

    def gateway(self, isp, alive):
        """The provider's own interface: its gateway falls dead, the router's carrier stays."""
        agent = self.world.isps[isp]
        at = time.monotonic()
        agent.do("ip", "link", "set", "wan", "up" if alive else "down")
        if alive:
            agent.do("ip", "route", "replace", "100.64.0.0/24", "via", ROUTERS[isp])
        return at

    def target(self, address, alive):
        """One of the targets answers no more."""
        rules = [] if alive else [f"ip daddr {address} drop"]
        return self.faults(self.world.internet, "input", "input", rules)

    def mend(self):
        """No fault is left."""
        for wan in WANS:
            if wan in self.bridges:
                self.plug_card(wan)
            if wan in self.pulled:
                self.plug(wan)
        self.clear(0, 1)
        self.target("", True)
        for isp in (0, 1):
            self.gateway(isp, True)


def ip(*argv):
    done = subprocess.run(
        ["ip", *argv], capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0:
        raise Trouble(f"`ip {' '.join(argv)}` on the host failed: {done.stderr.strip()}")
    return done.stdout
