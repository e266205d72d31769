"""Becomes another program: as an unprivileged account, and gone when its parent is.

Run as a script of its own, with nothing but the standard library::

    python launch.py [--user UID:GID] [--capability NUMBER] [--with-parent SIGNAL] PROGRAM [ARGUMENT ...]

PostgreSQL refuses to run as root. Started by root it becomes UID, and keeps at most the one capability
(capabilities(7)) by which that account passes through directories that only root may enter.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import struct
import sys

NOT_PERMITTED = 77
"""Exit status (sysexits.h, EX_NOPERM): the account could not be changed, or the program not started."""

# <linux/prctl.h>, <linux/securebits.h>, <linux/capability.h>
PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--user")
    parser.add_argument("--capability", type=int)
    parser.add_argument("--with-parent", type=lambda name: signal.Signals[name])
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    try:
        if options.user:
            uid, gid = map(int, options.user.split(":"))
            become(uid, gid, options.capability)
        if options.with_parent and sys.platform == "linux":
            prctl(PR_SET_PDEATHSIG, options.with_parent)  # after the change of account, which clears it
        os.execv(options.command[0], options.command)  # noqa: S606 - the whole purpose
    except OSError as error:
        sys.stderr.write(f"{options.command[0]} cannot be started: {error}\n")
        sys.exit(NOT_PERMITTED)


def become(uid: int, gid: int, capability: int | None) -> None:
    """Change the account for good. Raises OSError where the system does not permit it."""
    if capability is not None:
        # access(2) asks with the real user's rights, and forgets the capability unless told not to.
        prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if sys.platform == "linux":
        keep_only(capability)


def keep_only(capability: int | None) -> None:
    """Give up every capability but this one, which then passes through execve(2)."""
    held = 0 if capability is None else 1 << capability
    low, high = held & 0xFFFFFFFF, held >> 32
    header = ctypes.create_string_buffer(struct.pack("=Ii", CAPABILITY_VERSION_3, 0))
    # effective, permitted, inheritable: the low 32 bits of each, then the high ones
    sets = ctypes.create_string_buffer(struct.pack("=6I", low, low, low, high, high, high))
    if ctypes.CDLL(None, use_errno=True).capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset refused")
    if capability is not None:
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def prctl(option: int, *arguments: int) -> None:
    given = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    if ctypes.CDLL(None, use_errno=True).prctl(option, *given):
        raise OSError(ctypes.get_errno(), f"prctl {option} refused")


if __name__ == "__main__":
    main()
