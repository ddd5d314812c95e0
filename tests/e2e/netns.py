"""A network of its own for each node: Linux network namespaces, joined by a switch that can lose, delay and part.

The namespaces have no names, only file descriptors that this process holds: whatever becomes of it, the kernel takes
them away with the last process in them, and runs at the same time do not meet.
"""

import contextlib
import ctypes
import fcntl
import itertools
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import threading

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
DEVICE = "mesh0"
HUB = 254
SWITCH = pathlib.Path(__file__).with_name("switch.py")
LIBC = ctypes.CDLL(None, use_errno=True)


def checked(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Namespace:
    """A network namespace with one device, whose packets come out of `device`.

    Nodes reach each other at `address`. Clients reach a node at `gateway`, an address of 127.0.0.0/8, since a node
    with a realm that is open to everybody listens on no other; here these are routed like all others.
    """

    def __init__(self, number):
        self.address = f"10.77.0.{number}"
        self.gateway = f"127.77.0.{number}"
        self.error = None
        # A thread has its own: this one's ends, the namespace stays as long as it is held.
        thread = threading.Thread(target=self.make)
        thread.start()
        thread.join()
        if self.error:
            raise self.error

    def make(self):
        try:
            checked(LIBC.unshare(CLONE_NEWNET))
            self.held = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            self.device = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(self.device, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
            pathlib.Path(f"/proc/sys/net/ipv4/conf/{DEVICE}/route_localnet").write_text("1")
            for command in (
                "link set lo up",
                "route del table local local 127.0.0.0/8 dev lo",
                f"addr add {self.address}/24 dev {DEVICE}",
                f"addr add {self.gateway}/24 dev {DEVICE}",
                f"link set {DEVICE} multicast on up",
                f"route add 224.0.0.0/4 dev {DEVICE}",
            ):
                subprocess.run(["ip", *command.split()], check=True, capture_output=True)
        except Exception as error:
            self.error = error

    def inside(self):
        """What to put before a command for it to run inside."""
        return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self.held}"]

    def close(self):
        os.close(self.device)
        os.close(self.held)


def missing():
    """Why there can be no namespaces here; None if there can."""
    for program in ("ip", "nsenter"):
        if not shutil.which(program):
            return f"network namespaces need the program {program}"
    try:
        Namespace(HUB).close()
    except OSError as error:
        return f"network namespaces and TUN devices cannot be made here: {error}"
    return None


class Network:
    """So many namespaces on one network, and a hub for clients, between which and the nodes nothing is ever lost."""

    def __init__(self, nodes):
        self.ends = contextlib.ExitStack()
        try:
            self.hub = self.namespace(HUB)
            self.nodes = [self.namespace(number + 1) for number in range(nodes)]
            self.addresses = [node.address for node in self.nodes]
            self.rules = {}
            self.start_switch()
            self.enter_hub()
        except BaseException:
            self.close()
            raise

    def namespace(self, number):
        made = Namespace(number)
        self.ends.callback(made.close)
        return made

    def start_switch(self):
        all_of_them = [self.hub, *self.nodes]
        devices = [made.device for made in all_of_them]
        arguments = [f"{place}={made.device}" for made in all_of_them for place in (made.address, made.gateway)]
        self.switch = subprocess.Popen(
            [sys.executable, SWITCH, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=devices,
        )

        def end():
            self.switch.stdin.close()
            self.switch.kill()
            self.switch.wait()
            self.switch.stdout.close()

        self.ends.callback(end)

    def enter_hub(self):
        """This thread, and those that it starts, are at the hub until the network is closed."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)

        def leave():
            checked(LIBC.setns(before, CLONE_NEWNET))
            os.close(before)

        self.ends.callback(leave)
        checked(LIBC.setns(self.hub.held, CLONE_NEWNET))

    def between(self, some, others, loss=0.0, delay=0.0):
        """What happens to each packet between nodes of the one and of the other, by their addresses, both ways.

        The packets that pairs with rules had since the last change are told: how many passed, how many were dropped.
        """
        for pair in itertools.chain(itertools.product(some, others), itertools.product(others, some)):
            self.rules[pair] = (loss, delay)
        rules = [[source, target, *rule] for (source, target), rule in self.rules.items() if source != target]
        print(json.dumps(rules), file=self.switch.stdin, flush=True)
        return json.loads(self.switch.stdout.readline())

    def close(self):
        self.ends.close()
