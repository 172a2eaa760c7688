"""Joins whose copied part begins at a picture at which no decoder starts afresh, behind coded pictures of any kind.

FFmpeg and PyAV are the judges: every picture in its place and order, near the source's, and nothing to complain of.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import ffzero
from ffzero.frames.pictures import decode
from ffzero.frames.reading import tracks
from support.media import ffmpeg_exe
from support.shown import psnr_db, shown
from support.written_joins import renders

X264 = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -x264-params keyint=20:min-keyint=20:scenecut=0:"
X265 = "-c:v libx265 -preset ultrafast -tag:v hvc1 -x265-params log-level=none:keyint=20:min-keyint=20:scenecut=0:"
SOURCE = "testsrc2=s={size}:r=25:d=3"
KINDS = {
    "open": X264 + "open-gop=1:bframes=3",
    "other sets": X264 + "open-gop=1:bframes=2:cabac=0:8x8dct=0:ref=2",
    "main": "-profile:v main " + X264 + "open-gop=1:bframes=3",
    "fields": "-flags +ildct+ilme " + X264 + "open-gop=1:bframes=2",
    "closed": X264 + "bframes=2",
    "lossless": X264 + "qp=0:open-gop=1:bframes=2",
    "small": X264 + "bframes=2",
    "shallow": X264 + "open-gop=1:bframes=1:b-adapt=0",
    "deep": X264 + "bframes=3:b-adapt=0",
    "hevc": X265 + "open-gop=1:bframes=3",
    "slices": X265 + "open-gop=1:bframes=3:slices=2",
}
SIZES = {"small": "128x96"}
Piece = tuple[str, str, str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("open groups")


def made(folder: Path, name: str) -> Path:
    """Return a file of a kind; ``name`` ending in ``'`` shows something else by the same coding."""
    path = folder / f"{name}.mp4"
    if not path.exists():
        kind = name.rstrip("'")
        show = SOURCE.format(size=SIZES.get(kind, "192x144")) + (",negate" if name != kind else "")
        argv = [ffmpeg_exe(), "-nostdin", "-v", "error", "-f", "lavfi", "-i", show, *KINDS[kind].split(), str(path)]
        subprocess.run(argv, check=True, capture_output=True, timeout=60)
    return path


def check(folder: Path, output: Path, pieces: Sequence[Piece], boundary: str) -> int:
    """Write a join, whole groups of pictures of 1/25 s, and look at each picture; return how many were coded."""
    clip = ffzero.concat([ffzero.open(made(folder, name))[Fraction(a) : Fraction(b)] for name, a, b in pieces])
    result = clip.write(output, boundary=boundary, overwrite=True)
    wanted = [
        picture
        for name, a, b in pieces
        for picture in shown(made(folder, name))
        if Fraction(a) <= picture.time < Fraction(b)
    ]
    got = shown(output)
    assert [picture.time for picture in got] == [Fraction(number, 25) for number in range(len(wanted))]
    alike = [(mine, yours) for mine, yours in zip(got, wanted, strict=True) if mine.width == yours.width]
    assert min(psnr_db(mine.data, yours.data) for mine, yours in alike) >= 45
    assert sum(not np.array_equal(mine.data, yours.data) for mine, yours in alike) <= result.frames_rendered
    argv = [ffmpeg_exe(), "-nostdin", "-v", "warning", "-i", str(output), "-map", "0:v", "-fps_mode", "passthrough"]
    argv += ["-enc_time_base", "demux", "-f", "null", "-"]
    assert subprocess.run(argv, capture_output=True, timeout=60).stderr == b""
    return result.frames_rendered


JOINS: dict[str, list[Piece]] = {
    "coded like the open file": [("small", "0", "0.6"), ("open", "0.8", "2")],
    "one picture coded like it": [("small", "0.2", "0.24"), ("open", "0.8", "2")],
    "coded like another's": [("open", "0.12", "1.6"), ("small", "0", "0.4"), ("open'", "0.8", "1.6")],
    "coded like a profile of more": [("open", "0.12", "1.6"), ("small", "0", "0.4"), ("main", "0.8", "1.6")],
    "another file": [("open", "0.12", "0.48"), ("open'", "0.8", "2")],
    "another file's sets": [("open", "0.12", "0.48"), ("other sets", "0.8", "2")],
    "a closed one, then fields": [("closed", "0.12", "0.48"), ("fields", "0.8", "2")],
    "fields, then none": [("fields", "0.12", "0.48"), ("open", "0.8", "2")],
    "groups of each": [("open", "0.8", "1.6"), ("other sets", "0.8", "1.6"), ("main", "1.6", "2.4")],
    "one picture between": [("open", "0.12", "1"), ("open'", "0.8", "0.84"), ("open", "0.8", "1.6")],
    "with loss, then without": [("open", "0.12", "0.48"), ("lossless", "0.8", "2")],
    "without loss, then with": [("lossless", "0.12", "0.48"), ("open", "0.8", "2")],
    "HEVC, coded like it": [("small", "0", "0.6"), ("hevc", "0.8", "2")],
    "HEVC in slices": [("slices", "0.28", "1.28"), ("slices'", "1.08", "2")],
    "HEVC, of two": [("hevc", "0.28", "1.28"), ("slices", "0.8", "2")],
}


@pytest.mark.parametrize("name", JOINS)
def test_what_is_copied_goes_on_from_coded_pictures(folder: Path, tmp_path: Path, name: str) -> None:
    for boundary in ("auto", "render"):
        coded = check(folder, tmp_path / "out.mp4", JOINS[name], boundary)
        assert coded < len(shown(tmp_path / "out.mp4")), "something is copied"


def test_no_more_than_one_group_is_coded_where_sets_do_not_fit(folder: Path) -> None:
    """A decoder of the Main profile need not know High's tools: its first group is coded, and what comes goes on."""
    pieces = JOINS["coded like a profile of more"]
    clip = ffzero.concat([ffzero.open(made(folder, name))[Fraction(a) : Fraction(b)] for name, a, b in pieces])
    assert [render.frames for render in renders(clip.plan()) if render.piece == 2] == [20]


def test_fields_become_frames_at_their_own_times(folder: Path, tmp_path: Path) -> None:
    """FFmpeg's deinterlacers give times in half ticks."""
    check(folder, tmp_path / "out.mp4", [("small", "0", "2"), ("fields", "0.8", "1.6")], "auto")


def test_a_shallow_take_before_a_deep_one_is_decoded_in_time(folder: Path, tmp_path: Path) -> None:
    """Its last sample would be decoded at the very time of the deeper one's first: nothing is shown before that."""
    assert check(folder, tmp_path / "out.mp4", [("shallow", "0.76", "0.92"), ("deep", "0", "1")], "render") == 1
    with av.open(str(tmp_path / "out.mp4")) as container:
        times = [(packet.dts, packet.pts) for packet in container.demux(video=0) if packet.size]
    assert all(dts is not None and pts is not None and dts <= pts for dts, pts in times)


@pytest.mark.parametrize("cores", [2, 8])
def test_slices_of_pictures_that_are_skipped_are_no_damage(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    """Several threads tell of a RASL picture's second slice while they are given others: in cuts and in reading."""
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    path = made(folder, "slices")
    source = shown(path)
    for start, end in ((22, 33), (20, 24), (45, 60), (21, 75)):
        cut = ffzero.open(path)[Fraction(start, 25) : Fraction(end, 25)]
        cut.write(tmp_path / "cut.mp4", boundary="render", overwrite=True)
        assert len(shown(tmp_path / "cut.mp4")) == end - start
        read = [frame.time for frame in ffzero.open(path).frames(Fraction(start, 25), Fraction(end, 25))]
        assert read == [picture.time for picture in source[start:end]]


def test_only_those_are_left_out(folder: Path) -> None:
    media = ffzero.open(made(folder, "slices")).media
    assert media is not None and tracks.undecodable_leading is decode.undecodable_leading
    (track,) = media.box.tracks
    keys = [int(key) for key in track.table.sync_candidates()]  # type: ignore[union-attr]
    found = decode.undecodable_leading(media, track, keys[1], track.table.count)
    leading = {sample for sample in range(keys[1], keys[2]) if track.table.pts(sample) < track.table.pts(keys[1])}
    assert found == leading and found
    assert decode.undecodable_leading(media, track, keys[0], track.table.count) == frozenset()
