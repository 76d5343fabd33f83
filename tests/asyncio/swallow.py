"""Requirement: a task that swallows its cancellation goes on and returns a value; it is not cancelled, the request stays
counted until `uncancel`, and a second request reaches it as well."""

import asyncio
import os

SECOND = float(os.environ.get("SCALE", "1"))


async def stubborn():
    for attempt in (1, 2):
        try:
            await asyncio.sleep(10 * SECOND)
        except asyncio.CancelledError as cancelled:
            task = asyncio.current_task()
            print(f"stubborn: ignores '{cancelled}', cancelling: {task.cancelling()}")
            if attempt == 2:
                print(f"stubborn: uncancel: {task.uncancel()}")
    await asyncio.sleep(1 * SECOND)
    return "finished all the same"


async def main():
    loop = asyncio.get_running_loop()
    began = loop.time()
    task = asyncio.create_task(stubborn(), name="stubborn")
    await asyncio.sleep(1 * SECOND)
    print(f"first: {task.cancel('please')}")
    await asyncio.sleep(1 * SECOND)
    print(f"done: {task.done()}")
    print(f"second: {task.cancel('now')}")
    print(await task)
    print(f"cancelled: {task.cancelled()}, cancelling: {task.cancelling()}")
    print(f"after {round((loop.time() - began) / SECOND)} s")


asyncio.run(main())
