"""Rendered HEVC in libde265, which shares no code with libavcodec: the same pictures, and nothing to find fault with.

The stream is handed over as a player does it: the parameter sets of the sample entry before its first sample. So does
FFmpeg's ``-c copy`` into other containers, which keeps every picture.
"""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

import ffzero
from support.encoding import ffmpeg
from support.media import ffmpeg_exe
from support.players import LIBDE265, need

RATE = 25
PICTURE_BYTES = 192 * 108 * 3 // 2
X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=10:min-keyint=10:scenecut=0:bframes=4"
KINDS = {
    "hvc1": f"{X265}:open-gop=0 -tag:v hvc1 -pix_fmt yuv420p",
    "hev1": f"{X265}:open-gop=0:radl=2 -tag:v hev1 -pix_fmt yuv420p",
    "open groups, hvc1": f"{X265}:open-gop=1:rc-lookahead=20 -tag:v hvc1 -pix_fmt yuv420p",
    "open groups, hev1": f"{X265}:open-gop=1:rc-lookahead=20 -tag:v hev1 -pix_fmt yuv420p",
    "sets in samples, hev1": f"{X265}:open-gop=0:repeat-headers=1 -tag:v hev1 -pix_fmt yuv420p",
    "10 bit": f"{X265}:open-gop=1:rc-lookahead=20 -tag:v hvc1 -pix_fmt yuv420p10le",
}
COPIES = ("mkv", "ts", "hevc")
RANGES = ((3, 36), (7, 18), (12, 29))
"""From a picture to before another; the last two are also joined."""


@pytest.fixture(scope="module", params=KINDS)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    need(LIBDE265)
    path = tmp_path_factory.mktemp(request.param) / "source.mp4"
    moving = f"testsrc2=s=192x108:r={RATE}:d=1.6"
    ffmpeg("-f", "lavfi", "-i", moving, *KINDS[request.param].split(), path)
    return path


def annex_b(path: Path) -> bytes:
    """Return the samples of a file's one track as a byte stream (H.265 Annex B)."""
    with ffzero.open(path) as movie:
        assert movie.media is not None
        (track,) = movie.media.box.tracks
    table, data = track.table, path.read_bytes()
    offsets, sizes = table.offsets_and_sizes(0, table.count)
    units: list[bytes] = []
    number = -1
    for sample, (offset, size) in enumerate(zip(offsets.tolist(), sizes.tolist(), strict=True)):
        (description,) = table.chunks.descriptions_between(sample, sample + 1)
        if description != number:
            number, hevc = description, track.entries[description].hevc
            assert hevc is not None
            units += [unit for _, some in hevc.arrays for unit in some]
        at, stop = offset, offset + size
        while at < stop:
            length = int.from_bytes(data[at : at + 4], "big")
            units.append(data[at + 4 : at + 4 + length])
            at += 4 + length
        assert at == stop
    return b"".join(b"\0\0\0\1" + unit for unit in units)


def libde265(path: Path) -> tuple[bytes, list[str]]:
    """Return the pictures of an MP4 file as libde265 decodes them, and all it says."""
    stream, pictures = path.with_suffix(".265"), path.with_suffix(".de265.yuv")
    stream.write_bytes(annex_b(path))
    decoder = shutil.which("libde265-dec265")
    assert decoder is not None
    run = subprocess.run(
        [decoder, "-q", "-o", str(pictures), str(stream)], capture_output=True, text=True, timeout=60, check=True
    )
    return pictures.read_bytes(), [*run.stdout.splitlines(), *run.stderr.splitlines()]


def libavcodec(path: Path) -> bytes:
    pictures = path.with_suffix(".libav.yuv")
    ffmpeg("-i", path, "-fps_mode", "passthrough", "-f", "rawvideo", pictures)
    return pictures.read_bytes()


def test_both_decoders_see_the_same_pictures(source: Path, tmp_path: Path) -> None:
    deep = "10 bit" in source.parent.name
    with ffzero.open(source) as movie:
        pieces = [movie[Fraction(first, RATE) : Fraction(stop, RATE)] for first, stop in RANGES]
        for number, clip in enumerate([*pieces, ffzero.concat(pieces[1:])]):
            output = tmp_path / f"{number}.mp4"
            result = clip.write(output, boundary="render")
            assert result.frames_rendered > 0 < result.frames_copied
            count = result.frames_copied + result.frames_rendered
            pictures, said = libde265(output)
            assert len(said) == 1 and said[0].startswith(f"nFrames decoded: {count} "), said
            assert len(pictures) == count * PICTURE_BYTES * (1 + deep)
            assert pictures == libavcodec(output)


def warnings_and_pictures(path: Path) -> tuple[str, bytes]:
    """Return what FFmpeg says of a file, and its pictures."""
    command = [ffmpeg_exe(), "-v", "warning", "-nostdin", "-i", str(path), "-fps_mode", "passthrough"]
    run = subprocess.run([*command, "-f", "rawvideo", "-"], capture_output=True, timeout=60, check=True)
    return run.stderr.decode(), run.stdout


def test_copies_in_other_containers_keep_every_picture(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    with ffzero.open(source) as movie:
        clip = ffzero.concat([movie[Fraction(first, RATE) : Fraction(stop, RATE)] for first, stop in RANGES])
        result = clip.write(output, boundary="render")
    with ffzero.open(output) as movie:
        assert movie.media is not None and movie.media.main_video is not None
        (entry,) = movie.media.main_video.entries
    assert entry.fourcc == ("hev1" if "hev1" in source.parent.name else "hvc1")
    assert entry.hevc is not None
    assert [len(entry.hevc.units(kind)) for kind in (32, 33, 34)] == [2, 2, 2]
    said, pictures = warnings_and_pictures(output)
    deep = "10 bit" in source.parent.name
    assert said == ""
    assert len(pictures) == (result.frames_copied + result.frames_rendered) * PICTURE_BYTES * (1 + deep)
    for form in COPIES:
        copy = output.with_suffix(f".{form}")
        ffmpeg("-i", output, "-c", "copy", copy)
        assert warnings_and_pictures(copy) == ("", pictures), form
