"""The command line of scripts/drill, and what it prints."""

import argparse
import importlib
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
import time

from . import image, setup
from .drill import DRILLS
from .errors import Trouble
from .host import Host
from .play import play_all
from .table import colour, print_table, write_json
from .world import World, remove


ENDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def count(text):
    """A number from 1 on."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="scripts/drill",
        description="Brings up a branch office with two providers in containers, breaks it, and measures at a client what was lost.",
        epilog="Exit codes: 0 every promise kept, 1 one was broken, 2 the drills could not be run, 130 interrupted.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="drills to run; all of them without")
    parser.add_argument("--list", action="store_true", help="print the drills and end")
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end, and say how to get in")
    parser.add_argument("--clean", action="store_true", help="remove what an earlier run has left, and end")
    parser.add_argument("--json", metavar="FILE", help="write the results there as well (- is standard output)")
    parser.add_argument("--repeat", type=count, default=1, metavar="N", help="all of it so many times")
    parser.add_argument("--binary", metavar="FILE", help="this uplinkd instead of the checkout's")
    parser.add_argument("--image", metavar="NAME", help="this image instead of a new one")
    parser.add_argument("--build", metavar="NAME", help="build the image under that name, leave it there, and end")
    parser.add_argument("--setup", action="store_true", help="print the commands that install what is missing")
    parser.add_argument("--yes", action="store_true", help="with --setup: run them")
    return parser.parse_args(argv)


def main(checkout, argv):
    arguments = parse(argv)
    # Whoever ends us, or hangs up, wants the same as with Ctrl-C.
    for number in ENDS:
        signal.signal(number, signal.default_int_handler)
    try:
        return dispatch(checkout, arguments)
    except Trouble as trouble:
        print(f"error: {trouble}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def dispatch(checkout, arguments):
    if arguments.setup:
        return setup.setup(arguments.yes)
    load()
    if arguments.list:
        for one in sorted(DRILLS.values(), key=lambda one: one.number):
            print(f"{one.number:>2}  {one.name:<22} {one.does}" + (f" (not yet: {one.not_yet})" if one.not_yet else ""))
        return 0
    unknown = [name for name in arguments.names if name not in DRILLS]
    if unknown:
        raise Trouble(f"there is no drill {', '.join(unknown)}: `scripts/drill --list` shows them all")
    if arguments.json and arguments.json != "-":
        try:
            open(arguments.json, "a").close()
        except OSError as error:
            raise Trouble(f"cannot write {arguments.json}: {error.strerror}") from None
    say = Progress()
    host = Host(say)
    if remove(host):
        say("removed what an earlier run has left")
    if arguments.clean:
        say("nothing of an earlier run is left")
        return 0
    if arguments.build:
        image.build(host, "", binary(checkout, arguments), checkout, arguments.build, say)
        say(f"`{host.names()} podman rmi {arguments.build}` removes it")
        return 0
    return whole(host, checkout, arguments, say)


def load():
    """All drills there are."""
    import drills

    for module in pkgutil.iter_modules(drills.__path__):
        importlib.import_module(f"drills.{module.name}")


def binary(checkout, arguments):
    """The uplinkd to be tried: the checkout's, freshly built, if no other is named. Under sudo it must be built already."""
    if arguments.binary:
        if not (os.path.isfile(arguments.binary) and os.access(arguments.binary, os.X_OK)):
            raise Trouble(f"--binary {arguments.binary}: there is no program")
        return os.path.abspath(arguments.binary)
    # Not as root in somebody else's checkout.
    if "SUDO_USER" not in os.environ:
        if not shutil.which("cargo"):
            raise Trouble("cargo is missing: build uplinkd elsewhere, and name it with --binary FILE")
        done = subprocess.run(["cargo", "build", "--quiet", "--bin", "uplinkd"], cwd=checkout, check=False)
        if done.returncode != 0:
            raise Trouble("`cargo build` failed: see its words above; --binary FILE takes one that is built already")
    path = os.path.join(target(checkout), "debug", "uplinkd")
    if os.path.exists(path) and newest(os.path.join(checkout, "src")) > os.path.getmtime(path):
        raise Trouble(f"{path} is older than the source: `cargo build` first; --binary {path} takes it as it is")
    return path


def newest(folder):
    """When anything in there was changed last."""
    return max(os.path.getmtime(os.path.join(at, name)) for at, _, names in os.walk(folder) for name in names)


def target(checkout):
    return os.path.join(checkout, os.environ.get("CARGO_TARGET_DIR", "target"))


def whole(host, checkout, arguments, say):
    """The world up, the drills, the world down, the table."""
    label = f"run-{os.getpid()}"
    begun = time.monotonic()
    world, rows, trouble = None, [], None
    failures = os.path.join(target(checkout), "drills")
    try:
        name = arguments.image or image.build(host, label, binary(checkout, arguments), checkout, None, say)
        world = World(host, checkout, name, label, say)
        shutil.rmtree(failures, ignore_errors=True)
        bring_up(world, failures)
        chosen = sorted((DRILLS[name] for name in arguments.names or DRILLS), key=lambda one: (one.number, one.name))
        play_all(world, chosen, arguments.repeat, failures, arguments.keep, say, rows)
    except Trouble as found:
        # What has been measured until then is shown nevertheless.
        trouble = found
    finally:
        # Whoever is impatient must not leave half of it behind.
        for number in ENDS:
            signal.signal(number, signal.SIG_IGN)
        try:
            if world and arguments.keep:
                explain_keep(host, world)
            elif world:
                world.down()
            else:
                remove(host)
        except Trouble as found:
            trouble = trouble or found
        for number in ENDS:
            signal.signal(number, signal.default_int_handler)
    seconds = time.monotonic() - begun
    print_table(rows, seconds, sys.stderr if arguments.json == "-" else sys.stdout)
    if arguments.json:
        try:
            write_json(arguments.json, rows, seconds, host, versions(host, world), trouble)
        except OSError as error:
            trouble = trouble or Trouble(f"cannot write {arguments.json}: {error.strerror}")
    if trouble:
        print(f"error: {trouble}", file=sys.stderr)
    if any(row.ok is False for row in rows):
        return 1
    return 2 if trouble else 0


def bring_up(world, failures):
    try:
        world.up()
    except Trouble as trouble:
        folder = os.path.join(failures, "world")
        world.save_all(folder)
        raise Trouble(f"{trouble}\n  what the containers have said is in {folder}") from None


def versions(host, world):
    """What was tried with what."""
    router = world.version if world else None
    podman = host.podman("--version", check=False).strip()
    return {"uplinkd": router, "podman": podman, "podman-compose": setup.COMPOSE_VERSION, "linux": os.uname().release}


def explain_keep(host, world):
    print(
        f"\neverything is left running, but for the daemon: `uplinkd run -c /state/uplinkd.toml` in the router starts it. To get in\n"
        f"(router, isp1, isp2, internet, client):\n  {host.names()} podman exec -it {world.container('router')} sh\n"
        f"Logs, journals and records are in {world.folder}. To remove it all:\n  scripts/drill --clean",
        file=sys.stderr,
    )


class Progress:
    """One line for each thing that happens."""

    def __init__(self):
        self.begun = time.monotonic()

    def __call__(self, what):
        print(f"{time.monotonic() - self.begun:7.1f} s  {colour(what, sys.stderr)}", file=sys.stderr, flush=True)
