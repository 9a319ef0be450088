"""The System V segment by which PostgreSQL notices a second postmaster; kill -9 leaves it behind."""

from __future__ import annotations

import ctypes

IPC_RMID = 0  # <sys/ipc.h>, the same on Linux and macOS


def remove_segment(segment: int) -> None:
    """Remove the segment with this id, if it is there and ours; it goes when its last user detaches."""
    ctypes.CDLL(None).shmctl(ctypes.c_int(segment), ctypes.c_int(IPC_RMID), None)
