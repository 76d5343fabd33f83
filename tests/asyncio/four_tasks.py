"""Requirement: spawn four named tasks that sleep 1, 3, 5 and 7 s; they run side by side, so that the whole takes
7 s and not 16; each says when it starts and ends, and gives back its name."""

import asyncio
import os

SECOND = float(os.environ.get("SCALE", "1"))


async def nap(name, seconds):
    print(f"{name}: sleeps {seconds} s")
    await asyncio.sleep(seconds * SECOND)
    print(f"{name}: woke up")
    return f"{name} slept {seconds} s"


async def main():
    loop = asyncio.get_running_loop()
    began = loop.time()
    tasks = [
        asyncio.create_task(nap(name, seconds), name=name)
        for name, seconds in [("one", 1), ("three", 3), ("five", 5), ("seven", 7)]
    ]
    for task in tasks:
        print(f"spawned {task.get_name()}")
    for task in tasks:
        print(await task)
    print(f"all done after {round((loop.time() - began) / SECOND)} s")


asyncio.run(main())
