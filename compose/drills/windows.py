"""The stable window: nobody goes home too early."""

import time

from harness.drill import drill


@drill("window", 7, "failback after the stable window, which one failed round starts anew")
def window(site):
    site.begin()
    site.moves("wan2", "wan1")
    site.lines.silence(0)
    site.daemon.wait_for("fallback", "wan2")
    back = site.lines.clear(0)

    def half(status):
        left = status["families"]["ipv4"].get("stable_window_left_s", {}).get("wan1")
        return left is not None and left < site.daemon.window_s / 2

    site.daemon.wait("half of the window", half)
    again = site.lines.silence(0)

    def failed(status):
        return status["uplinks"][0].get("consecutive_failures", 0) > 0

    site.daemon.wait("a failed round", failed)
    mended = site.lines.clear(0)
    site.step("interrupted once")
    # The failed round was judged between these two.
    site.comes_home(mended, low_s=site.daemon.window_s - (mended - again))
    early = site.traffic.arrived(1, back)
    waited = None if early is None else early - again
    site.promise(
        f"not before the window that began anew was over: ≥ {site.daemon.window_s} s after the interruption",
        "never home" if waited is None else f"{waited:.1f} s",
        waited is not None and waited >= site.daemon.window_s,
    )
    time.sleep(0.2)
