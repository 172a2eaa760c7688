"""Times written into pictures: digits of five by seven dots, so that no font is needed."""

from __future__ import annotations

import numpy as np

__all__ = ["draw_label"]

_GLYPHS = {
    "0": "01110 10001 10011 10101 11001 10001 01110",
    "1": "00100 01100 00100 00100 00100 00100 01110",
    "2": "01110 10001 00001 00110 01000 10000 11111",
    "3": "11110 00001 00001 01110 00001 00001 11110",
    "4": "00010 00110 01010 10010 11111 00010 00010",
    "5": "11111 10000 11110 00001 00001 10001 01110",
    "6": "01110 10000 10000 11110 10001 10001 01110",
    "7": "11111 00001 00010 00100 01000 01000 01000",
    "8": "01110 10001 10001 01110 10001 10001 01110",
    "9": "01110 10001 10001 01111 00001 00001 01110",
    ":": "0 0 1 0 1 0 0",
    ".": "0 0 0 0 0 0 1",
}
_DOTS_HIGH = 7
_SHARE = 18
"""A tile's height to a label's."""


def draw_label(tile: np.ndarray, text: str) -> None:
    """Write a time, white on a darkened ground, into the lower right corner of an RGB picture, in place.

    Nothing is written where it does not fit.
    """
    dots = _dots(text)
    scale = max(1, min(tile.shape[0] // _SHARE // _DOTS_HIGH, (tile.shape[1] - 2) // dots.shape[1]))
    shape = np.kron(dots, np.ones((scale, scale), bool))
    height, width = shape.shape
    if height >= tile.shape[0] or width >= tile.shape[1]:
        return
    ground = tile[-height:, -width:]
    ground //= 3
    ground[shape] = 255


def _dots(text: str) -> np.ndarray:
    """Return the text as dots, one dot of ground around it and between its characters."""
    gap = np.zeros((_DOTS_HIGH, 1), bool)
    parts = [gap]
    for char in text:
        rows = [[dot == "1" for dot in row] for row in _GLYPHS[char].split()]
        parts += [np.array(rows), gap]
    return np.pad(np.hstack(parts), ((1, 1), (0, 0)))
