"""A pool of workers: three processes serve one procedure, and calls are spread over them.

python workers.py https://localhost:4433 ca.pem
"""

import asyncio
import collections
import multiprocessing
import os
import signal
import sys

import macula

WORKERS = 3
CALLS = 30


def work(gateway: str, ca: str) -> None:
    """One worker: it serves until it is told to end."""

    async def serve() -> None:
        async with macula.connect(gateway, ca=ca, subject=f"worker-{os.getpid()}") as mesh:

            @mesh.serve("work.square", concurrency=4)
            async def square(number: int) -> dict[str, int]:
                await asyncio.sleep(0.01)
                return {"square": number * number, "worker": os.getpid()}

            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, square.stop)
            await square.ended()

    asyncio.run(serve())


async def main(gateway: str, ca: str) -> None:
    workers = [multiprocessing.Process(target=work, args=(gateway, ca), daemon=True) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        async with macula.connect(gateway, ca=ca, subject="boss") as mesh:
            async with asyncio.timeout(10):
                while not await providers(mesh) == WORKERS:
                    await asyncio.sleep(0.05)
            answers = await asyncio.gather(*(mesh.call("work.square", number) for number in range(CALLS)))
            assert [answer["square"] for answer in answers] == [number * number for number in range(CALLS)]
            shares = collections.Counter(answer["worker"] for answer in answers)
            print(f"{CALLS} squares by {len(shares)} workers: {sorted(shares.values())}")
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


async def providers(mesh: macula.Mesh) -> int:
    """How many serve the procedure."""
    found = await mesh.discover("work.square", kind=["procedure"])
    return sum(len(item.providers) for item in found)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
