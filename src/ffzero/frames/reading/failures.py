"""Errors of decoding that say which track, sample and time."""

from __future__ import annotations

from fractions import Fraction

from ffzero.containers.isobmff.model import Track
from ffzero.edits.media import Media
from ffzero.errors import DecodeError

__all__ = ["sample_error"]


def sample_error(media: Media, track: Track, sample: int, what: str) -> DecodeError:
    """Return the error of one sample; its time is the movie's where an edit shows it, else the track's own."""
    pts = track.table.pts(min(max(sample, 0), track.table.count - 1))
    shift = next((span.shift for span in media.spans(track) if span.media_start <= pts < span.media_stop), 0)
    time = float(Fraction(pts + shift, track.timescale))
    return DecodeError(f"track {track.id}, sample {sample}, at {time:.3f} s: {what}", path=media.name)
