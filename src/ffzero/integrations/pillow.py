"""Frames as Pillow images."""

from __future__ import annotations

from typing import Any

from ffzero.edits.frame_values import Frame
from ffzero.errors import UsageError

__all__ = ["image_of"]

_MODES = {"gray": ("L", "L"), "rgba": ("RGBA", "RGBA"), "rgb24": ("RGB", "RGB"), "rgb0": ("RGBX", "RGBX")}


def image_of(frame: Frame) -> Any:
    """Return a frame as a ``PIL.Image.Image``.

    ``gray``, ``rgba`` and ``rgb0`` share the frame's memory (copy the image before you change it). Pillow keeps RGB in
    four bytes a pixel, so ``rgb24`` is copied: take ``rgb0`` instead.
    """
    from PIL import Image

    if frame.format not in _MODES:
        raise UsageError(f"Pillow images are not made of {frame.format}", expected=", ".join(_MODES))
    mode, raw = _MODES[frame.format]
    plane = frame.video_frame.planes[0]
    return Image.frombuffer(mode, (frame.width, frame.height), plane, "raw", raw, plane.line_size, 1)
