#!/usr/bin/env python3.13
"""Write scenarios/: the authored scenarios with their reference traces, and an index."""

import importlib
import json
import os
import pathlib
import re
import sys
import warnings

HERE = pathlib.Path(__file__).resolve().parent
SUITE = HERE.parent
sys.path[:0] = [str(HERE), str(HERE / "authored")]

import dsl
import reference


def load():
    for p in sorted((HERE / "authored").glob("a*.py")):
        importlib.import_module(p.stem)
    names = [s["name"] for s in dsl.SCENARIOS]
    dup = {n for n in names if names.count(n) > 1}
    assert not dup, dup
    return dsl.SCENARIOS


def compact(x):
    return json.dumps(x, separators=(", ", ": "))


def pretty(pairs):
    out = ["["]
    for i, (sc, tr) in enumerate(pairs):
        out.append(' {"scenario": {')
        keys = [k for k in sc if k not in ("main", "then")]
        for k in keys:
            out.append(f'   "{k}": {compact(sc[k])},')
        if "then" in sc:
            out.append(f'   "then": {compact(sc["then"])},')
        out.append('   "main": [')
        out.append(",\n".join("    " + compact(st) for st in sc["main"]))
        out.append('   ]},')
        out.append('  "trace": {')
        out.append(f'   "name": {compact(tr["name"])},')
        out.append('   "events": [')
        out.append(",\n".join("    " + compact(e) for e in tr["events"]))
        out.append('   ],')
        rest = [k for k in tr if k not in ("name", "events")]
        out.append(",\n".join(f'   "{k}": {compact(tr[k])}' for k in rest))
        out.append('  }}' + ("," if i + 1 < len(pairs) else ""))
    out.append("]")
    return "\n".join(out) + "\n"


def index(fam):
    rules = re.findall(r"^\*\*([A-Z]+\d+)\*\*", (SUITE / "SEMANTICS.md").read_text(), re.M)
    by = {r: [] for r in rules}
    for pairs in fam.values():
        for sc, _ in pairs:
            for r in sc["rules"]:
                by[r].append(sc["name"])
    out = ["# Scenarios by rule", "",
           "Written by `generate.py`. Rules without scenarios cannot be expressed in the",
           "scenario language; the M rules are witnessed by every scenario with `jitter` > 0",
           "at the outcome level.", ""]
    out += ["| scenarios in | number | outcome level too |", "| --- | --- | --- |"]
    for f, pairs in fam.items():
        out.append(f"| {f}.json | {len(pairs)} | {sum(1 for sc, _ in pairs if sc['jitter'])} |")
    allp = [p for pairs in fam.values() for p in pairs]
    out.append(f"| all | {len(allp)} | {sum(1 for sc, _ in allp if sc['jitter'])} |")
    out += ["", "| rule | scenarios |", "| --- | --- |"]
    for r in rules:
        if not r.startswith("M"):
            out.append(f"| {r} | {', '.join(by[r]) or '–'} |")
    return "\n".join(out) + "\n"


def main():
    warnings.simplefilter("ignore")
    fam = {}
    for sc in load():
        tr = reference.run_scenario(sc)
        again = reference.run_scenario(sc)
        assert json.dumps(tr) == json.dumps(again), sc["name"]
        full = {"name": sc["name"], "rules": sc["rules"],
                "features": reference.features(sc),
                "jitter": sc["jitter"] if "jitter" in sc else reference.tolerated_jitter(sc, tr)}
        full.update({k: v for k, v in sc.items() if k not in full})
        fam.setdefault(sc["name"].split("/")[0], []).append((full, tr))
    d = SUITE / "scenarios"
    for p in d.glob("*.json"):
        p.unlink()
    n = m = 0
    for f, pairs in fam.items():
        (d / f"{f}.json").write_text(pretty(pairs))
        json.loads((d / f"{f}.json").read_text())
        n += len(pairs)
        m += sum(1 for sc, _ in pairs if sc["jitter"])
    (d / "INDEX.md").write_text(index(fam))
    print(n, "scenarios,", m, "schedule-independent")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
