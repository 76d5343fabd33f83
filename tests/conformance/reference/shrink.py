#!/usr/bin/env python3.13
"""Make a scenario on which an interpreter differs from CPython as small as it can be.

    shrink.py [--level exact|outcome] [--pair NAME] FILE NAME EXECUTABLE [ARG ...]

Statements, objects, callbacks and options are taken away as long as what is
left differs in the same way: in the same kind of event, before or after the
runner closes.  Prints the scenario and both traces around the difference; or, with
--pair, the scenario under a new name with CPython's trace, as the files in random/ have them.
"""

import argparse
import json
import os
import subprocess
import sys
import warnings

import check
import reference

BLOCKS = ("body", "do", "finally", "else")
OPTIONAL = ("msg", "v", "as", "finally", "else", "return_exceptions", "until", "timeout", "bounded")


def run(argv, sc):
    p = subprocess.run(argv, input=json.dumps(sc).encode() + b"\n", stdout=subprocess.PIPE,
                       stderr=subprocess.DEVNULL, timeout=60)
    return json.loads(p.stdout)


def first_event(want, got):
    """The first pair of different events, and where the runner closes."""
    events = list(zip(want["events"], got["events"]))
    i = next((i for i, (a, b) in enumerate(events) if a != b), None)
    closing = next((i for i, e in enumerate(want["events"]) if e[2] == "closing"), len(want["events"]))
    return i, closing


def difference(sc, argv, level):
    """How the interpreter differs: a word; None if it does not."""
    try:
        want = reference.run_scenario(sc)
    except BaseException:
        return None
    try:
        got = run(argv, sc)
    except (ValueError, subprocess.TimeoutExpired):
        return "crash"
    if "skip" in got or check.first_difference(want, got, level) is None:
        return None
    if level == "outcome":
        return check.first_difference(want, got, level).split(",")[-1].split(":")[0]
    i, closing = first_event(want, got)
    if i is None:
        n, m = len(want["events"]), len(got["events"])
        if n != m:
            return "extra " + (want if n > m else got)["events"][min(n, m)][2]
        return next(k for k in ("tasks", "futures", "run", "end", "stalled") if want[k] != got[k])
    a, b = want["events"][i], got["events"][i]
    if check.drop_messages(a) == check.drop_messages(b):
        return "message"
    return "closing" if i > closing or "closing" in (a[2], b[2]) else "event"


def nested(x):
    """Every list of statements, handlers or operands, with its owner and its key."""
    if isinstance(x, dict):
        for k, v in x.items():
            if isinstance(v, list) and v and isinstance(v[0], dict):
                yield x, k
            yield from nested(v)
    elif isinstance(x, list):
        for v in x:
            yield from nested(v)


def shrink(sc, still):
    """Take away what can go, until nothing can."""
    changed = True
    while changed:
        changed = False
        n = 0
        while n < len(lists := list(nested(sc))):
            owner, key = lists[n]
            size = max(1, len(owner[key]) // 2)
            while size:
                i = 0
                while i < len(owner[key]):
                    kept = owner[key][:]
                    del owner[key][i:i + size]
                    if still(sc):
                        changed = True
                    else:
                        owner[key] = kept
                        i += size
                size //= 2
            for i, st in enumerate(owner[key][:]):
                for block in BLOCKS:
                    if i < len(owner[key]) and st.get("op") != "spawn" and isinstance(st.get(block), list):
                        kept = owner[key][:]
                        owner[key][i:i + 1] = st[block]
                        if still(sc):
                            changed = True
                            break
                        owner[key] = kept
            n += 1
        for table in ("callbacks", "objects", "opts"):
            for name in list(sc.get(table, {})):
                kept = sc[table].pop(name)
                if still(sc):
                    changed = True
                else:
                    sc[table][name] = kept
        for st in list(reference.walk(sc)):
            for field in OPTIONAL:
                if field in st:
                    kept = st.pop(field)
                    if still(sc):
                        changed = True
                    else:
                        st[field] = kept
    return sc


def main():
    warnings.simplefilter("ignore")
    ap = argparse.ArgumentParser()
    ap.add_argument("--level", choices=("exact", "outcome"), default="exact")
    ap.add_argument("--pair", help="the new name")
    ap.add_argument("file")
    ap.add_argument("name")
    ap.add_argument("argv", nargs=argparse.REMAINDER)
    a = ap.parse_args()
    sc = next(r["scenario"] for _, r in check.load([a.file]) if r["scenario"]["name"] == a.name)
    kind = difference(sc, a.argv, a.level)
    if kind is None:
        print("no difference")
    else:
        # The errors of callbacks that were taken away would be written here.
        sys.stderr = open(os.devnull, "w")
        shrink(sc, lambda smaller: difference(smaller, a.argv, a.level) == kind)
        want, got = reference.run_scenario(sc), run(a.argv, sc)
        if a.pair:
            small = {"name": a.pair, "features": reference.features(sc), "jitter": 0}
            small.update({k: v for k, v in sc.items() if k not in small and v})
            print(json.dumps({"scenario": small, "trace": {**want, "name": a.pair}}, separators=(",", ":")))
            sys.stdout.flush()
            os._exit(0)
        print(f"{a.name}: {kind}: {check.first_difference(want, got, a.level)}")
        print(json.dumps({k: v for k, v in sc.items() if v and k != "name"}))
        i, _ = first_event(want, got)
        i = len(want["events"]) if i is None else i
        for k in range(max(0, i - 12), i + 6):
            for trace in (want, got):
                e = trace["events"]
                print("  ", json.dumps(e[k]) if k < len(e) else "", end="   |" if trace is want else "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
