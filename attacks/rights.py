"""What root may do, given away: root writes everywhere, so that a closed folder closes nothing (Linux alone)."""

from __future__ import annotations

import ctypes
import os

__all__ = ["STRANGER", "powerless", "stranger"]

STRANGER = 54321
"""A user who is in no list of users."""
_VERSION, _KEEP, _OVERRIDE = 0x20080522, 8, 1 << 1  # from linux/capability.h and linux/prctl.h


def powerless() -> None:
    """Root from here on with the rights of an owner, and no others."""
    _keep(0)


def stranger() -> None:
    """From here on a user without a name, who may still read what root may: Python itself may lie in root's home."""
    ctypes.CDLL(None).prctl(_KEEP, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(STRANGER)
    os.setuid(STRANGER)
    _keep(_OVERRIDE)


def _keep(capabilities: int) -> None:
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    data = (ctypes.c_uint32 * 6)(capabilities, capabilities, 0, 0, 0, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, data):
        raise OSError(ctypes.get_errno(), "capset")
