"""What other pictures are to be coded like: a track's sample entry, and one of its pictures as a decoder shows it."""

from __future__ import annotations

from av.video.frame import VideoFrame

from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.edits.rendering import PictureJob, Target
from ffzero.errors import UnsupportedError
from ffzero.frames.pictures.decode import pictures
from ffzero.reporting import CancelToken
from ffzero.values import dataclass

__all__ = ["Model", "model_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """``job`` is the one picture that was decoded to see what they are like."""

    job: PictureJob
    entry: SampleEntry
    frame: VideoFrame


def model_of(target: Target, cancel: CancelToken | None = None) -> Model:
    """Decode one picture of a target. Raises ``DecodeError``, ``UnsupportedError``."""
    track = target.track
    sample = _first_key(target)
    pts = track.table.pts(sample)
    job = PictureJob(
        media=target.media,
        track=track,
        decode_first=sample,
        decode_stop=sample + 1,
        pts_first=pts,
        pts_stop=pts + 1,
        frames=1,
    )
    ((entry, frame),) = pictures(job, cancel=cancel)
    return Model(job=job, entry=entry, frame=frame)


def _first_key(target: Target) -> int:
    """Return the first sample of the target's entry at which a decoder can start."""
    track = target.track
    keys = track.table.sync_candidates()
    for sample in range(track.table.count) if keys is None else keys.tolist():
        if track.table.chunks.descriptions_between(sample, sample + 1) == [target.description]:
            return sample
    raise UnsupportedError(f"track {track.id} has no key picture to be matched", path=target.media.name)
