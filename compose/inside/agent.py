"""What runs as PID 1 in each container: takes its place in the world, then does what the drill asks.

    python3 /drill/agent.py ROLE

The drill speaks to it through a socket in /state, which is a folder of the host: no round trip through podman, so that a
fault is on the line a few milliseconds after the drill wants it there. One JSON object a line each way:

    {"run": ["ip", "route"], "timeout": 5}                  waits for the end: {"code": 0, "out": "...", "err": "..."}
    {"start": "daemon", "argv": [...], "log": "FILE"}       {"pid": 12}
    {"signal": "daemon", "number": 9}                       {"pid": 12}
    {"wait": "daemon", "timeout": 5}                        {"code": -9}, or {"running": true} when that was not enough
    {"hello": true}                                         {"role": "router", "ready": true}

What went wrong comes back as {"error": "..."}.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback

import roles

SOCKET = "/state/agent.sock"
MAX_REQUEST_BYTES = 1 << 20
# How long the daemon has for its end when the container is stopped, in seconds.
STOP_S = 3


class Agent:
    def __init__(self, role):
        self.role = role
        self.children = {}
        self.lock = threading.Lock()

    def start(self, name, argv, log=None):
        """A child that goes on by itself. What it prints is appended to the log."""
        with self.lock:
            before = self.children.get(name)
            if before and before.poll() is None:
                raise ValueError(f"{name} runs already, as process {before.pid}")
            with open(log or f"/state/{name}.log", "ab") as out:
                child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
            self.children[name] = child
            return child

    def child(self, name):
        with self.lock:
            if name not in self.children:
                raise ValueError(f"{name} has never been started here")
            return self.children[name]

    def answer(self, request):
        if "run" in request:
            return run(request["run"], request.get("timeout", 10), request.get("input"))
        if "start" in request:
            return {"pid": self.start(request["start"], request["argv"], request.get("log")).pid}
        if "signal" in request:
            child = self.child(request["signal"])
            child.send_signal(request["number"])
            return {"pid": child.pid}
        if "wait" in request:
            child = self.child(request["wait"])
            try:
                return {"code": child.wait(request.get("timeout", 5))}
            except subprocess.TimeoutExpired:
                return {"running": True}
        return {"role": self.role, "ready": True}

    def serve(self, connection):
        """One client, until it hangs up."""
        with connection, connection.makefile("rwb") as stream:
            while line := stream.readline(MAX_REQUEST_BYTES):
                try:
                    answer = self.answer(json.loads(line))
                except Exception as error:  # whatever it is, the drill must hear of it
                    answer = {"error": f"{type(error).__name__}: {error}"}
                try:
                    stream.write(json.dumps(answer).encode() + b"\n")
                    stream.flush()
                except OSError:
                    return

    def stop(self, *_):
        """The container is stopped: the daemon first, as an init would, then everything else with us."""
        daemon = self.children.get("daemon")
        if daemon and daemon.poll() is None:
            daemon.terminate()
            try:
                daemon.wait(STOP_S)
            except subprocess.TimeoutExpired:
                pass
        os._exit(0)


def run(argv, timeout, text):
    try:
        done = subprocess.run(argv, input=text or "", capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return {"error": f"`{' '.join(argv)}` did not end within {timeout} s"}
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def main():
    agent = Agent(sys.argv[1])
    # PID 1 gets no signal that it has not asked for.
    signal.signal(signal.SIGTERM, agent.stop)
    signal.signal(signal.SIGINT, agent.stop)
    if os.path.exists(SOCKET):
        os.unlink(SOCKET)
    try:
        roles.take(agent)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    # Only now: whoever reaches us finds the role taken.
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(SOCKET)
    listener.listen(8)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=agent.serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
