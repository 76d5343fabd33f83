#!/usr/bin/env python3.13
"""Write random scenarios with what CPython does with them, one pair per line.

    python3.13 random_scenarios.py [--kind exact|race-free] [--seed S] [--count N] [--size K] [--name TEXT] > FILE

A scenario spawns some tasks that wait for each other and for the objects that
they share, and some drivers that disturb them: cancel, complete, notify, put,
release.  Exact ones crowd their timers; race-free ones spread them, and are
kept only if the reference does the same in any schedule (see reference.py).
Many race-free ones begin with tasks that run at once, and depend on their order
now and then: --runs says how sure to be that none does.
"""

import argparse
import json
import os
import random
import sys
import warnings

import reference

MESSAGES = ("m1", "m2", 7)
PATTERNS = (["any"], ["any"], ["any"], ["cancelled"], ["cancelled"], ["error"], ["A"],
            ["C", "Timeout"], ["A", "Timeout"], ["B", "Timeout"])


class Generator:
    def __init__(self, r, kind, size):
        self.r = r
        self.size = size
        self.exact = kind == "exact"
        self.count = {}
        self.tasks = []            # handles of tasks known so far
        self.futures = []
        self.others = []           # gathers, shields, jobs
        self.calls = []            # callbacks that may still be taken back
        self.objects = {}
        self.callbacks = {}
        self.iterators = []
        self.contexts = []
        self.scopes = []
        self.opts = {}
        self.budget = 14 + 12 * size
        self.topics = r.sample(("sync", "sync", "gather", "wait", "shield", "wait_for", "future",
                                "callback", "group", "group", "timeout"), r.randint(3, 5))
        self.executor = r.random() < 0.08
        self.context = r.random() < 0.08

    # ---- names and numbers

    def new(self, prefix):
        n = self.count[prefix] = self.count.get(prefix, 0) + 1
        return f"{prefix}{n}"

    def number(self):
        n = self.count["value"] = self.count.get("value", 0) + 1
        return n

    def ticks(self):
        if self.exact:
            return self.r.choice((0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 7, 8, 10))
        return 10 * self.r.randint(1, 14)

    def limit(self):
        if self.exact:
            return self.r.choice((0, 1, 1, 2, 2, 3, 5, 5, 8, 8, 10))
        return 10 * self.r.randint(1, 15)

    def handle(self):
        pool = self.tasks * 3 + self.futures + self.others
        return self.r.choice(pool) if pool else "@main"

    def task(self):
        return self.r.choice(self.tasks) if self.tasks else "@main"

    def tried(self, *body):
        return {"op": "try", "body": list(body),
                "except": [{"match": list(self.r.choice(PATTERNS)), "do": []}]}

    def within(self, *body):
        s = self.new("s")
        self.scopes.append(s)
        return {"op": "try", "body": [{"op": "timeout", "s": s, "after": self.limit(), "body": list(body)}],
                "except": [{"match": ["Timeout"], "do": []}]}

    def cancel(self, h):
        st = {"op": "cancel", "h": h}
        if self.r.random() < 0.5:
            st["msg"] = self.r.choice(MESSAGES)
        return st

    # ---- objects

    def make_objects(self):
        r = self.r
        if "sync" not in self.topics:
            return
        for kind in r.sample(("lock", "event", "condition", "semaphore", "barrier", "queue", "queue"),
                             r.choice((1, 1, 2))):
            for _ in range(r.choice((1, 1, 2))):
                if kind == "lock":
                    self.objects[self.new("lk")] = {"type": "lock"}
                elif kind == "event":
                    self.objects[self.new("ev")] = {"type": "event"}
                elif kind == "condition":
                    self.objects[self.new("cd")] = {"type": "condition"}
                elif kind == "semaphore":
                    spec = {"type": "semaphore", "value": r.choice((0, 1, 1, 2))}
                    if r.random() < 0.3:
                        spec["bounded"] = True
                    self.objects[self.new("sm")] = spec
                elif kind == "barrier":
                    self.objects[self.new("br")] = {"type": "barrier", "parties": r.choice((2, 2, 3))}
                else:
                    self.objects[self.new("qu")] = {
                        "type": "queue", "kind": r.choice(("fifo", "fifo", "lifo", "priority")),
                        "maxsize": r.choice((0, 0, 1, 2))}

    def wait_on_object(self, depth):
        """A statement that may wait for an object."""
        r = self.r
        o = r.choice(list(self.objects))
        kind = self.objects[o]["type"]
        if kind in ("lock", "semaphore"):
            if r.random() < 0.25:
                return [{"op": "acquire", "o": o}]
            return [{"op": "with", "o": o, "body": self.block(depth + 1, r.choice((1, 1, 2)))}]
        if kind == "event":
            return [{"op": "ev_wait", "o": o}]
        if kind == "condition":
            if r.random() < 0.3:
                inner = {"op": "cond_wait_for", "o": o, "cell": "x", "ge": r.choice((1, 2, 3))}
            else:
                inner = {"op": "cond_wait", "o": o}
            body = [self.tried(inner)] if r.random() < 0.4 else [inner]
            if r.random() < 0.2:
                body += self.block(depth + 1, 1)
            return [{"op": "with", "o": o, "body": body}]
        if kind == "barrier":
            if r.random() < 0.15:
                return [{"op": "with", "o": o, "body": [{"op": "log", "m": self.new("m")}]}]
            return [{"op": "bar_wait", "o": o}]
        return [r.choice(({"op": "get", "o": o}, {"op": "get", "o": o},
                          {"op": "put", "o": o, "v": self.number()}, {"op": "join", "o": o}))]

    def touch_object(self):
        """What lets others go on."""
        r = self.r
        o = r.choice(list(self.objects))
        kind = self.objects[o]["type"]
        if kind in ("lock", "semaphore"):
            return [self.tried({"op": "release", "o": o})]
        if kind == "event":
            return [r.choice(({"op": "ev_set", "o": o}, {"op": "ev_set", "o": o}, {"op": "ev_clear", "o": o}))]
        if kind == "condition":
            body = [{"op": "notify", "o": o, "n": r.choice((1, 1, 2, "all"))}]
            if r.random() < 0.5:
                body.insert(0, {"op": "add", "cell": "x", "n": 1})
            return [self.tried({"op": "with", "o": o, "body": body})]
        if kind == "barrier":
            return [self.tried({"op": r.choice(("bar_wait", "bar_wait", "bar_reset", "bar_abort")), "o": o})]
        st = r.choice(({"op": "put_nowait", "o": o, "v": self.number()},
                       {"op": "put_nowait", "o": o, "v": self.number()},
                       {"op": "get_nowait", "o": o}, {"op": "task_done", "o": o},
                       {"op": "shutdown", "o": o, "immediate": r.random() < 0.5}))
        return [self.tried(st)]

    # ---- statements

    def operand(self, depth):
        if (self.r.random() < 0.3 and self.budget > 4) or not self.tasks:
            k = self.new("k")
            return {"do": self.body(depth + 1, 2), "name": k}
        return self.handle()

    def combination(self, depth):
        """Make something and perhaps wait for it."""
        r = self.r
        topic = r.choice([t for t in self.topics if t in ("gather", "wait", "shield", "wait_for", "future",
                                                           "callback")] or ["await"])
        if topic == "gather":
            h = self.new("ga")
            st = {"op": "gather", "h": h, "of": [self.operand(depth) for _ in range(r.randint(1, 3))]}
            if r.random() < 0.5:
                st["return_exceptions"] = True
            self.others.append(h)
            out = [st]
            x = r.random()
            if x < 0.25:
                await_it = {"op": "await", "h": h}
                out += [{"op": "sleep", "d": self.ticks()}, self.cancel(h),
                        self.tried(await_it) if r.random() < 0.5 else await_it]
            elif x < 0.8:
                out.append(self.tried({"op": "await", "h": h}))
            if r.random() < 0.4:
                out.append({"op": "query", "h": h, "what": r.choice(("done", "cancelled", "exception", "result"))})
            return out
        if topic == "wait":
            if r.random() < 0.35:
                it = self.new("it")
                st = {"op": "as_completed", "it": it, "of": sorted({self.task() for _ in range(3)}),
                      "mode": r.choice(("plain", "async"))}
                if r.random() < 0.4:
                    st["timeout"] = self.limit()
                if "@main" in st["of"]:
                    return [{"op": "all_tasks"}]
                return [st] + [self.tried({"op": "next", "it": it}) for _ in range(r.randint(1, 3))]
            of = sorted({self.task() for _ in range(r.randint(1, 3))} - {"@main"})
            st = {"op": "wait", "of": of, "until": r.choice(("all", "first", "exception"))}
            if r.random() < 0.6 or not self.exact:
                st["timeout"] = self.limit()
            return [st] if of else []
        if topic == "shield":
            h = self.new("sh")
            self.others.append(h)
            out = [{"op": "shield", "h": h, "of": self.operand(depth)}]
            if r.random() < 0.7:
                out.append(self.tried({"op": "await", "h": h}))
            return out
        if topic == "wait_for":
            st = {"op": "wait_for", "aw": self.operand(depth),
                  "timeout": r.choice((None, self.limit(), self.limit(), self.limit(), 0))}
            return [self.tried(st)]
        if topic == "future" and self.futures:
            f = r.choice(self.futures)
            return [r.choice(({"op": "await", "h": f}, self.tried({"op": "await", "h": f}),
                              self.tried({"op": "set_result", "h": f, "v": self.number()}),
                              self.tried({"op": "set_exception", "h": f, "kind": "C", "msg": self.new("e")}),
                              self.cancel(f)))]
        if topic == "callback":
            if self.calls and r.random() < 0.15:
                return [{"op": "cancel_call", "k": r.choice(self.calls)}]
            cb = self.callback()
            st = r.choice(({"op": "on_done", "h": self.handle(), "cb": cb},
                           {"op": "call_soon", "cb": cb, "k": self.new("h")},
                           {"op": "call_later", "cb": cb, "d": self.ticks(), "k": self.new("h")},
                           {"op": "off_done", "h": self.handle(), "cb": cb}))
            if "k" in st:
                self.calls.append(st["k"])
            if self.contexts and st["op"] in ("on_done", "call_soon") and r.random() < 0.4:
                st["ctx"] = r.choice(self.contexts)
            return [st]
        return self.await_one()

    def await_one(self):
        if not self.tasks:
            return [{"op": "sleep", "d": self.ticks()}]
        h = self.handle()
        return [self.r.choice(({"op": "await", "h": h}, self.tried({"op": "await", "h": h})))]

    def callback(self):
        r = self.r
        if self.callbacks and r.random() < 0.6:
            return r.choice(list(self.callbacks))
        name = self.new("cb")
        self.callbacks[name] = body = []
        for _ in range(r.choice((0, 1, 1, 2))):
            if self.futures and r.random() < 0.5:
                body.append({"op": "set_result", "h": r.choice(self.futures), "v": self.number()})
            elif r.random() < 0.6:
                body.append(self.cancel(self.task() if self.tasks else "@main"))
            else:
                body.append({"op": "log", "m": self.new("m")})
        for st in body:
            if st.get("h") == "@self":
                st["h"] = "@main"
        return name

    def small(self, depth):
        """One thing that a task does."""
        r = self.r
        self.budget -= 1
        x = r.random()
        if x < 0.18:
            return [{"op": "sleep", "d": self.ticks()}]
        if x < 0.26:
            return [self.cancel(self.handle())]
        if x < 0.29 and depth:
            return [self.cancel("@self")]
        if x < 0.31:
            return [{"op": "uncancel", "h": self.handle()} if r.random() < 0.2 else {"op": "uncancel"}]
        if x < 0.37:
            return [{"op": "query", "h": self.handle(),
                     "what": r.choice(("done", "cancelled", "cancelling", "result", "exception"))}]
        if x < 0.39:
            return [{"op": "log", "m": self.new("m")}]
        if x < 0.41:
            return [r.choice(({"op": "current"}, {"op": "all_tasks"} if self.exact else {"op": "current"}))]
        if x < 0.45:
            return self.await_one()
        if self.executor and x < 0.52:
            takes = self.ticks() or 1
            if r.random() < 0.5:
                return [{"op": "to_thread", "h": self.new("j"), "takes": takes, "ret": self.number()}]
            h = self.new("j")
            self.others.append(h)
            job = {"op": "submit", "h": h, "takes": takes}
            job.update({"raise": "B"} if r.random() < 0.3 else {"ret": self.number()})
            return [job]
        if self.context and x < 0.52:
            var = r.choice(("v1", "v2"))
            if r.random() < 0.2:
                self.contexts.append(self.new("c"))
                return [{"op": "ctx_copy", "c": self.contexts[-1]}]
            if self.contexts and r.random() < 0.2:
                return [{"op": "ctx_peek", "c": r.choice(self.contexts), "var": var}]
            return [r.choice(({"op": "ctx_set", "var": var, "v": self.number()}, {"op": "ctx_get", "var": var}))]
        if self.objects and x < 0.75:
            if r.random() < 0.1:
                return [{"op": "state", "o": r.choice(list(self.objects))}]
            if r.random() < 0.65:
                return self.wait_on_object(depth)
            return self.touch_object()
        if x < 0.77 and self.scopes:
            return [r.choice(({"op": "scope", "s": r.choice(self.scopes)},
                              self.tried({"op": "reschedule", "s": r.choice(self.scopes), "after": self.limit()})))]
        return self.combination(depth)

    def block(self, depth, n):
        """A list of statements; deeper ones are shorter."""
        r = self.r
        out = []
        while n > 0 and self.budget > 0:
            n -= 1
            x = r.random()
            if depth > 3 or x < 0.6:
                out += self.small(depth)
                continue
            self.budget -= 1
            if x < 0.70:
                out.append(self.within(*self.block(depth + 1, r.choice((1, 1, 2)))))
            elif x < 0.80:
                st = {"op": "try", "body": self.block(depth + 1, r.choice((1, 2))),
                      "except": [{"match": list(r.choice(PATTERNS)),
                                  "do": self.block(depth + 1, 1) + ([{"op": "reraise"}] if r.random() < 0.4 else [])}]}
                if r.random() < 0.25:
                    st["finally"] = self.block(depth + 1, 1)
                if r.random() < 0.1:
                    st["else"] = self.block(depth + 1, 1)
                out.append(st)
            elif x < 0.84:
                out.append({"op": "repeat", "n": 2, "body": self.block(depth + 1, r.choice((1, 2)))})
            elif x < 0.90 and "group" in self.topics:
                out.append(self.group(depth))
            elif x < 0.95:
                h = self.new("t")
                st = {"op": "spawn", "h": h, "do": self.body(depth + 1, r.choice((1, 2, 2)))}
                if self.contexts and r.random() < 0.3:
                    st["ctx"] = r.choice(self.contexts)
                out.append(st)
                self.tasks.append(h)
            elif x < 0.97:
                x = self.new("x")
                out += [{"op": "call", "do": self.body(depth + 1, 2), "as": x},
                        {"op": "log", "m": self.new("m"), "v": {"var": x}}]
            else:
                out.append({"op": "raise", "kind": r.choice("ABC"), "msg": self.new("e")})
        return out

    def group(self, depth):
        r = self.r
        g = self.new("g")
        body = []
        for _ in range(r.choice((1, 2, 2, 3))):
            h = self.new("t")
            body.append({"op": "spawn", "h": h, "do": self.body(depth + 1, r.choice((1, 2))), "group": g})
            self.tasks.append(h)
        body += self.block(depth + 1, r.choice((0, 1, 2)))
        return {"op": "try", "body": [{"op": "group", "g": g, "body": body}],
                "except": [{"match": list(r.choice(PATTERNS)), "do": []}]}

    def body(self, depth, n):
        r = self.r
        out = []
        if not self.exact and r.random() < 0.3:
            out.append({"op": "sleep", "d": self.ticks()})
        out += self.block(depth, n)
        x = r.random()
        if x < 0.45:
            out.append({"op": "return", "v": self.number()})
        elif x < 0.58:
            out.append({"op": "raise", "kind": r.choice("ABC"), "msg": self.new("e")})
        return out

    def driver(self):
        """A task that does something to the others now and then."""
        r = self.r
        out = []
        for _ in range(r.randint(2, 3 + self.size)):
            out.append({"op": "sleep", "d": self.ticks()})
            for _ in range(r.choice((1, 1, 2))):
                x = r.random()
                if self.objects and x < 0.5:
                    out += self.touch_object()
                elif self.futures and x < 0.65:
                    f = r.choice(self.futures)
                    out.append(self.tried(r.choice((
                        {"op": "set_result", "h": f, "v": self.number()},
                        {"op": "set_exception", "h": f, "kind": r.choice("ABC"), "msg": self.new("e")}))))
                else:
                    out.append(self.cancel(self.handle()))
        return out

    def scenario(self, name):
        r = self.r
        main = []
        if "future" in self.topics or "callback" in self.topics:
            for _ in range(r.choice((1, 2, 3))):
                h = self.new("f")
                self.futures.append(h)
                main.append({"op": "future", "h": h})
        self.make_objects()
        body = []
        for _ in range(r.randint(2, 3 + self.size)):
            h = self.new("t")
            body.append({"op": "spawn", "h": h, "do": self.body(1, r.choice((1, 2, 3)))})
            self.tasks.append(h)
        for _ in range(r.choice((1, 1, 2))):
            body.append({"op": "spawn", "h": self.new("d"), "do": self.driver()})
        body += self.block(0, 2 + self.size)
        s = self.new("s")
        main.append({"op": "try", "body": [{"op": "timeout", "s": s, "after": 40 if self.exact else 400,
                                            "body": body}],
                     "except": [{"match": ["any"], "do": []}]})
        known = sorted({self.task() for _ in range(3)})
        if r.random() < 0.85:
            main.append({"op": "wait", "of": known, "timeout": 30 if self.exact else 300})
        for h in known:
            main.append({"op": "query", "h": h,
                         "what": r.choice(("done", "cancelled", "cancelling", "result", "exception"))})
        main.append({"op": "return", "v": self.number()})
        sc = {"name": name}
        if self.executor:
            self.opts["workers"] = r.choice((1, 2, 3))
        if self.exact and r.random() < 0.06:
            self.opts["eager"] = True
        if self.exact and r.random() < 0.03:
            self.opts["sigint"] = sorted(r.choice(((3,), (5,), (8,), (20,), (3, 3), (3, 20))))
        if self.opts:
            sc["opts"] = self.opts
        if self.objects:
            sc["objects"] = self.objects
        if self.callbacks:
            sc["callbacks"] = self.callbacks
        sc["main"] = main
        return sc


def pair(kind, seed, size, name, runs):
    """A scenario with its trace, or None if it is not of the kind."""
    sc = Generator(random.Random(seed), kind, size).scenario(name)
    try:
        trace = reference.run_scenario(sc)
    except reference.InternalError:
        return None                  # too long, or what the trace has no words for
    if len(trace["events"]) < 8:
        return None
    jitter = 0
    if kind == "race-free":
        jitter = 3
        if trace["end"] > 2000 or not reference.schedule_independent(sc, trace, runs, jitter):
            return None
    full = {"name": name, "features": reference.features(sc), "jitter": jitter}
    full.update({k: v for k, v in sc.items() if k != "name"})
    return {"scenario": full, "trace": trace}


def main():
    warnings.simplefilter("ignore")
    ap = argparse.ArgumentParser()
    ap.add_argument("--kind", choices=("exact", "race-free"), default="exact")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--count", type=int, default=100)
    ap.add_argument("--size", type=int, default=2, help="1 is small, 5 is large")
    ap.add_argument("--name", default="random")
    ap.add_argument("--runs", type=int, default=300, help="disturbed runs that a race-free one has to pass")
    a = ap.parse_args()
    n = tried = 0
    while n < a.count:
        tried += 1
        got = pair(a.kind, f"{a.kind} {a.seed} {tried}", a.size, f"{a.kind}-{a.name}-{n}", a.runs)
        if got is not None:
            sys.stdout.write(json.dumps(got, separators=(",", ":")) + "\n")
            sys.stdout.flush()
            n += 1
    os._exit(0)


if __name__ == "__main__":
    main()
