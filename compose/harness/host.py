"""What this machine is like, and what podman must be told because of it.

Nothing of the host is edited: all of it goes into files of our own, which CONTAINERS_CONF and CONTAINERS_STORAGE_CONF name
for our own calls of podman. Images, containers and networks of the host are neither seen nor touched.
"""

import fcntl
import os
import resource
import subprocess

from . import setup
from .errors import Trouble

# Podman wants a short path here; sockets live in it.
RUNROOT = "/run/uplinkd-drill"
CAP_SYS_RESOURCE = 24
# What podman gives each container where nothing else is said.
USUAL_OPEN_FILES = 1 << 20


class Host:
    def __init__(self, say):
        if os.geteuid() != 0:
            raise Trouble(
                "the drills pull cables outside the containers, which only root can: sudo scripts/drill\n"
                "  (inside, the router has CAP_NET_ADMIN and CAP_NET_RAW and nothing else)"
            )
        lacking = setup.missing()
        if lacking:
            raise Trouble(
                "not everything is installed. Missing:\n  "
                + "\n  ".join(lacking)
                + "\n`scripts/drill --setup` prints the commands, `scripts/drill --setup --yes` runs them"
            )
        self.folder = setup.cache()
        os.makedirs(self.folder, exist_ok=True)
        self.changes = []
        self.environment = dict(os.environ)
        self.lock = lock(os.path.join(self.folder, "lock"))
        self.write("CONTAINERS_CONF", "containers.conf", self.containers())
        self.write("CONTAINERS_STORAGE_CONF", "storage.conf", self.storage())
        self.try_podman()
        for what, why in self.changes:
            say(f"adapted: {what}: {why}")

    def write(self, variable, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write("# Written by scripts/drill for its own runs, anew each time.\n" + text)
        self.environment[variable] = path

    def change(self, what, why):
        self.changes.append((what, why))

    def containers(self):
        """containers.conf"""
        containers, engine = [], []
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if not has_capability(CAP_SYS_RESOURCE) and hard < USUAL_OPEN_FILES:
            containers.append('default_ulimits = ["nofile=1024:4096", "nproc=1024:4096"]')
            self.change("default_ulimits lowered", "without CAP_SYS_RESOURCE podman's usual limits cannot be set")
        if not os.path.isdir("/run/systemd/system"):
            containers.append('log_driver = "k8s-file"')
            engine.append('cgroup_manager = "cgroupfs"\nevents_logger = "file"')
            self.change("cgroup_manager cgroupfs, events_logger file, log_driver k8s-file", "systemd does not run here")
        if setup.hybrid_cgroups():
            engine.append('runtime = "runc"')
            self.change("runtime runc", "cgroups are mounted in hybrid mode, which crun refuses")
        engine.append(f'lock_type = "file"\nstatic_dir = "{self.folder}/libpod"\ntmp_dir = "{RUNROOT}/libpod"')
        network = [f'network_backend = "netavark"\nnetwork_config_dir = "{self.folder}/networks"']
        self.change(f"storage, networks and state under {self.folder}", "the host's own containers stay out of it")
        sections = {"containers": containers, "engine": engine, "network": network}
        return "".join(f"[{name}]\n" + "\n".join(lines) + "\n" for name, lines in sections.items())

    def storage(self):
        """storage.conf"""
        driver = "overlay"
        done = subprocess.run(["stat", "-f", "-c", "%T", self.folder], capture_output=True, text=True, check=False)
        if done.stdout.strip() in ("overlayfs", "nfs"):
            driver = "vfs"
            self.change(
                "storage driver vfs", f"{self.folder} lies on {done.stdout.strip()}, which overlay cannot stand on"
            )
        return f'[storage]\ndriver = "{driver}"\ngraphroot = "{self.folder}/storage"\nrunroot = "{RUNROOT}/storage"\n'

    def names(self):
        """What a person's own call of podman needs to see what is here."""
        return " ".join(f"{key}={self.environment[key]}" for key in ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"))

    def podman(self, *argv, timeout=60, check=True, errors=False):
        """Runs podman with our settings and returns what it printed, with its errors if so wished."""
        argv = ["podman", *argv]
        try:
            done = subprocess.run(
                argv, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            raise Trouble(f"`{' '.join(argv)}` did not end within {timeout} s") from None
        if check and done.returncode != 0:
            raise Trouble(f"`{' '.join(argv)}` failed with {done.returncode}:\n{done.stderr.strip()}")
        return done.stdout + (done.stderr if errors else "")

    def try_podman(self):
        try:
            self.podman("info")
        except Trouble as trouble:
            raise Trouble(f"podman does not work here: {trouble}") from None


def has_capability(number):
    with open("/proc/self/status") as file:
        effective = next(int(line.split()[1], 16) for line in file if line.startswith("CapEff"))
    return bool(effective >> number & 1)


def lock(path):
    """One run at a time: two worlds would share names."""
    file = open(path, "a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        raise Trouble(
            f"another run is under way (process {file.read().strip() or 'unknown'}): wait for it or end it"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
