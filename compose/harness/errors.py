"""What may go wrong, in plain words and with the next step."""


class Trouble(Exception):
    """The drills cannot go on. The message says why and what to do."""


class Broken(Exception):
    """A drill cannot go on, because something that was promised did not come about."""
