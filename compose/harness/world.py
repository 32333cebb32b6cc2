"""The containers: up, down, and back to health between two drills."""

import glob
import os
import shutil
import subprocess
import tempfile
import time

from .agents import Agent
from .errors import Trouble
from .lines import Lines
from . import setup

ROLES = ["router", "isp1", "isp2", "internet", "client"]
PROJECT = "uplinkd-drill"
LABEL = "io.uplinkd.drill"
FORWARD = "/proc/sys/net/ipv4/ip_forward"
# A folder of each run: sockets, logs, journals, records.
FOLDER = "uplinkd-drill-"
# How long a container may take for its role.
READY_S = 30


class World:
    def __init__(self, host, checkout, image, run, say):
        self.host, self.image, self.run, self.say = host, image, run, say
        self.file = os.path.join(checkout, "compose", "compose.yaml")
        self.folder = tempfile.mkdtemp(prefix=FOLDER, dir=in_memory())
        self.agents, self.version = {}, None
        for role in ROLES:
            folder = os.path.join(self.folder, role)
            os.mkdir(folder)
            self.agents[role] = Agent(role, folder)
        self.router, self.client = self.agents["router"], self.agents["client"]
        self.internet = self.agents["internet"]
        self.isps = [self.agents["isp1"], self.agents["isp2"]]
        self.lines = Lines(self)

    def environment(self):
        names = {"DRILL_IMAGE": self.image, "DRILL_RUN": self.run, "DRILL_FOLDER": self.folder}
        return {**self.host.environment, **names}

    def compose(self, *argv, timeout=120):
        words = [setup.compose_path(), "-p", PROJECT, "-f", self.file, *argv]
        try:
            done = subprocess.run(
                words, env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            raise Trouble(f"`podman-compose {' '.join(argv)}` did not end within {timeout} s") from None
        if done.returncode != 0:
            raise Trouble(f"`podman-compose {' '.join(argv)}` failed with {done.returncode}:\n{done.stderr.strip()}")

    def container(self, role):
        return f"{PROJECT}_{role}_1"

    def up(self):
        begun = time.monotonic()
        note_forwarding(self.host)
        self.compose("up", "-d")
        for agent in self.agents.values():
            agent.ready(READY_S)
        self.version = self.router.run("/usr/sbin/uplinkd", "--version").out.strip()
        self.wait_for_lease()
        self.look_around()
        self.say(f"five containers and four networks up in {time.monotonic() - begun:.1f} s")

    def wait_for_lease(self):
        """The router has its address from the first provider, and the route that its DHCP client writes."""
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            if "default" in self.router.do("ip", "-4", "route", "show", "dev", "wan1"):
                return
            time.sleep(0.1)
        raise Trouble(f"the router got no lease by wan1 within {READY_S} s: dhcp.log tells why")

    def look_around(self):
        """Traffic passes between the containers at all."""
        for isp in ("192.0.2.1", "198.51.100.1"):
            done = self.router.run("busybox", "ping", "-c", "1", "-W", "3", isp)
            if done.code != 0:
                raise Trouble(
                    f"the router does not reach its gateway {isp}: {done.text}\n"
                    "  Does the host filter what passes its bridges? `sysctl net.bridge.bridge-nf-call-iptables` and the policy of "
                    "`iptables -L FORWARD` tell"
                )

    def restart_router(self):
        """As if somebody had pressed its button."""
        self.router.hang_up()
        self.host.podman("restart", "--time", "5", self.container("router"), timeout=60)

    def save_logs(self, folder):
        """What the containers and their tools have printed."""
        for role in ROLES:
            text = self.host.podman("logs", self.container(role), check=False, errors=True)
            with open(os.path.join(folder, f"{role}.container.log"), "w") as file:
                file.write(text)

    def save_all(self, folder):
        """Everything there is, where the world itself did not come up."""
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for path in glob.glob(os.path.join(self.folder, "*", "*.log")):
            shutil.copy(path, folder)
        self.save_logs(folder)

    def down(self):
        """Everything of this run goes."""
        for agent in self.agents.values():
            agent.hang_up()
        remove(self.host)


def note_forwarding(host):
    """Netavark switches it on for all of the host, whether or not a network needs it: what it was is put back by whoever
    removes the world, be it another run."""
    note = os.path.join(host.folder, "ip_forward")
    if not os.path.exists(note):
        shutil.copyfile(FORWARD, note)


def restore_forwarding(host):
    note = os.path.join(host.folder, "ip_forward")
    if os.path.exists(note):
        with open(note) as file, open(FORWARD, "w") as forward:
            forward.write(file.read())
        os.unlink(note)


def in_memory():
    """A place for records whose disk never lets anybody wait, where there is one."""
    done = subprocess.run(["stat", "-f", "-c", "%T", "/dev/shm"], capture_output=True, text=True, check=False)
    return "/dev/shm" if done.stdout.strip() == "tmpfs" else None


def remove(host):
    """All that carries our label, of whatever run: containers, networks, images. And their folders: nobody else runs."""
    try:
        return remove_all(host)
    finally:
        restore_forwarding(host)


def remove_all(host):
    filters = ["--filter", f"label={LABEL}"]
    containers = host.podman("ps", "-aq", *filters).split()
    if containers:
        host.podman("rm", "--force", "--time", "0", *containers, check=False)
    networks = host.podman("network", "ls", "-q", *filters).split()
    if networks:
        host.podman("network", "rm", "--force", *networks, check=False)
    images = host.podman("images", "-q", *filters).split()
    if images:
        host.podman("rmi", "--force", *sorted(set(images)), check=False)
    for folder in glob.glob(os.path.join(in_memory() or tempfile.gettempdir(), f"{FOLDER}*")):
        shutil.rmtree(folder, ignore_errors=True)
    left = host.podman("ps", "-aq", *filters).split() + host.podman("network", "ls", "-q", *filters).split()
    if left:
        raise Trouble(f"these containers or networks could not be removed: {' '.join(left)}")
    return bool(containers or networks or images)
