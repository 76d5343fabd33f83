#!/usr/bin/env python3
"""Run an executable over scenarios and compare its traces.

    check.py [--level exact|outcome] [--file F]... [--only TEXT] [--timeout S]
             [--show N] EXECUTABLE [ARG ...]

The executable reads scenarios as JSON lines on stdin and writes one trace per
line on stdout (see SCENARIO.md).  Without --file, all data of the suite is
used: scenarios/*.json, random/*.jsonl.  Exit status 0 if
nothing differs.
"""

import argparse
import gzip
import json
import pathlib
import queue
import subprocess
import sys
import threading

SUITE = pathlib.Path(__file__).resolve().parent.parent


def drop_messages(v):
    if isinstance(v, dict):
        if "cancelled" in v:
            return {"cancelled": True}
        return {k: drop_messages(x) for k, x in v.items()}
    if isinstance(v, list):
        return [drop_messages(x) for x in v]
    return v


def project(trace):
    """What must not depend on the interleaving (second comparison level)."""
    per = {}
    for t, who, op, target, value in trace["events"]:
        if who is not None:
            if op == "scope":
                value = {"expired": value["expired"]}
            per.setdefault(who, []).append([op, target, value])
    return drop_messages({"per": per, "tasks": trace["tasks"], "futures": trace["futures"],
                          "run": trace["run"], "stalled": trace["stalled"]})


def load(paths):
    for p in paths:
        p = pathlib.Path(p)
        if p.suffix == ".json":
            for r in json.loads(p.read_text()):
                yield p.stem, r
        else:
            f = gzip.open(p, "rt") if p.suffix == ".gz" else open(p)
            with f:
                for line in f:
                    if line.strip():
                        yield p.name.split(".")[0], json.loads(line)


class Runner:
    """Keeps one process of the executable; restarts it after a crash or hang."""

    def __init__(self, argv, timeout):
        self.argv = argv
        self.timeout = timeout
        self.p = None

    def start(self):
        self.p = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.q = queue.Queue()
        threading.Thread(target=self.read, args=(self.p, self.q), daemon=True).start()

    @staticmethod
    def read(p, q):
        for line in p.stdout:
            if line.strip():
                q.put(line)
        q.put(None)

    def send(self, scenarios):
        """Feed scenarios, yield for each a trace or a string saying what went wrong."""
        i = 0
        while i < len(scenarios):
            if self.p is None:
                self.start()
                batch = scenarios[i:]
                threading.Thread(target=self.feed, args=(self.p, batch), daemon=True).start()
            try:
                line = self.q.get(timeout=self.timeout)
            except queue.Empty:
                self.p.kill()
                self.p = None
                yield "no answer in time"
                i += 1
                continue
            if line is None:
                rc = self.p.wait()
                self.p = None
                yield f"the executable ended (status {rc})"
                i += 1
                continue
            try:
                yield json.loads(line)
            except ValueError:
                yield "not JSON: " + repr(line[:200])
            i += 1
        if self.p is not None:
            self.p.stdin.close()
            self.p.kill()
            self.p = None

    @staticmethod
    def feed(p, batch):
        try:
            for sc in batch:
                p.stdin.write(json.dumps(sc, separators=(",", ":")).encode() + b"\n")
                p.stdin.flush()
            p.stdin.close()
        except (OSError, ValueError):
            pass


def first_difference(want, got, level):
    if isinstance(got, str):
        return got
    if level == "exact":
        for i, (a, b) in enumerate(zip(want["events"], got.get("events", []))):
            if a != b:
                return f"event {i}: expected {json.dumps(a)}, got {json.dumps(b)}"
        a, b = len(want["events"]), len(got.get("events", []))
        if a != b:
            more = (want if a > b else got)["events"][min(a, b)]
            return f"{a} events expected, got {b}; first extra: {json.dumps(more)}"
        for k in ("tasks", "futures", "run", "end", "stalled"):
            if want[k] != got.get(k):
                return f"{k}: expected {json.dumps(want[k])}, got {json.dumps(got.get(k))}"
        return None
    try:
        a, b = project(want), project(got)
    except (KeyError, TypeError, ValueError) as e:
        return f"malformed trace: {e!r}"
    if a == b:
        return None
    for w in sorted(set(a["per"]) | set(b["per"])):
        x, y = a["per"].get(w, []), b["per"].get(w, [])
        if x != y:
            for i, (p, q) in enumerate(zip(x, y)):
                if p != q:
                    return f"{w}, its event {i}: expected {json.dumps(p)}, got {json.dumps(q)}"
            return f"{w}: {len(x)} events expected, got {len(y)}"
    for k in ("tasks", "futures", "run", "stalled"):
        if a[k] != b[k]:
            return f"{k}: expected {json.dumps(a[k])}, got {json.dumps(b[k])}"


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--level", choices=("exact", "outcome"), default="exact")
    ap.add_argument("--file", action="append", help="may be repeated")
    ap.add_argument("--only", help="only scenarios whose name contains this text")
    ap.add_argument("--timeout", type=float, default=20, help="seconds per answer")
    ap.add_argument("--show", type=int, default=20, help="differences to print")
    ap.add_argument("argv", nargs=argparse.REMAINDER)
    a = ap.parse_args()
    if not a.argv:
        ap.error("which executable?")
    files = a.file or sorted(
        [*SUITE.glob("scenarios/*.json"), *SUITE.glob("random/*.jsonl")])
    rows = []
    for fam, r in load(files):
        sc = r["scenario"]
        if a.only and a.only not in sc["name"]:
            continue
        if a.level == "outcome" and not sc.get("jitter"):
            continue
        rows.append((fam, sc, r["trace"]))
    count = {}
    shown = bad = 0
    rules = {}
    answers = Runner(a.argv, a.timeout).send([sc for _, sc, _ in rows])
    for (fam, sc, want), got in zip(rows, answers):
        c = count.setdefault(fam, {"same": 0, "different": 0, "skipped": 0})
        if isinstance(got, dict) and "skip" in got:
            c["skipped"] += 1
            continue
        d = first_difference(want, got, a.level)
        if d is None:
            c["same"] += 1
            continue
        c["different"] += 1
        bad += 1
        for r in sc.get("rules", ()):
            rules[r] = rules.get(r, 0) + 1
        if shown < a.show:
            shown += 1
            print(f"DIFFERS {sc['name']} {' '.join(sc.get('rules', ()))}\n  {d}")
    total = {"same": 0, "different": 0, "skipped": 0}
    for fam, c in count.items():
        for k in total:
            total[k] += c[k]
        print(f"{fam:24} same {c['same']:5}  different {c['different']:5}  skipped {c['skipped']:5}")
    print(f"{'total':24} same {total['same']:5}  different {total['different']:5}  skipped {total['skipped']:5}")
    if rules:
        print("rules in differing scenarios: " + ", ".join(
            f"{r} ({n})" for r, n in sorted(rules.items(), key=lambda x: -x[1])[:30]))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
