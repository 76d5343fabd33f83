#!/usr/bin/env python3.13
"""Write what else CPython does with scenarios of the outcome level when it is disturbed.

    outcomes.py [--runs N] [--keep FILE] [--only NAME]... SCENARIOS.jsonl > ../outcomes.json

Each scenario is executed many times with the ready queue reordered, with other
work between the statements of a task, and with timers that are late (see
reference.py, class Chaos).  A scenario that always ends as its trace says is
not written.  For the others the projections (see check.py) of all other ends
are: such a scenario depends on the schedule, in asyncio too.  With --keep, what
a former run has found is kept.
"""

import argparse
import asyncio
import json
import os
import sys
import warnings

import check
import reference


def others(sc, trace, runs):
    """The projections of ends other than the trace's, each once."""
    def text(projection):
        return json.dumps(projection, sort_keys=True)
    found = {text(check.project(trace)): None}
    asyncio.constants.THREAD_JOIN_TIMEOUT = reference.EXECUTOR_JOIN_TICKS * reference.CHAOS_SCALE
    for seed in range(runs):
        chaos = reference.Chaos(seed, int(sc["jitter"] * reference.CHAOS_SCALE))
        projection = check.project(reference.run_scenario(sc, chaos, reference.CHAOS_SCALE))
        found.setdefault(text(projection), projection)
    return [projection for projection in found.values() if projection is not None]


def main():
    warnings.simplefilter("ignore")
    ap = argparse.ArgumentParser()
    ap.add_argument("--runs", type=int, default=400)
    ap.add_argument("--keep")
    ap.add_argument("--only", action="append")
    ap.add_argument("files", nargs="+")
    a = ap.parse_args()
    out = json.load(open(a.keep)) if a.keep else {}
    for _, record in check.load(a.files):
        sc = record["scenario"]
        if not sc.get("jitter") or a.only and sc["name"] not in a.only:
            continue
        found = out.setdefault(sc["name"], [])
        found += [p for p in others(sc, record["trace"], a.runs) if p not in found]
        if not found:
            del out[sc["name"]]
    lines = [f' {json.dumps(name)}: [\n  ' + ",\n  ".join(
        json.dumps(p, separators=(",", ":"), sort_keys=True) for p in found) + "\n ]"
        for name, found in out.items()]
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
