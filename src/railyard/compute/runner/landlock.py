"""Landlock: a process gives up writing outside a few folders, for itself and all it starts. Linux 5.13 and later.

Where the kernel has none, code of one attempt can write wherever its user can: the local executor is one trust domain.
Reading is not restricted.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_BENEATH = 1
_VERSION_QUERY = 1
_PR_SET_NO_NEW_PRIVS = 38
# Bits of include/uapi/linux/landlock.h: write a file; remove and make directory entries of every kind.
_WRITES = 1 << 1 | sum(1 << bit for bit in range(4, 13))
_REFER, _TRUNCATE = 1 << 13, 1 << 14


class _Rules(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def write_only_below(folders: Iterable[Path]) -> bool:
    """From now on this process writes below these folders only. False where the kernel cannot hold it to that."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION_QUERY)
    if version < 1:
        return False
    access = _WRITES | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    rules = _Rules(access)
    ruleset = libc.syscall(_CREATE, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    if ruleset < 0:
        return False
    try:
        for folder in folders:
            if not folder.is_dir():
                continue
            parent = os.open(folder, os.O_PATH | os.O_CLOEXEC)
            try:
                beneath = _Beneath(access, parent)
                if libc.syscall(_ADD, ruleset, _BENEATH, ctypes.byref(beneath), 0) != 0:
                    return False
            finally:
                os.close(parent)
        # Without this promise only root may restrict itself.
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0) != 0:
            return False
        return bool(libc.syscall(_RESTRICT, ruleset, 0) == 0)
    finally:
        os.close(ruleset)
