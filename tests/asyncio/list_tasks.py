"""Requirement: list `all_tasks()` by name before anything is spawned, after four tasks were spawned, while some are done,
when one has been cancelled but not ended yet, and when all are done; `current_task()` is always among them."""

import asyncio
import os

SECOND = float(os.environ.get("SCALE", "1"))


def show(when):
    names = sorted(task.get_name() for task in asyncio.all_tasks())
    print(f"{when}: {', '.join(names)}")


async def nap(seconds):
    await asyncio.sleep(seconds * SECOND)


async def main():
    asyncio.current_task().set_name("main")
    show("before")
    tasks = [
        asyncio.create_task(nap(seconds), name=name)
        for name, seconds in [("one", 1), ("three", 3), ("five", 5), ("seven", 7)]
    ]
    show("spawned")
    await asyncio.sleep(4 * SECOND)
    show("after 4 s")
    tasks[3].cancel()
    show("seven is cancelled")
    await asyncio.sleep(0)
    show("seven has ended")
    await tasks[2]
    show("after")
    print(f"current: {asyncio.current_task().get_name()}")


asyncio.run(main())
