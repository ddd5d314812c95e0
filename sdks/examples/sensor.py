"""A thermometer: publishes what it reads, and serves how often it does so.

python sensor.py https://localhost:4433 ca.pem [READINGS]
"""

import asyncio
import math
import sys

import macula


async def main(gateway: str, ca: str, readings: int) -> None:
    async with macula.connect(gateway, ca=ca, subject="thermometer") as mesh:
        pause = 1.0

        @mesh.serve("home.kitchen.set_pause", description="Seconds between two readings.")
        async def set_pause(seconds: float) -> float:
            nonlocal pause
            if not 0.01 <= seconds <= 60:
                raise macula.HandlerError("out_of_range", "expected 0.01 to 60 s", {"seconds": seconds})
            pause = seconds
            return pause

        await set_pause
        for n in range(readings):
            celsius = round(21 + 2 * math.sin(n / 5), 1)
            await mesh.publish("home.kitchen.temperature", {"celsius": celsius}, headers={"unit": "celsius"})
            await asyncio.sleep(pause)


asyncio.run(main(sys.argv[1], sys.argv[2], int((sys.argv[3:] or ["1000000"])[0])))
