"""Rendered pictures before and after copied ones, in one decoder, for the codecs whose headers change at the seam.

A player hands a decoder the sample entry's headers where it changes; here they stand before the first sample after the
seam, which is the same to it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.edits.rendering import CodedPictures, PictureJob
from support.media import ffmpeg_exe
from support.renders import decode, entry_of_coded, job_at, opened, render, source_samples

X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=10:min-keyint=10:scenecut=0:open-gop=0"
KINDS = {
    "h264.mp4": "-c:v libx264 -preset veryfast -g 10 -bf 2 -pix_fmt yuv420p",
    "hevc.mp4": f"{X265}:bframes=3 -tag:v hvc1",
    "hevc 10 bit.mp4": f"{X265}:bframes=3:radl=2 -pix_fmt yuv420p10le -tag:v hev1",
    "vp9.mp4": "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -g 10 -b:v 600k",
    "av1.mp4": "-c:v libsvtav1 -preset 12 -g 10 -pix_fmt yuv420p10le",
    "mpeg2.mp4": "-c:v mpeg2video -g 10 -bf 2 -q:v 4 -flags +cgop -sc_threshold 1000000000",
    "mpeg4.mp4": "-c:v mpeg4 -g 10 -bf 2 -q:v 4 -flags +cgop -sc_threshold 1000000000",
    "mpeg4 quarter pixel.mp4": "-c:v mpeg4 -g 10 -bf 2 -q:v 4 -flags +cgop+qpel -mpeg_quant 1 -sc_threshold 1000000000",
}


def made(folder: Path, name: str) -> Path:
    path = folder / name
    argv = [ffmpeg_exe(), "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=192x108:r=25:d=1.6"]
    subprocess.run([*argv, *KINDS[name].split(), str(path)], check=True, timeout=60, capture_output=True)
    return path


def headers(entry: SampleEntry) -> bytes:
    """Return what an entry tells a decoder, as it would stand inside a sample."""
    if entry.hevc is not None:
        nals = [nal for _, units in entry.hevc.arrays for nal in units]
        return b"".join(len(nal).to_bytes(entry.nal_length_size or 4) + nal for nal in nals)
    return entry.boxes["av1C"][4:] if entry.codec == "av1" else b""


def prefixed(samples: list[tuple[int, bytes]], prefix: bytes) -> list[tuple[int, bytes]]:
    (pts, first), *rest = samples
    return [(pts, first if prefix and first.startswith(prefix[:4]) else prefix + first), *rest]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("rendered_first", [True, False])
def test_every_picture_comes_out_over_the_seam(tmp_path: Path, name: str, rendered_first: bool) -> None:
    media = opened(made(tmp_path, name))
    (track,) = media.box.tracks
    keys = track.table.sync_candidates()
    assert keys is not None
    first, stop = (int(keys[2]), int(keys[3])) if rendered_first else (int(keys[0]), int(keys[1]))
    job = job_at(media, track, 0.25 if rendered_first else 0.7, 6)
    coded = render(job)
    ours = list(zip(coded.pts, coded.samples, strict=True))
    copied = source_samples(job, first, stop)
    alone = decode(track.entries[0], copied)
    if rendered_first:
        both = decode(entry_of_coded(job, coded), ours + prefixed(copied, back(job, coded)))
        seen, pts = both[len(ours) :], [*coded.pts, *np.sort([pts for pts, _ in copied])]
    else:
        entry = track.entries[0] if coded.entry is not None else entry_of_coded(job, coded)
        both = decode(entry, copied + prefixed(ours, headers(entry_of_coded(job, coded)) if coded.entry else b""))
        seen, pts = both[: len(copied)], [*np.sort([pts for pts, _ in copied]), *coded.pts]
    assert [picture.pts for picture in both] == pts
    assert [picture.digest for picture in seen] == [picture.digest for picture in alone]


def back(job: PictureJob, coded: CodedPictures) -> bytes:
    """Return what stands before the copied samples."""
    return coded.restore or (headers(job.track.entries[0]) if coded.entry is not None else b"")
