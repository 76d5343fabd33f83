"""The workloads that asyncio can do, for the runner `side-by-side --others`.

The first line of the output names the workloads; "/1" says that there is one thread only. For each line
"WORKLOAD WORKERS ROUNDS" of the input, the workload does so many rounds, once warmed up, and the answer is
nanoseconds per operation. With --uvloop, on uvloop's event loop.

The workloads are those of the same names in benches/src/workloads.
"""

import asyncio
import socket
import sys
import time


async def spawn(rounds):
    done = asyncio.Event()
    left = 0

    async def count_down():
        nonlocal left
        left -= 1
        if left == 0:
            done.set()

    start = time.perf_counter_ns()
    for _ in range(rounds):
        done.clear()
        left = 1_000
        tasks = [asyncio.create_task(count_down()) for _ in range(1_000)]
        await done.wait()
        del tasks
    return time.perf_counter_ns() - start


async def number_of(number):
    return number


async def spawn_join(rounds):
    start = time.perf_counter_ns()
    for number in range(rounds):
        assert await asyncio.create_task(number_of(number)) == number
    return time.perf_counter_ns() - start


async def spawn_join_100(rounds):
    start = time.perf_counter_ns()
    for _ in range(rounds):
        tasks = [asyncio.create_task(number_of(number)) for number in range(100)]
        total = 0
        for task in tasks:
            total += await task
        assert total == 4_950
    return time.perf_counter_ns() - start


async def yields(rounds):
    for _ in range(rounds):
        await asyncio.sleep(0)


async def yield_alone(rounds):
    start = time.perf_counter_ns()
    await yields(rounds)
    return time.perf_counter_ns() - start


async def yield_100(rounds):
    start = time.perf_counter_ns()
    tasks = [asyncio.create_task(yields(rounds)) for _ in range(100)]
    for task in tasks:
        await task
    return time.perf_counter_ns() - start


async def ping_pong(rounds):
    there, back = asyncio.Queue(1), asyncio.Queue(1)

    async def echo():
        for _ in range(rounds):
            await back.put(await there.get() + 1)

    task = asyncio.create_task(echo())
    start = time.perf_counter_ns()
    for number in range(rounds):
        await there.put(number)
        assert await back.get() == number + 1
    took = time.perf_counter_ns() - start
    await task
    return took


async def queue_pipeline(rounds):
    numbers = rounds * 64
    queues = [asyncio.Queue(16) for _ in range(5)]

    async def stage(source, target):
        for _ in range(numbers):
            await target.put(await source.get() + 1)

    async def feed(target):
        for number in range(numbers):
            await target.put(number)

    start = time.perf_counter_ns()
    tasks = [asyncio.create_task(stage(*pair)) for pair in zip(queues, queues[1:])]
    tasks.append(asyncio.create_task(feed(queues[0])))
    for number in range(numbers):
        assert await queues[-1].get() == number + 4
    took = time.perf_counter_ns() - start
    for task in tasks:
        await task
    return took


async def lock_contended(rounds):
    lock = asyncio.Lock()
    total = 0

    async def count():
        nonlocal total
        for _ in range(rounds):
            async with lock:
                await asyncio.sleep(0)
                total += 1

    start = time.perf_counter_ns()
    tasks = [asyncio.create_task(count()) for _ in range(32)]
    for task in tasks:
        await task
    took = time.perf_counter_ns() - start
    assert total == rounds * 32
    return took


def gather(count):
    async def run(rounds):
        start = time.perf_counter_ns()
        for _ in range(rounds):
            outputs = await asyncio.gather(*(number_of(number) for number in range(count)))
            assert outputs[-1] == count - 1
        return time.perf_counter_ns() - start

    return run


async def nothing():
    pass


async def task_group_100(rounds):
    start = time.perf_counter_ns()
    for _ in range(rounds):
        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(nothing())
    return time.perf_counter_ns() - start


async def as_completed_100(rounds):
    start = time.perf_counter_ns()
    for _ in range(rounds):
        total = 0
        for ended in asyncio.as_completed([number_of(number) for number in range(100)]):
            total += await ended
        assert total == 4_950
    return time.perf_counter_ns() - start


async def clean_up_1k(rounds):
    took = 0
    for _ in range(rounds):
        stopped = 0

        async def sleep():
            nonlocal stopped
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                stopped += 1

        tasks = [asyncio.create_task(sleep()) for _ in range(1_000)]
        await asyncio.sleep(0)
        start = time.perf_counter_ns()
        for task in tasks:
            task.cancel()
        for task in tasks:
            await task
        took += time.perf_counter_ns() - start
        assert stopped == 1_000
    return took


async def timeout_ready(rounds):
    start = time.perf_counter_ns()
    for _ in range(rounds):
        async with asyncio.timeout(30):
            await nothing()
    return time.perf_counter_ns() - start


async def timeout_yields(rounds):
    for _ in range(rounds):
        async with asyncio.timeout(30):
            await asyncio.sleep(0)


async def timeout_yield_100(rounds):
    start = time.perf_counter_ns()
    tasks = [asyncio.create_task(timeout_yields(rounds)) for _ in range(100)]
    for task in tasks:
        await task
    return time.perf_counter_ns() - start


async def to_thread(rounds):
    start = time.perf_counter_ns()
    for number in range(rounds):
        assert await asyncio.to_thread(abs, number) == number
    return time.perf_counter_ns() - start


def to_thread_batch(count):
    async def run(rounds):
        start = time.perf_counter_ns()
        for _ in range(rounds):
            calls = (asyncio.to_thread(abs, number) for number in range(count))
            outputs = await asyncio.gather(*calls)
            assert outputs[-1] == count - 1
        return time.perf_counter_ns() - start

    return run


class Echo(asyncio.Protocol):
    """What users who want speed write: streams are slower."""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


class Client(asyncio.Protocol):
    def __init__(self, size):
        self.message = b"\7" * size
        self.length = 0

    def connection_made(self, transport):
        self.transport = transport

    def begin(self, rounds):
        self.rounds = rounds
        self.done = asyncio.get_running_loop().create_future()
        self.ask()

    def ask(self):
        self.transport.write(self.message)

    def data_received(self, data):
        self.length += len(data)
        if self.length < len(self.message):
            return
        self.length = 0
        self.rounds -= 1
        if self.rounds > 0:
            self.ask()
        else:
            self.done.set_result(None)


def echo(connections, size):
    async def run(rounds):
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=1_024)
        address = server.sockets[0].getsockname()
        clients = []
        for _ in range(connections):
            transport, client = await loop.create_connection(
                lambda: Client(size), *address
            )
            nodelay = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport.get_extra_info("socket").setsockopt(*nodelay)
            clients.append(client)
        # Once unmeasured, as everywhere.
        for client in clients:
            client.begin(1)
            await client.done
        start = time.perf_counter_ns()
        for client in clients:
            client.begin(rounds)
        for client in clients:
            await client.done
        took = time.perf_counter_ns() - start
        for client in clients:
            client.transport.close()
        server.close()
        return took

    return run


# What one round has so many operations of.
WORKLOADS = {
    "spawn": (spawn, 1_000),
    "spawn_join": (spawn_join, 1),
    "spawn_join_100": (spawn_join_100, 100),
    "yield_alone": (yield_alone, 1),
    "yield_100": (yield_100, 100),
    "ping_pong": (ping_pong, 1),
    # One kind of queue.
    "ping_pong_mpsc": (ping_pong, 1),
    "queue_pipeline": (queue_pipeline, 64),
    "lock_contended": (lock_contended, 32),
    "gather_10": (gather(10), 10),
    "gather_1k": (gather(1_000), 1_000),
    "gather_100k": (gather(100_000), 100_000),
    "task_group_100": (task_group_100, 100),
    "as_completed_100": (as_completed_100, 100),
    "clean_up_1k": (clean_up_1k, 1_000),
    "timeout_ready": (timeout_ready, 1),
    "timeout_yield_100": (timeout_yield_100, 100),
    "blocking_round_trip": (to_thread, 1),
    "blocking_batch_10k": (to_thread_batch(10_000), 10_000),
    "blocking_batch_100k": (to_thread_batch(100_000), 100_000),
    "echo_1": (echo(1, 64), 1),
    "echo_32": (echo(32, 64), 32),
    "echo_500": (echo(500, 64), 500),
    "echo_32_4k": (echo(32, 4_096), 32),
}


def main():
    factory = asyncio.new_event_loop
    if "--uvloop" in sys.argv:
        import uvloop

        factory = uvloop.new_event_loop
    print(*(f"{name}/1" for name in WORKLOADS), flush=True)

    async def measured(run, rounds):
        await run((rounds + 7) // 8)
        return await run(rounds)

    for line in sys.stdin:
        name, _workers, rounds = line.split()
        run, operations = WORKLOADS[name]
        with asyncio.Runner(loop_factory=factory) as runner:
            took = runner.run(measured(run, int(rounds)))
        print(took / (int(rounds) * operations), flush=True)


main()
