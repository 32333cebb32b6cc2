"""The image: a root file system made of the files that this machine's packages have installed.

Programs with what they are linked with (as the dynamic linker itself says), Python's standard library, and a handful of
folders. No network, no registry, about three seconds.
"""

import os
import re
import shutil
import subprocess
import tempfile

from . import setup
from .errors import Trouble

PROGRAMS = ["/usr/bin/python3", "busybox", "ip", "nft"]
# What of the standard library nothing in the image needs.
LEFT_OUT = [
    "test",
    "idlelib",
    "ensurepip",
    "lib2to3",
    "tkinter",
    "turtledemo",
    "dist-packages",
    "site-packages",
    "config-*",
]
FOLDERS = ["proc", "sys", "dev", "run", "tmp", "etc", "state", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64"]
LINKS = {name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib64")}
APPLETS = [
    "sh",
    "cat",
    "ls",
    "mkdir",
    "rm",
    "hostname",
    "ps",
    "kill",
    "ping",
    "logger",
    "sleep",
    "grep",
    "vi",
    "wget",
    "nslookup",
    "top",
    "udhcpc",
]
SCRIPT = "etc/udhcpc/default.script"


def build(host, run, binary, checkout, tag, say):
    """Builds it, with our uplinkd in it, and returns its name."""
    with tempfile.TemporaryDirectory(prefix="uplinkd-image-") as folder:
        root = os.path.join(folder, "root")
        make_root(root, binary)
        inside = os.path.join(checkout, "compose", "inside")
        script = os.path.join(root, SCRIPT)
        os.makedirs(os.path.dirname(script), exist_ok=True)
        usual = "/" + SCRIPT
        shutil.copy(usual if os.path.exists(usual) else os.path.join(inside, "udhcpc.script"), script)
        shutil.copytree(inside, os.path.join(folder, "inside"), ignore=shutil.ignore_patterns("__pycache__"))
        strip(binary, os.path.join(folder, "uplinkd"))
        name = tag or f"localhost/uplinkd-drill:{run}"
        labels = [] if tag else ["--label", f"io.uplinkd.drill={run}"]
        recipe = os.path.join(checkout, "compose", "Containerfile")
        # Without layers: nothing is left when the image goes.
        host.podman("build", "--quiet", "--layers=false", *labels, "--tag", name, "--file", recipe, folder, timeout=180)
    say(f"image {name} made of this machine's packages and {binary}")
    return name


def make_root(root, binary):
    if not os.path.exists(binary):
        raise Trouble(f"there is no {binary}: `cargo build` makes it, --binary names another")
    for name in FOLDERS:
        os.makedirs(os.path.join(root, name))
    for name, target in LINKS.items():
        os.symlink(target, os.path.join(root, name))
    libraries = set()
    for name in PROGRAMS:
        path = name if name.startswith("/") else setup.program(name)
        libraries |= linked(path)
        place(root, os.path.realpath(path), f"usr/bin/{os.path.basename(path)}")
    # Some scripts call it by its other name.
    os.symlink("../bin/ip", os.path.join(root, "usr/sbin/ip"))
    for applet in APPLETS:
        os.symlink("busybox", os.path.join(root, "usr/bin", applet))
    libraries |= python(root)
    libraries |= linked(binary)
    for library in libraries:
        place(root, library, library)
    with open(os.path.join(root, "etc/passwd"), "w") as file:
        file.write("root:x:0:0:root:/tmp:/bin/sh\n")
    with open(os.path.join(root, "etc/group"), "w") as file:
        file.write("root:x:0:\n")


def python(root):
    """The standard library, and what its compiled modules need."""
    words = ["/usr/bin/python3", "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"]
    home = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    shutil.copytree(
        home,
        os.path.join(root, home[1:]),
        ignore=shutil.ignore_patterns(*LEFT_OUT),
        symlinks=False,
        ignore_dangling_symlinks=True,
    )
    modules = os.path.join(home, "lib-dynload")
    found = set()
    for name in sorted(os.listdir(modules)) if os.path.isdir(modules) else []:
        found |= linked(os.path.join(modules, name))
    return found


def linked(path):
    """What a program is linked with; nothing if it is static."""
    done = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
    if "not found" in done.stdout:
        raise Trouble(f"{path} is linked with what this machine does not have:\n{done.stdout.rstrip()}")
    return set(re.findall(r"(?:=> |^\s+)(/\S+)", done.stdout, re.MULTILINE))


def place(root, source, destination):
    """Copies a file; a place behind one of our links lands behind it."""
    target = os.path.join(root, destination.lstrip("/"))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not os.path.exists(target):
        shutil.copy(source, target)


def strip(binary, target):
    """Without debug information, which is nine tenths of a development build."""
    tool = shutil.which("strip")
    if not tool or subprocess.run([tool, "--strip-debug", "-o", target, binary], capture_output=True).returncode != 0:
        shutil.copy(binary, target)
    os.chmod(target, 0o755)
