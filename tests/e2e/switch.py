"""A switch between network devices, as a program: loses packets, delays them, and parts those that it is told to part.

It stands in for `tc netem`, which needs a module of the kernel that not every machine has. The devices are TUNs, so
it reads and writes whole IP packets. Arguments: `ADDRESS=FD` for each device, where FD is inherited. Each line of
standard input is a JSON list of rules, [from, to, loss, delay in seconds], which take the place of the former ones;
what no rule is for passes at once. Each is answered by a line: how many packets of pairs with rules have passed and
were dropped since the last. It ends with its standard input.
"""

import heapq
import itertools
import json
import os
import random
import selectors
import socket
import sys
import time

# The same packets are lost in each run, as far as the same come.
SEED = 1
PACKET_BYTES = 65_536
# The first byte of addresses that are for everybody.
MULTICAST = range(224, 240)
# Taken from one device before the others have their turn.
BATCH = 64


class Switch:
    def __init__(self, devices):
        self.devices = devices
        self.rules = {}
        self.chance = random.Random(SEED)
        self.waiting = []
        self.numbers = itertools.count()
        self.passed = self.dropped = 0

    def take(self, device):
        """Reads what a device has, and sends it on."""
        for _ in range(BATCH):
            try:
                packet = os.read(device, PACKET_BYTES)
            except BlockingIOError:
                return
            # Nothing here speaks IPv6, but the kernel asks for routers.
            if packet[0] >> 4 == 4:
                self.forward(packet)

    def forward(self, packet):
        source, target = packet[12:16], packet[16:20]
        if target[0] in MULTICAST:
            for device in set(self.devices.values()) - {self.devices.get(source)}:
                self.give(device, packet)
            return None
        device = self.devices.get(target)
        if device is None:
            return
        rule = self.rules.get((source, target))
        if rule is None:
            return self.give(device, packet)
        loss, delay = rule
        if self.chance.random() < loss:
            self.dropped += 1
            return None
        self.passed += 1
        if delay:
            heapq.heappush(self.waiting, (time.monotonic() + delay, next(self.numbers), device, packet))
        else:
            self.give(device, packet)
        return None

    def give(self, device, packet):
        try:
            os.write(device, packet)
        except OSError:
            # Its queue is full, or it is down: the packet is lost, as it would be elsewhere.
            pass

    def due(self):
        """Gives what has waited long enough; how long until the next is due."""
        while self.waiting:
            left = self.waiting[0][0] - time.monotonic()
            if left > 0:
                return left
            _, _, device, packet = heapq.heappop(self.waiting)
            self.give(device, packet)
        return None

    def obey(self, line):
        rules = json.loads(line)
        self.rules = {
            (socket.inet_aton(source), socket.inet_aton(target)): (loss, delay)
            for source, target, loss, delay in rules
        }
        print(json.dumps({"passed": self.passed, "dropped": self.dropped}), flush=True)
        self.passed = self.dropped = 0


def run(arguments):
    pairs = [argument.split("=") for argument in arguments]
    switch = Switch({socket.inet_aton(address): int(device) for address, device in pairs})
    selector = selectors.DefaultSelector()
    for device in set(switch.devices.values()):
        os.set_blocking(device, False)
        selector.register(device, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select(switch.due()):
            if key.fileobj is not sys.stdin:
                switch.take(key.fd)
            elif line := sys.stdin.readline():
                switch.obey(line)
            else:
                return


if __name__ == "__main__":
    run(sys.argv[1:])
