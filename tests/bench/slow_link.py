# SPDX-License-Identifier: Apache-2.0
"""Runs a script of two ranks over a link of a given rate and delay, between two network namespaces of this machine (Linux, root;
without a delay, `gradwire bench exchange --rate` does):

    PYTHONPATH=build/python python tests/bench/slow_link.py --mbit 100 --delay-ms 20 tests/bench/attach_bench.py --rounds 3

The link is two TUN devices whose packets (of 9000 bytes at most) this program carries from one to the other: one after another
at the rate, and then late by the delay each way.
"""

import argparse
import collections
import fcntl
import multiprocessing
import os
import select
import signal
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MTU = 9000
QUEUE_BYTES = 4 << 20  # more is dropped, as a router does


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def make_host(number):
    """A namespace with one device, link0; returns its name and the other end of the device."""
    namespace, device = f"gradwire-slow{number}-{os.getpid()}", f"gw{number}-{os.getpid()}"
    ip("netns", "add", namespace)
    end = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TUN | IFF_NO_PI))
    ip("link", "set", device, "netns", namespace)
    for words in (["set", device, "name", "link0"], ["set", "link0", "mtu", str(MTU)], ["set", "link0", "up"], ["set", "lo", "up"]):
        ip("-n", namespace, "link", *words)
    ip("-n", namespace, "address", "add", f"10.78.0.{number}/24", "dev", "link0")
    return namespace, end


def carry(source, target, bytes_per_s, delay_s):
    """Packets leave at the rate, and arrive after the delay; until the program ends."""
    queue, queued, free_at = collections.deque(), 0, 0.0
    while True:
        wait = max(0, queue[0][0] - time.monotonic()) if queue else None
        if select.select([source], [], [], wait)[0]:
            packet = os.read(source, MTU + 64)
            if queued + len(packet) <= QUEUE_BYTES + bytes_per_s * delay_s:
                free_at = max(free_at, time.monotonic()) + len(packet) / bytes_per_s
                queue.append((free_at + delay_s, packet))
                queued += len(packet)
        while queue and queue[0][0] <= time.monotonic():
            packet = queue.popleft()[1]
            queued -= len(packet)
            os.write(target, packet)


def start_rank(namespace, rank, script):
    environment = dict(os.environ, RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK="0", LOCAL_WORLD_SIZE="1", MASTER_ADDR="10.78.0.1",
                       MASTER_PORT="29500", OMP_NUM_THREADS="1", GLOO_SOCKET_IFNAME="link0")  # fmt: skip
    return subprocess.Popen(["ip", "netns", "exec", namespace, sys.executable, *script], env=environment)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mbit", type=float, default=100, help="rate each way, in megabits/s")
    parser.add_argument("--delay-ms", type=float, default=20, help="each way: half of what ping says")
    parser.add_argument("script", nargs=argparse.REMAINDER, help="a Python file and its words")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the namespaces go
    hosts, ranks = [], []
    try:
        for number in (1, 2):
            hosts.append(make_host(number))
        for source, target in ((0, 1), (1, 0)):
            words = (hosts[source][1], hosts[target][1], arguments.mbit * 1e6 / 8, arguments.delay_ms / 1e3)
            multiprocessing.Process(target=carry, args=words, daemon=True).start()
        print(f"{arguments.mbit:g} Mbit/s, {arguments.delay_ms:g} ms each way", flush=True)
        ranks = [start_rank(namespace, rank, arguments.script) for rank, (namespace, _) in enumerate(hosts)]
        while all(rank.poll() is None for rank in ranks):
            time.sleep(0.1)
        return next((1 for rank in ranks if rank.poll() or rank.wait()), 0)
    finally:
        for rank in ranks:
            rank.kill()
        for carrier in multiprocessing.active_children():
            carrier.terminate()
        for namespace, _ in hosts:
            subprocess.run(["ip", "netns", "delete", namespace], check=False)


if __name__ == "__main__":
    sys.exit(main())
