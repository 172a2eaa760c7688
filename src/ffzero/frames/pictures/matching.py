"""Which encoder codes pictures like a source's, and how."""

from __future__ import annotations

from collections.abc import Callable

from ffzero.errors import UnsupportedError
from ffzero.frames.pictures.av1 import av1_recipe
from ffzero.frames.pictures.h264 import h264_recipe
from ffzero.frames.pictures.hevc import hevc_recipe
from ffzero.frames.pictures.intra import mjpeg_recipe, png_recipe, prores_recipe
from ffzero.frames.pictures.mpeg import mpeg1_recipe, mpeg2_recipe, mpeg4_recipe
from ffzero.frames.pictures.recipes import Recipe
from ffzero.frames.pictures.source import Source
from ffzero.frames.pictures.vpx import vp8_recipe, vp9_recipe

__all__ = ["recipe_for"]

_RECIPES: dict[str, Callable[[Source], Recipe]] = {
    "av1": av1_recipe,
    "h264": h264_recipe,
    "hevc": hevc_recipe,
    "mjpeg": mjpeg_recipe,
    "mpeg1video": mpeg1_recipe,
    "mpeg2video": mpeg2_recipe,
    "mpeg4": mpeg4_recipe,
    "png": png_recipe,
    "prores": prores_recipe,
    "vp8": vp8_recipe,
    "vp9": vp9_recipe,
}


def recipe_for(source: Source) -> Recipe:
    """Return how to code pictures like those of ``source``.

    Raises ``UnsupportedError`` with the reason where no encoder makes such pictures.
    """
    make = _RECIPES.get(source.entry.codec)
    if make is None:
        raise UnsupportedError(f"pictures of codec {source.entry.codec} cannot be coded anew")
    return make(source)
