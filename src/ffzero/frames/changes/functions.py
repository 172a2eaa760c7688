"""Pictures through a Python function that ``apply`` was given: RGB, one by one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame

from ffzero.edits.rendering import PictureFunction
from ffzero.errors import FFZeroError, UsageError
from ffzero.frames.changes.forms import RgbForm

__all__ = ["FunctionEffect"]


class FunctionEffect:
    """Applies a function to pictures of one size and format. What it leaves alone stays as it was, to the bit."""

    def __init__(self, function: PictureFunction, like: VideoFrame) -> None:
        self._function = function
        self._name = getattr(function, "__name__", "the function")
        self._form = RgbForm(like)

    def apply(self, frame: VideoFrame, time_s: Fraction) -> VideoFrame:
        """Return the frame with what the function made of it. Raises ``UsageError`` for what is no picture."""
        (picture,) = self._form.opened(frame)
        return self._form.changed(frame, None, (self._called(picture, time_s),))

    def _called(self, picture: np.ndarray, time_s: Fraction) -> np.ndarray:
        shape, dtype = picture.shape, picture.dtype
        try:
            found = self._function(picture, time_s)
        except FFZeroError:
            raise
        except Exception as error:
            raise UsageError(
                f"{self._name} failed at {float(time_s):.3f} s of its effect: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype != dtype:
            what = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
            raise UsageError(
                f"{self._name} did not return a picture at {float(time_s):.3f} s of its effect",
                expected=f"a numpy array, {dtype} {shape}",
                found=what,
            )
        return found
