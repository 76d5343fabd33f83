"""Requirement: a task that is cancelled before its first step never runs any of its code, neither its handler nor its
clean-up; it ends cancelled, with the message."""

import asyncio


async def body():
    print("body: started")
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        print("body: cancelled")
        raise
    finally:
        print("body: cleaned up")


async def main():
    task = asyncio.create_task(body(), name="early")
    print(f"cancel: {task.cancel('not today')}")
    print(f"done: {task.done()}, cancelling: {task.cancelling()}")
    try:
        await task
    except asyncio.CancelledError as cancelled:
        print(f"{task.get_name()} was cancelled: {cancelled}")
    print(f"done: {task.done()}, cancelled: {task.cancelled()}")
    print(f"cancel again: {task.cancel()}")


asyncio.run(main())
