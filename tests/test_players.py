"""Cuts play where FFmpeg is not: GStreamer's qtdemux and Chromium. The source is the control of each."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ffzero
from support import media
from support.chromium import THUMB, Chromium
from support.encoding import ffmpeg
from support.oracle import Frame, decode, describe
from support.players import CHROMIUM, GSTREAMER, gstreamer, need
from support.verdict import expected_frames

pytestmark = [pytest.mark.timeout(600)]

MADE = (
    "av1_10bit.mp4", "frag_sidx.mp4", "h264_alac.mov", "h264_mbaff.mp4", "h264_one_gop.mp4", "h264_open_gop.mp4",
    "h264_opus.mp4", "hevc_cra_rasl_hvc1.mp4", "hevc_radl.mp4", "multi.mp4", "prores_tc_pcm24.mov", "rot90.mp4",
    "sparse_4g5_co64.mp4", "vfr.mp4",
)  # fmt: skip
REAL = (
    "append_v2.mp4", "example.mp4", "foreman-hevc-384.mp4", "internal_emulator_transformer_output_270_rotated.mp4",
    "nasa_13013.mp4", "sample_edit_list.mp4", "sample_with_increasing_timestamps_320w_240h_fragmented.mp4",
    "sowt-with-video.mov", "video-h265.mp4", "video_with_failing_audio.mp4",
)  # fmt: skip
NEAR, SAME = 14.0, 3.0
"""Mean differences (of 255): how far Chromium's colours may lie from FFmpeg's, and a cut's from its source's."""


def _items() -> list[media.Media]:
    return [m for m in media.real_media() if m.name in REAL] + [media.Media(name=name) for name in MADE]


FILES = pytest.mark.parametrize("item", _items(), ids=lambda item: item.name)


def _main(path: Path) -> list[Frame]:
    kinds = [track.kind for track in describe(path).tracks if track.kind in ("video", "cover")]
    return list(decode(path, keep=True).videos[kinds.index("video")])


def _range(frames: list[Frame]) -> tuple[Fraction, Fraction]:
    """Return a range that starts and ends on no keyframe: from about a quarter of the pictures to three quarters."""
    return frames[len(frames) // 4 + 1].pts, frames[len(frames) * 3 // 4 + 1].pts


def _cut(path: Path, start: Fraction, end: Fraction, folder: Path) -> Path:
    output = folder / f"cut{path.suffix}"
    with ffzero.open(path) as movie:
        movie[start:end].write(output)
    return output


@FILES
def test_gstreamer_decodes_a_cut_like_its_source(item: media.Media, tmp_path: Path) -> None:
    need(GSTREAMER)
    path = item.path()
    frames = _main(path)
    start, end = _range(frames)
    control = gstreamer(path)
    if any("ERROR" in complaint for complaint in control.complaints):
        pytest.skip(f"GStreamer cannot play the source either: {sorted(control.complaints)[:2]}")
    output = _cut(path, start, end, tmp_path)
    found = gstreamer(output)
    assert not found.complaints - control.complaints
    if len(control.picture_times) != len(frames):
        return
    wanted = [float(frame.pts) for frame in expected_frames(frames, start, end)]
    wanted = [time - wanted[0] for time in wanted]
    shown = [float(time - found.picture_times[0]) for time in found.picture_times]
    assert shown == pytest.approx(wanted[: len(shown)], abs=0.002)
    missing = wanted[len(shown) :]
    assert not missing, f"{item.name}: {missing} are missing"


RENDERED = ("av1_10bit.mp4", "h264_mbaff.mp4", "h264_one_gop.mp4", "h264_open_gop.mp4", "hevc_cra_rasl_hvc1.mp4")
"""Coded pictures beside copied ones: where groups are closed and open, in one sample entry and in two."""
JOINS = pytest.mark.parametrize("name", RENDERED)


def _join(name: str, folder: Path) -> tuple[Path, int]:
    """Write two pieces, nothing of them hidden; return the file and how many pictures it has."""
    output = folder / name
    with ffzero.open(media.Media(name=name).path()) as movie:
        clip = movie[Fraction(13, 10) : Fraction(5, 2)] + movie[Fraction(13, 25) : Fraction(19, 10)]
        result = clip.write(output, boundary="render")
    assert result.frames_rendered > 0
    return output, result.frames_copied + result.frames_rendered


@JOINS
def test_gstreamer_decodes_a_rendered_join(name: str, tmp_path: Path) -> None:
    need(GSTREAMER)
    control = gstreamer(media.Media(name=name).path())
    output, count = _join(name, tmp_path)
    found = gstreamer(output)
    assert not found.complaints - control.complaints
    assert len(found.picture_times) == count


def test_gstreamer_takes_recovery_points_beside_coded_pictures(tmp_path: Path) -> None:
    """A parser reads them by the last parameter set, which is that of the coded pictures."""
    need(GSTREAMER)
    path, output = media.Media(name="h264_intra_refresh.mp4").path(), tmp_path / "out.mp4"
    with ffzero.open(path) as movie:
        pieces = [movie[: Fraction(3049, 1000)], movie[Fraction(4187, 1000) :]]
        result = ffzero.concat(pieces).write(output, boundary="render")
    found = gstreamer(output)
    assert not found.complaints - gstreamer(path).complaints
    assert len(found.picture_times) == result.frames_copied + result.frames_rendered


TAILS = (
    "rotated_hdr_video.mov", "sample_edit_list.mp4", "sample_edit_list_no_sync_frame_before_edit.mp4", "video-h265.mp4",
)  # fmt: skip


@pytest.mark.parametrize("name", TAILS)
def test_gstreamer_shows_a_rendered_end(name: str, tmp_path: Path) -> None:
    need(GSTREAMER)
    path = {item.name: item.path() for item in media.real_media()}.get(name)
    if path is None:
        pytest.skip("needs FFZERO_MEDIA")
    with ffzero.open(path) as movie:
        length = min(movie.duration - movie.start, Fraction(5))
        start, end = (movie.start + length * part for part in (Fraction(31, 100), Fraction(77, 100)))
        result = movie[start:end].write(tmp_path / path.name, boundary="render")
    found = gstreamer(tmp_path / path.name)
    assert not found.complaints - gstreamer(path).complaints
    assert len(found.picture_times) == result.frames_copied + result.frames_rendered


DEEP = "-c:v libx265 -preset ultrafast -tag:v hvc1 -pix_fmt yuv420p -x265-params"
DEEP += " log-level=none:keyint=32:min-keyint=32:bframes=8:b-adapt=0:rc-lookahead=20:scenecut=0"


def test_gstreamer_shows_a_rendered_cut_shorter_than_the_reordering(tmp_path: Path) -> None:
    need(GSTREAMER)
    source, output = tmp_path / "deep.mp4", tmp_path / "cut.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=2", *DEEP.split(), source)
    with ffzero.open(source) as movie:
        movie[Fraction(30, 25) : Fraction(34, 25)].write(output, boundary="render")
    found = gstreamer(output)
    assert not found.complaints - gstreamer(source).complaints
    assert len(found.picture_times) == 4


@pytest.fixture
def browser() -> Iterator[Chromium]:
    """A browser for one test: one that got stuck, or answers late, is nobody else's."""
    need(CHROMIUM)
    with Chromium() as chromium:
        yield chromium


ATTEMPTS = 3
"""Browsers drop pictures and late answers on a busy machine; a wrong file is wrong every time."""


@pytest.mark.timeout(400)
@FILES
def test_chromium_plays_and_seeks_a_cut(item: media.Media, browser: Chromium, tmp_path: Path) -> None:
    path = item.path()
    frames = _main(path)
    start, end = _range(frames)
    wanted = expected_frames(frames, start, end)
    length = float(end - start)
    spots = [0.1 * length, 0.5 * length, 0.9 * length]
    control = browser.ask(path, [float(start) - float(frames[0].pts) + spot for spot in spots])
    if "error" in control or not control["width"]:
        pytest.skip(f"Chromium cannot play the source either: {control.get('error', 'no picture')}")
    output = _cut(path, start, end, tmp_path)
    truths = [_pictures(path, frames, wanted[0].pts + Fraction(spot)) for spot in spots]
    problems: list[str] = []
    for _ in range(ATTEMPTS):
        problems = list(_cut_problems(browser.ask(output, spots), control, length, truths))
        if not problems:
            break
    assert not problems, f"{item.name} [{start}, {end}): {problems}"


def _cut_problems(
    found: dict[str, Any], control: dict[str, Any], length: float, truths: list[np.ndarray]
) -> Iterator[str]:
    if "error" in found:
        yield found["error"]
        return
    if found["duration"] != pytest.approx(length, abs=0.1):
        yield f"it lasts {found['duration']} s, not {length}"
    if (found["width"], found["height"]) != (control["width"], control["height"]):
        yield f"it has {found['width']}x{found['height']} pixels"
    if not found["frames"] or found["played_to"] <= min(length, 2) * 0.9:
        yield f"{found['frames']} pictures were shown up to {found['played_to']} s"
    for truth, seek, same in zip(truths, found["seeks"], control["seeks"], strict=True):
        ought, off = _difference(same["pixels"], truth), _difference(seek["pixels"], truth)
        if ought <= NEAR and off > ought + SAME:
            yield f"at {seek['time']:.3f} s the picture is {off:.1f} from the right one, the source's is {ought:.1f}"


@pytest.mark.timeout(400)
@JOINS
def test_chromium_plays_a_rendered_join(name: str, browser: Chromium, tmp_path: Path) -> None:
    control = browser.ask(media.Media(name=name).path(), [])
    if "error" in control or not control["width"]:
        pytest.skip(f"Chromium cannot play the source either: {control.get('error', 'no picture')}")
    output, _ = _join(name, tmp_path)
    frames = _main(output)
    spots = [0.3, 1.25, 2.3]
    truths = [_pictures(output, frames, frames[0].pts + Fraction(spot)) for spot in spots]
    problems: list[str] = []
    for _ in range(ATTEMPTS):
        found = browser.ask(output, spots)
        problems = [found["error"]] if "error" in found else []
        if not problems and found["duration"] != pytest.approx(float(frames[-1].pts - frames[0].pts), abs=0.1):
            problems.append(f"it lasts {found['duration']} s")
        for truth, seek in zip(truths, found.get("seeks", ()), strict=False):
            if _difference(seek["pixels"], truth) > NEAR:
                problems.append(f"at {seek['time']} s a wrong picture is shown")
        if not problems:
            break
    assert not problems


def _pictures(path: Path, frames: list[Frame], time: Fraction) -> np.ndarray:
    """Return small RGB copies of the picture on show at ``time`` and its neighbours, as FFmpeg decodes them."""
    at = max(i for i, frame in enumerate(frames) if frame.pts <= time)
    first = max(0, at - 1)
    width, height = THUMB
    command = [media.ffmpeg_exe(), "-v", "error", "-nostdin", "-copyts", "-i", str(path), "-map", "0:V:0"]
    command += [
        "-vf",
        f"select='between(n,{first},{at + 1})',scale={width}:{height}:flags=area",
        "-fps_mode",
        "passthrough",
    ]
    command += ["-frames:v", str(at + 2 - first), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    data = subprocess.run(command, check=True, capture_output=True, timeout=100).stdout
    return np.frombuffer(data, np.uint8).reshape(-1, height * width * 3)


def _difference(pixels: list[int], truth: np.ndarray) -> float:
    """Return the mean difference from the nearest of the true pictures (a seek may round to the one beside it)."""
    return float(np.abs(truth.astype(int) - np.array(pixels, int)).mean(axis=1).min())
