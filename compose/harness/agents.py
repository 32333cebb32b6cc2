"""How to speak with PID 1 of each container: compose/inside/agent.py has the words."""

import json
import os
import socket
import time

from .errors import Trouble

# How much longer than the command itself the answer may take.
GRACE_S = 5


class Done:
    """A command that has ended inside a container."""

    def __init__(self, argv, answer):
        self.argv, self.code, self.out, self.err = argv, answer["code"], answer["out"], answer["err"]

    @property
    def text(self):
        return (self.out + self.err).strip()


class Agent:
    def __init__(self, role, folder):
        self.role, self.folder = role, folder
        self.path = os.path.join(folder, "agent.sock")
        self.stream = None

    def ready(self, deadline_s):
        """Waits until the container has taken its role."""
        end = time.monotonic() + deadline_s
        while True:
            try:
                return self.ask({"hello": True}, GRACE_S)
            except (OSError, Trouble):
                self.hang_up()
                if time.monotonic() > end:
                    raise Trouble(
                        f"container {self.role} has not taken its role within {deadline_s} s: "
                        f"`podman logs` of it tells why (use --keep to keep it)"
                    ) from None
                time.sleep(0.05)

    def hang_up(self):
        if self.stream:
            try:
                self.stream.close()
            except OSError:
                pass
        self.stream = None

    def ask(self, request, timeout):
        if self.stream is None:
            wire = socket.socket(socket.AF_UNIX)
            wire.settimeout(timeout)
            wire.connect(self.path)
            self.wire, self.stream = wire, wire.makefile("rwb")
        self.wire.settimeout(timeout)
        self.stream.write(json.dumps(request).encode() + b"\n")
        self.stream.flush()
        line = self.stream.readline()
        if not line:
            self.hang_up()
            raise Trouble(f"container {self.role} hung up: has it ended?")
        return json.loads(line)

    def say(self, request, timeout):
        """Asks, and does not accept an error."""
        try:
            answer = self.ask(request, timeout)
        except OSError as error:
            self.hang_up()
            raise Trouble(f"container {self.role} does not answer: {error or 'too late'}") from None
        if "error" in answer:
            raise Trouble(f"in {self.role}: {answer['error']}")
        return answer

    def run(self, *argv, timeout=10, text=None):
        """Runs a command to its end, whatever its end is."""
        request = {"run": argv, "timeout": timeout, "input": text}
        return Done(argv, self.say(request, timeout + GRACE_S))

    def do(self, *argv, timeout=10, text=None):
        """Runs a command that must not fail, and returns what it printed."""
        done = self.run(*argv, timeout=timeout, text=text)
        if done.code != 0:
            raise Trouble(f"in {self.role}: `{' '.join(argv)}` failed with {done.code}: {done.text}")
        return done.out

    def start(self, name, *argv, log=None):
        return self.say({"start": name, "argv": argv, "log": log}, GRACE_S)["pid"]

    def signal(self, name, number):
        return self.say({"signal": name, "number": number}, GRACE_S)["pid"]

    def wait(self, name, timeout):
        """The exit code, or None while it still runs."""
        return self.say({"wait": name, "timeout": timeout}, timeout + GRACE_S).get("code")
