"""Sound through an FFmpeg filter chain, by the FFmpeg program. As many samples come out as go in."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import numpy as np

from ffzero.errors import FFZeroError, UsageError
from ffzero.frames.programs import FilterProgram, start_filter

__all__ = ["FilteredSound"]

_CHUNK = 1 << 15
_SAMPLE_BYTES = 4


class FilteredSound:
    """What a chain makes of samples ``[first, stop)`` of ``read``, read at rising places.

    ``read`` is called from another thread. ``layout`` is FFmpeg's name of the channels' layout. Raises ``UsageError``
    where FFmpeg refuses the chain or samples are missing at the end.
    """

    def __init__(
        self, chain: str, read: Callable[[int, int], np.ndarray], first: int, stop: int, rate: int, layout: str
    ) -> None:
        self.at = first
        """Where what was filtered and not yet read begins."""
        self._chain = chain
        self._source = read
        self._first, self._stop = first, stop
        self._error: BaseException | None = None
        form = ("-f", "f32le", "-ar", str(rate), "-ch_layout", layout)
        shape = f"aformat=sample_rates={rate}:channel_layouts={layout}"
        arguments = [*form, "-i", "pipe:0", "-af", f"{chain},{shape}", "-f", "f32le", "-c:a", "pcm_f32le", "pipe:1"]
        self._program: FilterProgram = start_filter(arguments, chain)
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        try:
            for at in range(self._first, self._stop, _CHUNK):
                block = self._source(at, min(at + _CHUNK, self._stop))
                self._program.stdin.write(np.ascontiguousarray(block, "<f4").tobytes())
        except OSError:
            pass  # FFmpeg has ended; what it said is told where its output ends
        except BaseException as error:  # told in the thread that reads
            self._error = error
        with contextlib.suppress(OSError, ValueError):
            self._program.stdin.close()

    def read(self, low: int, high: int, channels: int) -> np.ndarray:
        """Return samples ``[low, high)``, float32 of shape (samples, channels); ``low`` never falls."""
        size = (high - self.at) * channels * _SAMPLE_BYTES
        data = bytearray()
        while len(data) < size:
            found = self._program.read(size - len(data))
            if not found:
                raise self._failure(len(data) // channels // _SAMPLE_BYTES)
            data += found
        out = np.frombuffer(data, "<f4").reshape(-1, channels)[low - self.at :]
        self.at = high
        return out

    def close(self) -> None:
        """End the program, however far it is."""
        self._program.end()

    def _failure(self, samples: int) -> BaseException:
        failure: FFZeroError | None = self._program.failure()
        if self._error is not None:
            return self._error
        return failure or UsageError(
            f"the sound filter {self._chain!r} returned only {self.at + samples - self._first} samples of "
            f"{self._stop - self._first}",
            hint="Filters that change how long sound lasts cannot be used on a range",
        )
