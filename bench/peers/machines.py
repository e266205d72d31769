"""Machines on a network of their own, made of Linux namespaces on this one: nothing of it is to be seen outside.

Each has its own network and processes; all are joined by a bridge, on which we are the first. Made by
:data:`APART` and :func:`joined`, and gone with the process that made them.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from socket import socket

ALONE = ("unshare", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc")
"""A command that begins so has processes of its own; all of them die with it, however it ends."""
APART = (*ALONE, "--net")
"""A command that begins so is a machine by itself, without any network."""
ANEW = ("sh", "-c", 'for _ in 1 2 3 4 5; do "$@" && exit; sleep 1; done; exit 1', "sh")
"""A command that begins so is begun again where it fails, five times in all."""
ADDRESS = "10.77.0.{}"
"""Of the machine of that number; we are number 1."""


def alone(command: Sequence[str]) -> list[str]:
    """``command`` on this machine's network, :data:`ALONE`: what it leaves in shared memory goes with it too."""
    return [*ALONE, "sh", "-c", 'mount -t tmpfs tmpfs /dev/shm && exec "$@"', "sh", *command]


def bridge(own: str) -> None:
    """Begin a network. Only for who is :data:`APART`. ``own``: as in :func:`joined`."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", own], check=True)  # noqa: S603, S607 (our own command)
    _ip("link", "set", "lo", "up")
    _ip("link", "add", "bridge", "type", "bridge")
    _ip("address", "add", f"{ADDRESS.format(1)}/24", "dev", "bridge")
    _ip("link", "set", "bridge", "up")


def joined(number: int, own: str, command: Sequence[str]) -> list[str]:
    """``command`` as machine ``number``: it begins as soon as :func:`join` has put it on the network.

    What it puts into the directory ``own`` is its own: nobody else sees it, and it goes with it.
    """
    disk = f"mount -t tmpfs tmpfs {own}"
    until = "until ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done"
    address = f"ip address add {ADDRESS.format(number)}/24 dev eth0"
    steps = f'{disk} && {until}; ip link set lo up && {address} && ip link set eth0 up && exec "$@"'
    return [*APART, "sh", "-c", steps, "sh", *command]


def join(number: int, pid: int) -> None:
    """Lay a cable from the bridge to the machine that the process ``pid`` is, or is about to be."""
    while _network(pid) == _network(os.getpid()):
        time.sleep(0.01)  # a busy machine is slow to begin it, and the cable would end here
    cable = f"cable{number}"
    _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    _ip("link", "set", cable, "master", "bridge", "up")


def _network(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)  # noqa: S603, S607 (our own command)


async def passed_on(listening: socket, host: str, port: int) -> None:
    """Pass on to ``host`` and ``port`` here what comes in at a socket of the machine around us, for ever."""

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copied(reader, there[1]), _copied(there[0], writer))

    server = await asyncio.start_server(accepted, sock=listening)
    await server.serve_forever()


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
