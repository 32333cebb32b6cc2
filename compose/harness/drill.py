"""What a drill is, and the list of all."""

from dataclasses import dataclass

DRILLS = {}
# A cable that is pulled costs no more than this, silence behind a live gateway no more than that.
CABLE_S, SILENCE_S = 0.150, 2.0


@dataclass
class Drill:
    name: str
    number: int
    does: str
    act: object
    not_yet: str = None
    # A command of uplinkd, or the settings of a story, that would work if it were not for that.
    until: tuple | str = ()


@dataclass
class Row:
    """A line of the table."""

    drill: str
    promise: str
    measured: str
    # None: not yet.
    ok: bool | None
    number: int = 0
    # A matter of milliseconds, which a machine that stands still spoils.
    timed: bool = False
    # Measured while the machine stood still: it tells nothing.
    void: bool = False

    @property
    def verdict(self):
        if self.void:
            return "void"
        return {True: "ok", False: "BROKEN", None: "not yet"}[self.ok]


def drill(name, number, does):
    """Makes a function a drill."""

    def add(act):
        DRILLS[name] = Drill(name, number, does, act)
        return act

    return add


def not_yet(name, number, does, why, until):
    """A drill for something that uplinkd does not have: shown, never passed, and broken as soon as uplinkd has it."""
    DRILLS[name] = Drill(name, number, does, None, why, until)


def ms(seconds):
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"
