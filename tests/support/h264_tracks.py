"""H.264 tracks that x264 makes, their NAL units, and what FFmpeg says and shows of them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from ffzero.containers.nal import RandomAccess, classify_access_unit, iter_length_prefixed
from support.media import ffmpeg_exe

__all__ = ["SLICE_TYPES", "X264", "Track", "annex_b", "decoded", "read_track", "units"]


SLICE_TYPES = frozenset({1, 2, 5})


@dataclass(frozen=True, kw_only=True)
class Track:
    """Samples in decoding order with their pts, and the parameter sets of the ``avcC``."""

    pts: list[int]
    samples: list[bytes]
    length_size: int
    sets: list[bytes]

    def open_points(self) -> list[int]:
        kinds = [classify_access_unit("h264", sample, self.length_size).random_access for sample in self.samples]
        return [i for i, kind in enumerate(kinds) if i and kind is RandomAccess.OPEN]

    def kept(self, cut: int, *, leading: bool) -> list[bytes]:
        pairs = zip(self.pts[cut:], self.samples[cut:], strict=True)
        return [sample for pts, sample in pairs if leading or pts >= self.pts[cut]]


def read_track(path: Path) -> Track:
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        avcc = stream.codec_context.extradata
        packets = [packet for packet in file.demux(stream) if packet.size]
    assert avcc is not None
    assert all(packet.pts is not None for packet in packets)
    return Track(
        pts=[packet.pts or 0 for packet in packets],
        samples=[bytes(packet) for packet in packets],
        length_size=(avcc[4] & 3) + 1,
        sets=avcc_sets(avcc),
    )


def avcc_sets(avcc: bytes) -> list[bytes]:
    """Return the SPS and PPS of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1)."""
    sets, position, count = [], 6, avcc[5] & 31
    for _ in range(2):
        for _ in range(count):
            size = int.from_bytes(avcc[position : position + 2])
            sets.append(avcc[position + 2 : position + 2 + size])
            position += 2 + size
        count, position = avcc[position] if position < len(avcc) else 0, position + 1
    return sets


def units(sample: bytes, length_size: int) -> list[bytes]:
    return [sample[a : a + n] for a, n in iter_length_prefixed(sample, length_size)]


def annex_b(track: Track, samples: Sequence[bytes]) -> bytes:
    units = [s[a : a + n] for s in samples for a, n in iter_length_prefixed(s, track.length_size)]
    return b"".join(b"\0\0\0\1" + unit for unit in [*track.sets, *units])


def decoded(stream: bytes) -> tuple[str, list[str]]:
    """Return what FFmpeg says at ``-v warning`` and the MD5 of each frame that it shows."""
    command = [ffmpeg_exe(), "-v", "warning", "-threads", "1", "-f", "h264", "-i", "-", "-fps_mode", "passthrough"]
    done = subprocess.run([*command, "-f", "framemd5", "-"], input=stream, capture_output=True, timeout=60, check=True)
    lines = done.stdout.decode().splitlines()
    return done.stderr.decode(), [line.split(",")[-1].strip() for line in lines if line and line[0] != "#"]


GOP = "keyint=20:min-keyint=10:open-gop=1:scenecut=0:b-adapt=0:"
DEEP = GOP + "bframes=3:b-pyramid=normal:ref=4"
SMALL = "cabac=0:crf=51:slices=4:"  # CAVLC slices too short for an I_PCM macroblock
X264: dict[str, tuple[str, str]] = {
    "two B": ("", GOP + "bframes=2:ref=4"),
    "strict": ("", GOP + "bframes=5:b-pyramid=strict:ref=6"),
    "one reference": ("", GOP + "bframes=3:b-pyramid=normal:ref=1"),
    "no pyramid": ("", GOP + "bframes=3:b-pyramid=none:ref=3"),
    "MBAFF": ("", DEEP + ":tff=1"),
    "slices": ("", DEEP + ":slices=4"),
    "10 bit": ("-pix_fmt yuv420p10le", DEEP),
    "weighted": ("-vf fade=in:0:60", DEEP + ":weightp=2:weightb=1"),
    "4:4:4": ("-pix_fmt yuv444p", DEEP),
    "CAVLC": ("", SMALL + GOP + "bframes=2:ref=4"),
    "CAVLC deep": ("", SMALL + GOP + "bframes=5:b-pyramid=strict:ref=6"),
    "CAVLC weighted MBAFF": ("-vf fade=in:0:60", SMALL + DEEP + ":weightp=2:tff=1"),
    "large CAVLC": ("", "cabac=0:crf=20:" + GOP + "bframes=2:ref=4"),
    "large CAVLC deep": ("", "cabac=0:crf=20:" + GOP + "bframes=5:b-pyramid=strict:ref=6"),
    "large CAVLC slices": ("", "cabac=0:crf=20:slices=2:" + DEEP),
}
