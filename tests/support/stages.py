"""Functions that tests send to other processes."""

from __future__ import annotations

import os
import signal
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

__all__ = ["Killing", "KillsOnce", "Touches", "busy", "invert", "raises", "sleeps"]


def invert(picture: np.ndarray, time_s: Fraction) -> np.ndarray:
    return 255 - picture


def raises(picture: np.ndarray, time_s: Fraction) -> np.ndarray:
    if time_s > 1:
        raise ValueError("no such colour")
    return picture


def sleeps(picture: np.ndarray, time_s: Fraction) -> np.ndarray:
    time.sleep(0.5)
    return picture


def busy(picture: np.ndarray, time_s: Fraction) -> np.ndarray:
    """Compute for some 12 ms on one core."""
    stop = time.thread_time() + 0.012
    while time.thread_time() < stop:
        np.sqrt(picture[:32].astype(np.float64)).sum()
    return 255 - picture


class KillsOnce:
    """Inverts; the first worker that comes to a second of it dies by SIGKILL. ``mark`` is a file of that."""

    def __init__(self, mark: Path, parent: int) -> None:
        self.mark = str(mark)
        self.parent = parent

    def __call__(self, picture: np.ndarray, time_s: Fraction) -> np.ndarray:
        if time_s > 1 and os.getpid() != self.parent:
            try:
                os.close(os.open(self.mark, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return 255 - picture


class Killing:
    """Work of a unit that no worker survives."""

    def __call__(self, desk: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Touches:
    """Makes the source another file as soon as it is asked for a picture."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __call__(self, picture: np.ndarray, time_s: Fraction) -> np.ndarray:
        os.utime(self.path, ns=(1, 1))
        return picture
