"""Requirement: of four named tasks with sleeps of 1, 3, 5 and 7 s, cancel the two longest after 2 s, each with a message; their
bodies catch the cancellation, log it with its message and raise it again; whoever awaits them sees who was
cancelled and why."""

import asyncio
import os

SECOND = float(os.environ.get("SCALE", "1"))


async def nap(name, seconds):
    print(f"{name}: sleeps {seconds} s")
    try:
        await asyncio.sleep(seconds * SECOND)
    except asyncio.CancelledError as cancelled:
        print(f"{name}: cancelled: {cancelled}")
        raise
    print(f"{name}: woke up")
    return f"{name} slept {seconds} s"


async def main():
    tasks = [
        asyncio.create_task(nap(name, seconds), name=name)
        for name, seconds in [("one", 1), ("three", 3), ("five", 5), ("seven", 7)]
    ]
    await asyncio.sleep(2 * SECOND)
    print(f"cancel five: {tasks[2].cancel('too long')}")
    print(f"cancel seven: {tasks[3].cancel('much too long')}")
    for task in tasks:
        try:
            print(await task)
        except asyncio.CancelledError as cancelled:
            print(f"{task.get_name()} was cancelled: {cancelled}")
    print(f"cancelled: {[task.cancelled() for task in tasks]}")
    print(f"cancel one: {tasks[0].cancel('too late')}")


asyncio.run(main())
