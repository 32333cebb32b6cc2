"""What is printed at the end, and the same as JSON."""

import json
import os
import sys

COLOURS = {"ok": "\033[32m", "BROKEN": "\033[1;31m", "not yet": "\033[33m", "void": "\033[33m"}


def colour(text, out):
    """A verdict in its colour, on a terminal."""
    if not out.isatty() or "NO_COLOR" in os.environ:
        return text
    for word, code in COLOURS.items():
        if text.lstrip().startswith(word):
            return text.replace(word, f"{code}{word}\033[0m", 1)
    return text


def gathered(rows):
    """One line for each promise, however often it was tried: [drill, promise, measured, verdict]."""
    groups = {}
    for row in rows:
        groups.setdefault((row.drill, row.promise), []).append(row)
    lines = []
    for (drill, promise), tries in groups.items():
        broken = [row for row in tries if row.ok is False]
        shown = (broken or tries)[-1]
        verdict = shown.verdict
        if len(tries) > 1:
            verdict += f" {len(broken or tries)} of {len(tries)}"
        lines.append((drill, promise, shown.measured, verdict))
    # Tries of one drill that failed in different ways stand together.
    order = list(dict.fromkeys(row.drill for row in rows))
    return sorted(lines, key=lambda line: order.index(line[0]))


def print_table(rows, seconds, out):
    if not rows:
        return
    lines = [("drill", "promise", "measured", "ok"), *gathered(rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    last = None
    print(file=out)
    for drill, promise, measured, verdict in lines:
        cells = ("" if drill == last else drill, promise, measured)
        last = drill
        print(
            "  ".join(text.ljust(width) for text, width in zip(cells, widths)), colour(verdict, out), sep="  ", file=out
        )
    tried = [row for row in rows if row.ok is not None and not row.void]
    broken, later = sum(row.ok is False for row in rows), sum(row.ok is None for row in rows)
    drills = len({row.drill for row in tried})
    print(
        f"\n{drills} drills, {len(tried)} promises, {broken} broken; {later} not yet; {sum(row.void for row in rows)} void; {seconds:.0f} s",
        file=out,
    )


def write_json(path, rows, seconds, host, versions, trouble):
    value = {
        "version": 1,
        "seconds": round(seconds, 1),
        "ok": not trouble and all(row.ok is not False for row in rows),
        "error": str(trouble) if trouble else None,
        "versions": versions,
        "adapted": [{"what": what, "why": why} for what, why in host.changes],
        "promises": [{**vars(row), "verdict": row.verdict} for row in rows],
    }
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    if path == "-":
        sys.stdout.write(text)
    else:
        with open(path, "w") as file:
            file.write(text)
