"""Random access and batches: the picture shown at a time, each group decoded once; arrays filled in place."""

from __future__ import annotations

import random
from bisect import bisect_right
from fractions import Fraction
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ffzero
from ffzero.frames.reading import samples, tracks
from ffzero.frames.reading.batches import writable_array
from ffzero.frames.reading.skipping import can_skip
from support.pixels import digest, file_of, shown

NAMES = [
    "h264_open_gop.mp4",
    "h264_one_gop.mp4",
    "h264_intra_refresh.mp4",
    "hevc_cra_rasl_hvc1.mp4",
    "hevc_radl.mp4",
    "av1_10bit.mp4",
    "vfr.mp4",
    "three_edits.mp4",
    "frag_no_index.mp4",
    "h264_open_gop.mp4.mkv",
    "hevc_cra_rasl_hvc1.mp4.mkv",
    "h264_one_gop.mp4.ts",
]


def at(whole: tuple[tuple[Fraction, int], ...], time: Fraction) -> int:
    return max(0, bisect_right([shown_at for shown_at, _ in whole], time) - 1)


@pytest.mark.parametrize("name", NAMES)
def test_frames_at_random_times_are_those_shown_then(name: str, exhaustive: bool) -> None:
    path = file_of(name)
    movie = ffzero.open(path)
    zero = shown(path)[0][0] - next(movie.frames(format="yuv")).time  # a transport stream's clock begins anywhere
    whole = tuple((time - zero, pixels) for time, pixels in shown(path))
    pick = random.Random(name)
    last = whole[-1][0]
    times = [Fraction(pick.randrange(int(last * 1000)), 1000) for _ in range(200 if exhaustive else 12)]
    times += [Fraction(0), last, whole[len(whole) // 2][0]]
    frames = movie.frames_at(times, format="yuv")
    places = [at(whole, time) for time in times]
    assert [(frame.time, digest(frame.planes)) for frame in frames] == [whole[place] for place in places]
    assert [frame.index for frame in frames] == places
    one = movie.frame_at(times[0], format="yuv")
    assert (one.time, digest(one.planes), one.index) == (*whole[places[0]], places[0])


def test_real_files_are_read_as_ffmpeg_shows_them(ffzero_media: Path, exhaustive: bool) -> None:
    """Phone and camera recordings, screen captures of uneven rate, field pictures in a transport stream, ..."""
    names = ["sample_edit_list.mp4", "nasa_13013.mp4", "sample.avi"]
    if exhaustive:
        names += [
            "cursed-vfr.mp4",
            "rotated_hdr_video.mov",
            "foreman-hevc-384.mp4",
            "video-h265.mp4",
            "annex-b-avc.mkv",
        ]
        names += [
            "example.mp4",
            "roadtrip-vp92-10bit.webm",
            "big_buck_bunny_0_30.webm",
            "bbb_2500ms.ts",
            "fixture2.mkv",
        ]
    for name in names:
        path = ffzero_media / "real" / name
        movie = ffzero.open(path)
        frames = list(movie.frames(format="yuv"))
        zero = shown(path)[0][0] - frames[0].time
        whole = tuple((time - zero, pixels) for time, pixels in shown(path))
        assert [(frame.time, digest(frame.planes)) for frame in frames] == list(whole), name
        times = [whole[-1][0] * number / 3 for number in range(1, 4)]
        places = [at(whole, time) for time in times]
        chosen = movie.frames_at(times, format="yuv")
        assert [(frame.time, digest(frame.planes)) for frame in chosen] == [whole[place] for place in places], name
        assert [frame.index for frame in chosen] == places, name


def test_each_group_of_pictures_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[tracks.Run] = []
    plain = tracks.TrackDecoder.pictures

    def counted(self: tracks.TrackDecoder, run: tracks.Run):  # type: ignore[no-untyped-def]
        runs.append(run)
        return plain(self, run)

    monkeypatch.setattr(tracks.TrackDecoder, "pictures", counted)
    movie = ffzero.open(file_of("h264_open_gop.mp4"))
    keys = movie.keyframes()
    inside = [keys[2] + Fraction(number, 10) for number in (9, 1, 5)]
    frames = movie.frames_at([*inside, inside[0]])
    assert len(runs) == 1
    assert frames[0].pts == frames[3].pts
    assert [frame.time for frame in frames[:3]] == [max(f.time for f in frames if f.time <= t) for t in inside]


@pytest.mark.parametrize("name", ["h264_one_gop.mp4", "h264_one_gop.mp4.ts"])
@pytest.mark.parametrize("look", [{}, {"format": "yuv", "writable": True}], ids=["rgb24", "yuv"])
def test_times_that_show_one_picture_have_each_a_frame_of_its_own(name: str, look: dict[str, Any]) -> None:
    times = (Fraction(1, 2), Fraction(501, 1000), Fraction(1, 2))
    frames = ffzero.open(file_of(name)).frames_at(times, **look)
    assert len({(frame.pts, frame.index) for frame in frames}) == 1
    planes = [frame.planes for frame in frames]
    whole = digest(planes[0])
    planes[1][0][...] = 7
    assert digest(planes[1]) != whole
    frames[0].forget()
    assert digest(frames[2].planes) == whole


def test_pictures_are_passed_over_only_where_nothing_is_predicted_from_them() -> None:
    record = bytearray(23)
    record[0] = 1
    answers = []
    for layers in (0, 1, 2):
        record[21] = layers << 3 | 3
        answers.append(can_skip("hevc", bytes(record)))
    assert answers == [False, True, False]
    assert can_skip("h264", None) and not can_skip("vp9", None) and not can_skip("hevc", bytes(4))


def test_pixels_at_times_are_converted_like_those_of_a_stream() -> None:
    movie = ffzero.open(file_of("rot90.mp4"))
    frames = list(movie.frames(1, 1.2, size="50x"))
    chosen = movie.frames_at([frame.time for frame in frames], size="50x")
    assert all(np.array_equal(one.array, other.array) for one, other in zip(frames, chosen, strict=True))


@pytest.mark.parametrize("name", ["h264_open_gop.mp4", "h264_open_gop.mp4.mkv"])
def test_batches_hold_all_frames_and_stay_valid(name: str) -> None:
    movie = ffzero.open(file_of(name))
    frames = list(movie.frames(1, 3, size="64x"))
    batches = list(movie.frames(1, 3, size="64x", batch=16))
    assert [len(batch) for batch in batches] == [16, 16, 16, 2]
    assert np.array_equal(np.concatenate(batches), np.stack([frame.array for frame in frames]))
    assert np.concatenate([batch.pts for batch in batches]).tolist() == [frame.pts for frame in frames]
    assert np.concatenate([batch.indices for batch in batches]).tolist() == [frame.index for frame in frames]
    assert np.concatenate([batch.times for batch in batches]).tolist() == [float(frame.time) for frame in frames]
    assert np.concatenate([batch.keyframes for batch in batches]).tolist() == [frame.keyframe for frame in frames]
    assert batches[0].array.dtype == np.uint8 and batches[0].tracks.tolist() == [frames[0].track] * 16


def test_memory_that_nobody_holds_serves_again() -> None:
    movie = ffzero.open(file_of("h264_open_gop.mp4"))
    kept = [batch.array[0] for batch in movie.frames(size="64x", batch=16)]
    assert np.array_equal(np.stack(kept), np.stack([frame.array for frame in movie.frames(size="64x")][::16]))
    places = {batch.array.ctypes.data for batch in movie.frames(size="64x", batch=8)}
    assert len(places) == 2


def test_a_callers_memory_is_filled_in_place(tmp_path: Path) -> None:
    movie = ffzero.open(file_of("h264_open_gop.mp4"))
    wanted = np.stack([frame.array for frame in movie.frames(1, 1.4, size=(64, 48))])
    plain = np.zeros((10, 48, 64, 3), np.uint8)
    mapped = np.memmap(tmp_path / "frames.raw", np.uint8, "w+", shape=plain.shape)
    memory = SharedMemory(create=True, size=plain.nbytes)
    try:
        shared = np.ndarray(plain.shape, np.uint8, memory.buf)
        for out in (plain, mapped, shared):
            (batch,) = movie.frames(1, 1.4, size=(64, 48), out=out)
            assert np.shares_memory(batch.array, out)
            assert np.array_equal(out, wanted)
        del batch, out, shared
    finally:
        memory.close()
        memory.unlink()


class Tensor:
    """Memory of another library that is lent by DLPack, in its older form, which cannot say that it may be changed."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack__(self, *, stream: object = None) -> object:
        return self.array.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


def test_a_tensor_is_filled_by_dlpack() -> None:
    movie = ffzero.open(file_of("h264_open_gop.mp4"))
    tensor = Tensor(np.zeros((4, 48, 64, 3), np.uint8))
    filled = [batch.array.copy() for batch in movie.frames(1, 1.4, size=(64, 48), batch=4, out=tensor)]
    assert [len(array) for array in filled] == [4, 4, 2]
    assert np.array_equal(filled[2], tensor.array[:2]) and tensor.array.any()


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.zeros((4, 48, 65, 3), np.uint8), r"out does not fit the frame at .*48, 64, 3.*48, 65, 3"),
        (np.zeros((4, 48, 64, 3), np.float32), "float32"),
        (np.zeros((48, 64, 3), np.uint8)[:2], "cannot hold a batch|does not fit"),
        (bytes(4 * 48 * 64 * 3), "read-only"),
        ("frames", "no memory"),
    ],
)
def test_memory_that_does_not_fit_is_refused(out: object, message: str) -> None:
    movie = ffzero.open(file_of("h264_open_gop.mp4"))
    with pytest.raises(ffzero.UsageError, match=message):
        list(movie.frames(size=(64, 48), batch=4, out=out))


def test_an_array_that_is_read_only_stays_so() -> None:
    array = np.zeros((2, 4, 4, 3), np.uint8)
    array.flags.writeable = False
    with pytest.raises(ffzero.UsageError, match="read-only"):
        writable_array(array)


def test_damage_in_the_middle_is_an_error_that_says_where(tmp_path: Path) -> None:
    source = file_of("h264_open_gop.mp4")
    index = ffzero.open(source).samples()
    number = int(np.argmax(index.size_bytes[60:120])) + 60
    data = bytearray(source.read_bytes())
    offset, size = int(index.offset_bytes[number]), int(index.size_bytes[number])
    data[offset + 5 : offset + size] = bytes((value * 167 + 13) & 255 for value in range(size - 5))
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    seen = 0
    with pytest.raises(ffzero.DecodeError, match=r"track 1, sample \d+, at \d+\.\d+ s") as caught:
        for _ in ffzero.open(path).frames(format="yuv"):
            seen += 1
    assert 40 <= seen < 130
    assert caught.value.path == str(path)


def test_a_file_cut_short_tells_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "short.mp4"
    data = file_of("fast.mp4").read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    seen = 0
    with pytest.raises(ffzero.DecodeError, match=r"track 1, sample \d+, at .* beyond the end of the file"):
        for _ in ffzero.open(path).frames(format="yuv"):
            seen += 1
    assert seen > 50


def test_a_source_that_changes_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_BLOCK_BYTES", 4096)
    path = tmp_path / "movie.mp4"
    path.write_bytes(file_of("prores_tc_pcm24.mov").read_bytes())
    movie = ffzero.open(path)
    frames = movie.frames(format="yuv")
    next(frames)
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(ffzero.SourceChangedError):
        list(frames)
    with pytest.raises(ffzero.SourceChangedError):
        movie.frame_at(1)


def test_another_file_at_the_path_is_an_error_and_a_grown_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "movie.mkv"
    path.write_bytes(file_of("h264_open_gop.mp4.mkv").read_bytes())
    movie = ffzero.open(path)
    index = movie.frame_at(1).index
    with path.open("ab") as file:
        file.write(bytes(100))
    assert movie.frame_at(1).index == index
    frames = movie.frames(format="yuv")
    next(frames)
    (tmp_path / "other.mkv").write_bytes(path.read_bytes())
    (tmp_path / "other.mkv").replace(path)
    assert len(list(frames)) == len(shown(file_of("h264_open_gop.mp4.mkv"))) - 1
    for read in (movie.frames, lambda: movie.frame_at(1)):
        with pytest.raises(ffzero.SourceChangedError):
            read()


@pytest.mark.parametrize("name", ["h264_open_gop.mp4", "h264_open_gop.mp4.mkv"])
def test_pictures_predicted_from_a_damaged_one_are_no_answer(tmp_path: Path, name: str) -> None:
    index = ffzero.open(file_of("h264_open_gop.mp4")).samples()
    number = int(np.argmax(index.size_bytes[55:65])) + 55
    offset, size = int(index.offset_bytes[number]), int(index.size_bytes[number])
    sample = file_of("h264_open_gop.mp4").read_bytes()[offset : offset + size]
    whole = file_of(name).read_bytes()
    place = whole.index(sample) + size // 2
    path = tmp_path / name
    stop = place + size // 3
    path.write_bytes(whole[:place] + bytes(255 - value for value in whole[place:stop]) + whole[stop:])
    movie, right = ffzero.open(path), shown(file_of(name))
    answers: list[bool | None] = []
    for time, pixels in right[50:100:2]:
        try:
            answers.append(digest(movie.frame_at(time, format="yuv").planes) == pixels)
        except ffzero.DecodeError:
            answers.append(None)
    # Pictures that come out before the damaged one and are predicted from it cannot be told.
    assert answers[0] is answers[-1] is True
    assert answers.count(None) > 5
    assert False not in answers[answers.index(None) :]


def test_a_file_that_is_cut_short_under_way_does_not_just_end(tmp_path: Path) -> None:
    path = tmp_path / "movie.mkv"
    path.write_bytes(file_of("h264_open_gop.mp4.mkv").read_bytes())
    frames = ffzero.open(path).frames(format="yuv")
    next(frames)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(ffzero.SourceChangedError):
        list(frames)
