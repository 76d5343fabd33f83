"""Requirement: the four sleeps of 1, 3, 5 and 7 s one after the other: each task is spawned when the one before has
ended, so the whole takes 16 s."""

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
    for name, seconds in [("one", 1), ("three", 3), ("five", 5), ("seven", 7)]:
        task = asyncio.create_task(nap(name, seconds), name=name)
        print(await task)
        print(f"after {round((loop.time() - began) / SECOND)} s")


asyncio.run(main())
