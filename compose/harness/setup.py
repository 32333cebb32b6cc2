"""What must be installed, and the commands for it."""

import os
import re
import shutil
import subprocess
import sys

from .errors import Trouble

# Which podman-compose is known to work. Before 1.1 its check of networks fails on mappings, and 1.3 does not know yet what
# interfaces are called in the container.
COMPOSE_VERSION = "1.6.0"

# What the image is made of and what the host needs.
DEBIAN = "podman runc crun netavark iptables busybox udhcpc iproute2 nftables python3 python3-venv"
FEDORA = "podman crun netavark iptables-nft busybox iproute nftables python3 python3-pip"
PROGRAMS = {
    "podman": "runs the containers",
    "netavark": "makes podman's networks",
    "iptables": "netavark calls it",
    "busybox": "shell and DHCP of the image",
    "ip": "cables are pulled with it, and the image has it",
    "nft": "address translation and losses inside the image",
    "/usr/bin/python3": "runs inside the image",
}
# Not on everybody's PATH.
ELSEWHERE = ["/usr/sbin", "/sbin", "/usr/lib/podman", "/usr/libexec/podman"]


# Before it podman did not know netavark, which makes the networks.
PODMAN_VERSION = (4, 0)


def cache():
    """Where everything of the drills is kept between two runs; root's, who runs them, whatever his home is."""
    return os.environ.get("UPLINKD_DRILL_FOLDER") or "/var/lib/uplinkd-drill"


def program(name):
    """Where a program is, or None."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *ELSEWHERE]))


def compose_path():
    return os.path.join(cache(), "venv", "bin", "podman-compose")


def version_of_compose():
    """Which podman-compose our own environment has, or None."""
    try:
        output = subprocess.run([compose_path(), "--version"], capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = [line.split()[-1] for line in output.splitlines() if line.startswith("podman-compose version")]
    return words[0] if words else None


def version_of_podman():
    """(4, 9), or None."""
    try:
        output = subprocess.run(["podman", "--version"], capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"(\d+)\.(\d+)", output)
    return tuple(map(int, found.groups())) if found else None


def hybrid_cgroups():
    """Version 1 with a version 2 beside it."""
    return os.path.isdir("/sys/fs/cgroup/unified")


def missing():
    """What is not there, each with its reason."""
    lacking = [f"{name} ({why})" for name, why in PROGRAMS.items() if not program(name)]
    if hybrid_cgroups() and not program("runc"):
        lacking.append("runc (cgroups are mounted in hybrid mode, which crun refuses)")
    podman = version_of_podman()
    if podman and podman < PODMAN_VERSION:
        lacking.append(f"podman {'.'.join(map(str, PODMAN_VERSION))} or newer (found: {'.'.join(map(str, podman))})")
    found = version_of_compose()
    if found != COMPOSE_VERSION:
        lacking.append(
            f"podman-compose {COMPOSE_VERSION} in {os.path.dirname(compose_path())} (found: {found or 'none'})"
        )
    return lacking


def family():
    words = ""
    try:
        with open("/etc/os-release") as file:
            lines = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
        words = f"{lines.get('ID', '')} {lines.get('ID_LIKE', '')}".replace('"', "")
    except OSError:
        pass
    if "debian" in words or "ubuntu" in words:
        return "debian"
    if "fedora" in words or "rhel" in words:
        return "fedora"
    raise Trouble(
        "this is neither Debian nor Fedora, nor like one of them: install podman, netavark, iptables, busybox, iproute2, "
        f"nftables and Python 3 by hand, and podman-compose {COMPOSE_VERSION} in a virtual environment in {cache()}/venv"
    )


def commands():
    """The commands that install everything, for this distribution."""
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    if sudo and not shutil.which("sudo"):
        raise Trouble("this needs root, and there is no sudo: run it as root")
    if family() == "debian":
        environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
        packages = [
            [*sudo, "apt-get", "update", "-qq"],
            [*sudo, *environment, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *DEBIAN.split()],
        ]
    else:
        packages = [[*sudo, "dnf", "install", "-y", "--setopt=install_weak_deps=False", *FEDORA.split()]]
    venv = os.path.join(cache(), "venv")
    return [
        *packages,
        # Of the distribution: whatever else is first on the PATH may have been built without ensurepip.
        [*sudo, "/usr/bin/python3", "-m", "venv", "--clear", venv],
        [*sudo, os.path.join(venv, "bin", "pip"), "install", "--quiet", f"podman-compose=={COMPOSE_VERSION}"],
    ]


def setup(yes):
    """Prints the commands, or runs them."""
    if not yes:
        for argv in commands():
            print(" ".join(argv))
        print("# `scripts/drill --setup --yes` runs these", file=sys.stderr)
        return 0
    if not missing():
        print("everything that the drills need is installed")
        return 0
    for argv in commands():
        print(f"+ {' '.join(argv)}", flush=True)
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise Trouble(f"`{' '.join(argv)}` failed with {done.returncode}: see its words above")
    lacking = missing()
    if lacking:
        raise Trouble("still missing: " + "; ".join(lacking))
    return 0
