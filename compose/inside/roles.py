"""The places in the world, and what each container does to take its own.

                       wan1 192.0.2.0/24 (by DHCP)      ┌ isp1 ┐
    client ── lan ── router                                      core 203.0.113.0/24 ── internet
       100.64.0.0/24   wan2 198.51.100.0/24 (static)    └ isp2 ┘

The client has two addresses: what it sends from 100.64.0.10 is masqueraded by the router, what it sends from 100.64.0.20
is not. Both providers masquerade whatever leaves them, so that the internet sees by whose line a packet came. All
addresses are from the ranges for documentation and for carriers' own use, and live in the containers only.
"""

import os
import subprocess
import sys

CLIENT_NATED = "100.64.0.10"
CLIENT_PLAIN = "100.64.0.20"
TARGETS = ["203.0.113.11", "203.0.113.12", "203.0.113.13"]
ECHO = "203.0.113.20"
DNS = "203.0.113.53"
WEB = "203.0.113.80"
# A real DHCP client, with the script of the distribution: it writes its default route as it likes.
UDHCPC = ["busybox", "udhcpc", "-f", "-i", "wan1", "-s", "/etc/udhcpc/default.script", "-A", "1", "-t", "3", "-T", "1"]
# Exists while the daemon is to be started with the router: what `systemctl enable` would be. Holds its log's name.
ENABLED = "/state/enabled"
DAEMON = ["/usr/sbin/uplinkd", "run", "-c", "/state/uplinkd.toml"]

# A lease of an hour: it is renewed when a drill says so, and not in the midst of another.
UDHCPD = """interface wan
start 192.0.2.10
end 192.0.2.10
max_leases 1
lease_file /run/udhcpd.leases
pidfile /run/udhcpd.pid
option subnet 255.255.255.0
option router 192.0.2.1
option dns 203.0.113.53
option lease 3600
"""

NAT = """table ip nat {{
    chain postrouting {{
        type nat hook postrouting priority srcnat
        {rule} masquerade
    }}
}}
"""


def command(*argv, text=None):
    subprocess.run(argv, input=text, text=True, check=True)


def address(device, *addresses):
    command("ip", "link", "set", device, "up")
    for one in addresses:
        command("ip", "address", "add", one, "dev", device)


def masquerade(rule):
    command("nft", "-f", "-", text=NAT.format(rule=rule))


def take_router(agent):
    address("lan", "100.64.0.1/24")
    address("wan2", "198.51.100.10/24")
    masquerade(f'ip saddr {CLIENT_NATED} oifname {{ "wan1", "wan2" }}')
    agent.start("dhcp", UDHCPC)
    os.makedirs("/run/uplinkd", exist_ok=True)
    if os.path.exists(ENABLED):
        with open(ENABLED) as file:
            agent.start("daemon", DAEMON, file.read().strip())


def take_isp(agent, wan, core, router):
    address("wan", wan)
    address("core", core)
    masquerade('oifname "core"')
    command("ip", "route", "add", "100.64.0.0/24", "via", router)


def take_isp1(agent):
    take_isp(agent, "192.0.2.1/24", "203.0.113.1/24", "192.0.2.10")
    with open("/run/udhcpd.conf", "w") as file:
        file.write(UDHCPD)
    open("/run/udhcpd.leases", "w").close()
    agent.start("dhcpd", ["busybox", "udhcpd", "-f", "/run/udhcpd.conf"])


def take_isp2(agent):
    take_isp(agent, "198.51.100.1/24", "203.0.113.2/24", "198.51.100.10")


def take_internet(agent):
    address("core", *(f"{one}/24" for one in ["203.0.113.10", *TARGETS, ECHO, DNS, WEB]))
    for service in ("echo", "stream", "dns", "web"):
        agent.start(service, [sys.executable, "/drill/internet.py", service])


def take_client(_agent):
    address("lan", f"{CLIENT_NATED}/24", f"{CLIENT_PLAIN}/24")
    command("ip", "route", "add", "default", "via", "100.64.0.1")


def take(agent):
    """Does what the role needs, as the start of a machine would."""
    {
        "router": take_router,
        "isp1": take_isp1,
        "isp2": take_isp2,
        "internet": take_internet,
        "client": take_client,
    }[agent.role](agent)
