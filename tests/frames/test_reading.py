"""Frames in numpy: exactly those of a range, at their times, with the pixels that FFmpeg itself shows."""

from __future__ import annotations

import gc
import os
import threading
from bisect import bisect_right
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ffzero
from ffzero.errors import UsageError
from ffzero.reporting import CancelToken, ProgressEvent
from support.pixels import digest, file_of, raw_video, shown

NAMES = [
    "h264_open_gop.mp4",
    "hevc_cra_rasl_hvc1.mp4",
    "av1_10bit.mp4",
    "vfr.mp4",
    "prores_tc_pcm24.mov",
    "h264_open_gop.mp4.mkv",
]
RANGE = (Fraction(31, 10), Fraction(427, 100))


def found(frames: Any) -> list[tuple[Fraction, int]]:
    return [(frame.time, digest(frame.planes)) for frame in frames]


@pytest.mark.parametrize("name", [*NAMES, "h264_intra_refresh.mp4", "h264_mbaff.mp4", "frag_no_index.mp4"])
def test_all_frames_are_those_that_ffmpeg_shows(name: str) -> None:
    movie = ffzero.open(file_of(name))
    frames = list(movie.frames(format="yuv"))
    assert found(frames) == list(shown(file_of(name)))
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert frames[0].keyframe
    assert frames[3].pts * frames[3].time_base == frames[3].time or name.endswith((".mp4", ".mov"))


@pytest.mark.parametrize("name", NAMES)
def test_a_range_holds_the_frames_that_begin_in_it(name: str) -> None:
    start, end = (Fraction(1), Fraction(21, 10)) if "prores" in name or "vfr" in name else RANGE
    whole = shown(file_of(name))
    frames = list(ffzero.open(file_of(name)).frames(start, end, format="yuv"))
    assert found(frames) == [picture for picture in whole if start <= picture[0] < end]
    assert frames[0].index == next(number for number, (time, _) in enumerate(whole) if time >= start)


def test_several_edits_are_read_as_they_are_shown() -> None:
    path = file_of("three_edits.mp4")
    movie = ffzero.open(path)
    assert [frame.time for frame in movie.frames(format="yuv")] == [time for time, _ in shown(path)]
    assert movie.frame_at(2).index == bisect_right([time for time, _ in shown(path)], 2) - 1


def test_every_nth_frame_and_what_is_shown_at_multiples() -> None:
    for name in ("vfr.mp4", "h264_open_gop.mp4.mkv"):
        path = file_of(name)
        whole = shown(path)
        movie = ffzero.open(path)
        assert found(movie.frames(format="yuv", step=7)) == list(whole[::7])
        times = [time for time, _ in whole]
        due, wanted = Fraction(1, 2), []
        while due < times[-1] + Fraction(1, 30):
            place = bisect_right(times, due) - 1
            if not wanted or wanted[-1] != whole[place]:
                wanted.append(whole[place])
            due += Fraction(3, 4)
        assert found(movie.frames("0.5", format="yuv", step="0.75s"))[1:] == wanted[1:]
        assert [f.index for f in movie.frames(step=40)] == list(range(0, len(whole), 40))


SOURCES = [
    "h264_open_gop.mp4",
    "hdr10.mp4",
    "rot90.mp4",
    "h264_mbaff.mp4",
    "prores_tc_pcm24.mov",
    "h264_open_gop.mp4.mkv",
]


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("pixel_format", ["rgb24", "gray", "rgb48"])
def test_pixels_are_those_of_ffmpeg(name: str, pixel_format: str) -> None:
    raw = raw_video(file_of(name), {"rgb48": "rgb48le"}.get(pixel_format, pixel_format))
    frames = [frame for _, frame in zip(range(3), ffzero.open(file_of(name)).frames(format=pixel_format), strict=False)]
    arrays = [np.ascontiguousarray(frame.array) for frame in frames]
    assert arrays[0].dtype == (np.uint16 if pixel_format == "rgb48" else np.uint8)
    assert b"".join(array.tobytes() for array in arrays) == raw


def test_scaled_pixels_are_those_of_ffmpeg() -> None:
    path = file_of("h264_open_gop.mp4")
    whole = ffzero.open(path).frame_at(0)
    for size, scale in (("101x", "101:-1"), ("x90", "-1:90"), ((64, 48), "64:48"), ("64x48", "64:48")):
        frame = next(ffzero.open(path).frames(size=size))
        raw = raw_video(path, "rgb24", "-vf", f"scale={scale}:flags=bicubic", frames=1)
        assert np.ascontiguousarray(frame.array).tobytes() == raw
        assert (frame.height, frame.width) == frame.array.shape[:2] != (whole.height, whole.width)


def _alpha(folder: Path, codec: str, name: str, pixel_format: str) -> Path:
    path = folder / name
    settings = ffzero.FFmpegSettings(video_codec=codec, pixel_format=pixel_format, extra_args={"profile:v": "4444"})
    with ffzero.Writer(path, size=(64, 48), fps=25, settings=settings, format="rgba") as writer:
        for number in range(3):
            picture = np.full((48, 64, 4), 200, np.uint8)
            picture[:, :32, 3] = 80 * number
            writer.write(picture)
    return path


def test_alpha_is_a_fourth_plane_and_a_fourth_channel(tmp_path: Path) -> None:
    path = _alpha(tmp_path, "prores_ks", "alpha.mov", "yuva444p10le")
    frame = next(ffzero.open(path).frames(format="yuv"))
    assert frame.format.startswith("yuva444p") and len(frame.planes) == 4
    assert frame.planes[3].dtype == np.uint16
    rgba = [frame.array for frame in ffzero.open(path).frames(format="rgba")]
    assert b"".join(np.ascontiguousarray(array).tobytes() for array in rgba) == raw_video(path, "rgba")
    assert [int(array[24, 8, 3]) for array in rgba] == pytest.approx([0, 80, 160], abs=3)


def test_planes_are_read_only_views_that_keep_their_memory() -> None:
    frames = ffzero.open(file_of("h264_open_gop.mp4")).frames(format="yuv")
    frame = next(frames)
    view, copied = frame.u, frame.copy()
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 1
    known = view.copy()
    copied.u[...] = 0  # its own memory
    assert copied.pts == frame.pts and copied.index == frame.index
    del frame
    for _ in frames:  # the decoder would use the memory again
        gc.collect(0)
    assert np.array_equal(view, known)
    assert not copied.u.any()


def test_writable_planes_leave_the_decoders_pictures_alone() -> None:
    path = file_of("h264_open_gop.mp4")
    for frame, (time, _) in zip(ffzero.open(path).frames(0, 2, format="yuv", writable=True), shown(path), strict=False):
        frame.y[...] = 0
        frame.u[...] = 255
        assert frame.time == time
    seen = []
    for frame in ffzero.open(path).frames(0, 2, format="yuv", writable=True):
        seen.append((frame.time, digest(frame.planes)))
        frame.y[...] = 0
    assert seen == list(shown(path)[: len(seen)])


def test_rotation_is_applied_to_arrays_and_told_of_planes() -> None:
    movie = ffzero.open(file_of("rot90.mp4"))
    upright, lying = movie.frame_at(1), movie.frame_at(1, format="yuv")
    told = movie.info().tracks[0].rotation_degrees
    assert (upright.width, upright.height, upright.rotation) == (lying.height, lying.width, 0)
    assert lying.rotation == told != 0
    left = movie.frame_at(1, rotate=False)
    assert left.rotation == told
    assert np.array_equal(np.rot90(left.array, -told // 90), upright.array)


def test_facts_of_a_frame() -> None:
    frame = next(ffzero.open(file_of("hdr10.mp4")).frames(format="yuv"))
    assert (frame.format, frame.colorspace, frame.range, frame.rotation) == ("yuv420p10le", "bt2020nc", "tv", 0)
    assert frame.y.dtype == np.uint16 and frame.v.shape == (frame.height // 2, frame.width // 2)
    with pytest.raises(ffzero.UsageError, match="planes"):
        np.asarray(frame)
    rgb = next(ffzero.open(file_of("hdr10.mp4")).frames())
    assert np.asarray(rgb) is rgb.array
    assert np.asarray(rgb, np.float32).dtype == np.float32
    assert np.array_equal(np.from_dlpack(rgb), rgb.array)


def test_several_tracks_come_in_order_of_time() -> None:
    movie = ffzero.open(file_of("multi.mp4"))
    ids = [track.id for track in movie.info().tracks if track.kind == "video"]
    frames = list(movie.frames(0, 2, format="gray", size="64x", tracks=[ids[0], ids[-1]]))
    assert [frame.time for frame in frames] == sorted(frame.time for frame in frames)
    assert {frame.track for frame in frames} == {ids[0], ids[-1]}
    with pytest.raises(ffzero.UsageError, match="no video track 99"):
        movie.frames(tracks=99)


def test_a_clip_counts_from_its_own_start() -> None:
    path = file_of("h264_open_gop.mp4")
    movie = ffzero.open(path)
    clip = movie[3.1:4] + movie[1:1.5]
    whole = shown(path)
    first = [picture for picture in whole if Fraction(31, 10) <= picture[0] < 4]
    second = [picture for picture in whole if 1 <= picture[0] < Fraction(3, 2)]
    wanted = [(time - Fraction(31, 10), pixels) for time, pixels in first]
    wanted += [(time - 1 + Fraction(9, 10), pixels) for time, pixels in second]
    frames = list(clip.frames(format="yuv"))
    assert found(frames) == wanted
    assert [frame.index for frame in frames] == list(range(len(wanted)))
    part = list(clip.frames(0.95, 1.2, format="yuv"))
    assert found(part) == [picture for picture in wanted if Fraction(95, 100) <= picture[0] < Fraction(12, 10)]
    assert part[0].index == wanted.index(found(part)[0])
    chosen = clip.frames_at([1.0, 0.2, 0], format="yuv")
    assert [(frame.time, frame.index) for frame in chosen] == [
        (wanted[n][0], n)
        for n in (bisect_right([time for time, _ in wanted], time) - 1 for time in (1, Fraction(1, 5)))
    ] + [(wanted[0][0], 0)]


def test_effects_of_a_clip_are_applied() -> None:
    def dark(picture: np.ndarray, time: Fraction) -> np.ndarray:
        return np.zeros_like(picture)

    clip = ffzero.open(file_of("h264_open_gop.mp4"))[1:3].apply(dark, 0.5, 1)
    light = [bool(frame.array.mean() > 5) for frame in clip.frames(size="64x")]
    times = [frame.time for frame in clip.frames(format="yuv")]
    assert light == [not Fraction(1, 2) <= time < 1 for time in times]
    assert clip.frame_at(0.7).array.mean() < 5 < clip.frame_at(0.2).array.mean()


def test_progress_is_told_and_cancelling_ends_it() -> None:
    told: list[ProgressEvent] = []
    cancel = CancelToken()
    movie = ffzero.open(file_of("h264_open_gop.mp4"))
    count = sum(1 for _ in movie.frames(format="yuv", reporter=told.append))
    assert told[0].total == told[-1].done == count
    frames = movie.frames(format="yuv", cancel=cancel)
    next(frames)
    cancel.cancel()
    with pytest.raises(ffzero.CancelledError):
        list(frames)


def test_a_generator_closed_early_frees_the_decoders_threads() -> None:
    before = threading.active_count()
    for name in ("h264_open_gop.mp4", "h264_open_gop.mp4.mkv"):
        for _ in range(5):
            frames = ffzero.open(file_of(name)).frames(format="yuv")
            next(frames)
            frames.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "rgb25"}, "pixel format"),
        ({"format": "cuda"}, "not in memory"),
        ({"tracks": "1"}, "not tracks"),
        ({"tracks": 1.0}, "not tracks"),
        ({"size": "640"}, "not a size"),
        ({"size": (0, 5)}, "not a size"),
        ({"step": 0}, "step"),
        ({"step": "0s"}, "step"),
        ({"batch": 0}, "batch"),
        ({"batch": 2, "format": "yuv420p"}, "planes"),
    ],
)
def test_nonsense_is_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ffzero.UsageError, match=message):
        ffzero.open(file_of("h264_open_gop.mp4")).frames(**arguments)


def test_a_format_that_the_scaler_does_not_make_is_told() -> None:
    with pytest.raises(ffzero.UsageError, match="cannot be made bayer_bggr8"):
        _ = next(ffzero.open(file_of("h264_open_gop.mp4")).frames(format="bayer_bggr8")).array


def test_a_step_far_shorter_than_a_picture_takes_each_once() -> None:
    movie = ffzero.open(file_of("vfr.mp4"))
    assert [f.index for f in movie.frames(0, 1, step=1e-9)] == [f.index for f in movie.frames(0, 1)]
    assert [f.index for f in movie.frames(0, 1, step=np.int64(7))] == [f.index for f in movie.frames(0, 1)][::7]


def test_times_outside_are_refused() -> None:
    movie = ffzero.open(file_of("h264_open_gop.mp4"))
    with pytest.raises(ffzero.UsageError, match="frame_at"):
        movie.frames_at("1")
    with pytest.raises(ffzero.TimeRangeError, match="nothing of the movie"):
        movie.frames(1000)
    with pytest.raises(ffzero.TimeRangeError, match="nothing is shown at"):
        movie.frame_at(1000)
    with pytest.raises(ffzero.TimeRangeError):
        movie.frame_at(-1)


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="counts threads in /proc")
@pytest.mark.parametrize("name", ["h264_open_gop.mp4", "h264_open_gop.mp4.mkv"])
def test_threads_are_as_many_as_asked_for(name: str) -> None:
    movie = ffzero.open(file_of(name))
    wanted = list(shown(file_of(name)))
    before = len(os.listdir("/proc/self/task"))
    for threads, more in ((1, False), (None, (os.cpu_count() or 1) > 1)):
        with closing(movie.frames(format="yuv", threads=threads)) as frames:
            got, most = [], 0
            for frame in frames:
                got.append((frame.time, digest(frame.planes)))
                most = max(most, len(os.listdir("/proc/self/task")))
        assert got == wanted
        assert (most > before) == more
    assert movie.frame_at(1, threads=1).index == movie.frame_at(1).index


@pytest.mark.parametrize("threads", [0, -1, True, 1.5, "2"])
def test_a_number_of_threads_that_makes_no_sense_is_refused(threads: Any) -> None:
    movie = ffzero.open(file_of("h264_open_gop.mp4"))
    with pytest.raises(UsageError, match="thread"):
        movie.frames(threads=threads)
    with pytest.raises(UsageError, match="thread"):
        movie.frame_at(1, threads=threads)
