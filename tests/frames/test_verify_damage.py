"""Verification sees damage that keeps a file valid, and raises no alarm over what only looks odd."""

from __future__ import annotations

import functools
import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ffzero
from ffzero.edits.clip import Clip
from ffzero.edits.inputs import open_input
from ffzero.edits.proof.record import Record, sidecar_path
from ffzero.errors import InvalidDataError
from ffzero.frames.proof.hearing import faults, match_sound
from support import media


def failures(path: Path, against: Any = None, **options: Any) -> dict[str, str]:
    """Return the messages of what failed, those of one name joined."""
    found: dict[str, str] = {}
    for check in ffzero.verify(path, against, **options).failures:
        found[check.name] = "; ".join(filter(None, (found.get(check.name), check.message)))
    return found


def real(name: str) -> Path:
    found = {item.name: item.path() for item in media.real_media()}
    if name not in found:
        pytest.skip("needs FFZERO_MEDIA")
    return found[name]


def samples(path: Path, track: int) -> list[tuple[int, int]]:
    index = ffzero.open(path).samples(track)
    return list(zip(index.offset_bytes.tolist(), index.size_bytes.tolist(), strict=True))


def changed(path: Path, change: Callable[[bytearray], None]) -> Path:
    data = bytearray(path.read_bytes())
    change(data)
    made = path.with_name("changed.mp4")
    made.write_bytes(data)
    return made


def boxes(data: bytearray, fourcc: bytes) -> list[int]:
    """Return where the payloads of boxes begin that are in the index."""
    found, at = [], data.find(b"moov")
    while (at := data.find(fourcc, at)) != -1:
        found.append(at + 4)
        at += 4
    return found


def without_pictures(path: Path, track: int, first: int, stop: int) -> Path:
    """Return a copy of a file in which some samples are empty: nothing is shown of them."""
    sizes = [size for _, size in samples(path, track)]

    def change(data: bytearray) -> None:
        at = data.index(struct.pack(f">{len(sizes)}I", *sizes), data.index(b"stsz"))
        data[at + 4 * first : at + 4 * stop] = bytes(4 * (stop - first))

    return changed(path, change)


class TestCodedPictures:
    RANGE = slice(Fraction("3.4"), Fraction("4.2"))

    @functools.cached_property
    def movie(self) -> Any:
        return ffzero.open(media.made("fast.mp4"))

    @pytest.mark.parametrize(
        ("damage", "told"),
        [
            ("hue=s=0", "colours"),
            ("hue=h=90", "colours"),
            ("lutyuv=u=255-val:v=255-val", "colours"),
            ("unsharp=5:5:1", "under 42 dB"),
            ("lutyuv=y=val+3", "under 42 dB"),
            ("drawbox=0:0:64:64:white:fill", "with a place under"),
        ],
    )
    def test_pictures_that_are_not_the_source(self, damage: str, told: str, tmp_path: Path) -> None:
        path = tmp_path / "out.mp4"
        spoiled = self.movie.apply(damage, self.RANGE.start, 4)[self.RANGE]
        spoiled.write(path, boundary="render")
        found = failures(path, self.movie[self.RANGE], boundary="render")
        assert set(found) == {"rendered"}
        assert told in found["rendered"]

    @pytest.mark.parametrize("form", ["yuv420p10le", "yuv422p", "yuv444p"])
    def test_other_forms_of_pictures_pass(self, form: str, tmp_path: Path) -> None:
        made = tmp_path / "in.mp4"
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=192x128:d=1", "-vf", "noise=alls=8:allf=t", "-c:v", "libx264", "-g", 12,
               "-pix_fmt", form, made)  # fmt: skip
        result = ffzero.open(made)["0.2":"0.7"].write(tmp_path / "out.mp4", boundary="render", verify=True)  # type: ignore[misc]
        rendered = [one for one in result.verification["checks"] if one["name"] == "rendered"]
        assert min(one["chroma_psnr_db_min"] for one in rendered) > 42
        assert min(one["block_psnr_db_min"] for one in rendered) > 36


def ffmpeg(*words: object) -> None:
    command = [media.ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *map(str, words)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)


class TestAlteredSpans:
    def clip(self) -> Clip:
        return ffzero.open(media.made("fast.mp4"))[1:5].apply("hflip", 2, "2.4")

    def test_pictures_beside_an_effect_are_held_against_the_source(self, tmp_path: Path) -> None:
        path = tmp_path / "out.mp4"
        self.clip().apply("negate", "2.5", "2.6").write(path)
        assert "under 45 dB" in failures(path, self.clip())["rendered"]

    def test_each_picture_of_an_effect_is_counted(self, tmp_path: Path) -> None:
        path = tmp_path / "out.mp4"
        record = self.clip().record()
        self.clip().write(path)
        assert ffzero.verify(path, record).passed
        (render,) = _renders(record)
        first = sum(one.samples for one in record.segments if one.kind == "video" and one.start_s < render.start_s)
        found = failures(without_pictures(path, 1, first + 1, first + render.frames), record)
        assert " missing (" in found["pictures"]

    def test_each_picture_of_another_rate_is_counted(self, tmp_path: Path) -> None:
        other, path = tmp_path / "in.mp4", tmp_path / "out.mp4"
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=192x128:r=30:d=1", "-c:v", "libx264", "-pix_fmt", "yuv420p", other)
        clip = ffzero.concat([ffzero.open(media.made("fast.mp4"))[0:2], ffzero.open(other)])
        clip.write(path)
        record = clip.record()
        render = _renders(record)[-1]
        assert (render.frames, render.coded, render.step_s) == (30, 25, Fraction(1, 25))
        assert Record.from_dict(json.loads(json.dumps(record.to_dict()))) == record
        assert ffzero.verify(path, record).passed
        count = len(samples(path, 1))
        assert "2 missing" in failures(without_pictures(path, 1, count - 2, count), record)["pictures"]

    def test_an_effect_up_to_a_cut_between_two_pictures(self, tmp_path: Path) -> None:
        movie = ffzero.open(real("append_v3.mp4"))
        clip = movie["0.8":"2.61"].apply("hflip", "1.5") + movie["0.4":"1.2"]  # type: ignore[misc]
        clip.write(tmp_path / "out.mp4", verify=True)

    def test_a_short_end_that_is_coded_beside_an_effect(self, tmp_path: Path) -> None:
        movie = ffzero.open(real("iibbibb_editlist_videoonly.mp4"))
        clip = movie[:"6.083"].apply("negate", "0.283", "2.083")  # type: ignore[misc]
        clip.write(tmp_path / "out.mp4", boundary="render", verify=True)

    def test_a_picture_at_which_one_edit_ends_and_the_next_begins(self, tmp_path: Path) -> None:
        clip = ffzero.open(media.made("three_edits.mp4"))["6.36":"8.343"]  # type: ignore[misc]
        clip.write(tmp_path / "out.mp4", boundary="render", verify=True)


def _renders(record: Record) -> list[Any]:
    return [one for one in record.segments if hasattr(one, "is_altered") and one.kind == "video"]


class TestSound:
    RATE = 48_000
    RANGE = slice(1, 4)

    @pytest.mark.parametrize(
        ("damage", "start", "end", "told"),
        [
            ("volume=0", 1, 4, "is silent"),
            ("volume=0", 2, "2.3", "is silent|ms off"),
            ("volume=0.3", 1, 4, "is softer"),
            ("volume=3", 1, 4, "is louder|not the source"),
        ],
    )
    def test_coded_sound_that_is_not_the_source(
        self, damage: str, start: Any, end: Any, told: str, tmp_path: Path
    ) -> None:
        movie, path = ffzero.open(media.made("fast.mp4")), tmp_path / "out.mp4"
        movie.apply_audio(damage, start, end)[self.RANGE].write(path, boundary="render", audio="encode")
        found = failures(path, movie[self.RANGE], boundary="render", audio="encode")
        assert any(text in found["sound"] for text in told.split("|")), found

    def test_an_edit_that_hides_most_of_the_sound(self, tmp_path: Path) -> None:
        path = tmp_path / "out.mp4"
        clip = ffzero.open(media.made("fast.mp4"))[2:4]
        clip.write(path, boundary="keyframe")

        def shorten(data: bytearray) -> None:
            at = boxes(data, b"elst")[-1] + 8
            (length,) = struct.unpack_from(">I", data, at)
            struct.pack_into(">I", data, at, length // 10)

        found = failures(changed(path, shorten), clip, boundary="keyframe")
        assert "it ends at" in found["sound"]
        assert "is silent" in found["sound"]

    def test_an_edit_that_begins_a_little_later(self, tmp_path: Path) -> None:
        path = tmp_path / "out.mp4"
        clip = ffzero.open(media.made("fast.mp4"))[2:4]
        clip.write(path, boundary="keyframe")

        def later(data: bytearray) -> None:
            at = boxes(data, b"elst")[-1] + 12
            (start,) = struct.unpack_from(">i", data, at)
            struct.pack_into(">i", data, at, start + 240)  # 5 ms: tones are alike two periods on

        assert "is shown at" in failures(changed(path, later), clip, boundary="keyframe")["copied"]

    def noise(self, seconds: float = 0.5, channels: int = 2) -> np.ndarray[Any, Any]:
        size = (int(seconds * self.RATE), channels)
        return np.random.default_rng(1).normal(0, 0.1, size).astype(np.float32)

    def test_faults(self) -> None:
        sound = self.noise()
        assert not list(faults(sound, sound, self.RATE))
        assert not list(faults(sound * 0.8, sound, self.RATE))
        assert not list(faults(sound.mean(axis=1, keepdims=True), sound, self.RATE))
        turned, one, gap = sound * [1, -1], sound * [1, 0], sound.copy()
        gap[5000:10_000] = 0
        assert [*faults(turned, sound, self.RATE)] == ["is turned round in channel 2"]
        assert [*faults(one, sound, self.RATE)] == ["is silent and the source's is not in channel 2"]
        assert len([*faults(gap, sound, self.RATE)]) == 2
        assert next(faults(sound, sound * 0, self.RATE)).startswith("is louder")

    def test_a_tone_of_a_low_rate_is_where_it_is_nearest(self) -> None:
        times = np.arange(8000) / 8000
        there = (0.1 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
        heard = (0.1 * np.sin(2 * np.pi * 440 * (times + 0.4 / 8000))).astype(np.float32)[2000:6000]
        match = match_sound(heard, there, 8000)
        assert match is not None
        assert abs(match.offset_s) < 0.0003

    def test_packets_that_last_long_are_off_at_a_joint(self, tmp_path: Path, exhaustive: bool) -> None:
        if not exhaustive:
            pytest.skip("seconds: needs --exhaustive")
        movie = ffzero.open(real("nasa_13013.mp4"))
        clip = movie["0.632":"1.832"] + movie["12.27":"13.52"]  # type: ignore[misc]
        clip.write(tmp_path / "out.mp4", boundary="render", verify=True)


class TestHeaders:
    @pytest.fixture
    def output(self, tmp_path: Path) -> Path:
        """An output of pictures, sound, cues and chapters, its record beside it."""
        path = tmp_path / "out.mp4"
        ffzero.open(media.made("multi.mp4"))["3.6":5].write(path, boundary="render", sidecar=True)  # type: ignore[misc]
        shutil.copy(sidecar_path(path), sidecar_path(path.with_name("changed.mp4")))
        assert ffzero.verify(path).passed
        return path

    def test_a_turned_picture(self, output: Path) -> None:
        def turn(data: bytearray) -> None:
            struct.pack_into(">9i", data, boxes(data, b"tkhd")[0] + 40, 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)

        assert "turned by the matrix" in failures(changed(output, turn))["headers"]

    def test_another_size(self, output: Path) -> None:
        def shrink(data: bytearray) -> None:
            struct.pack_into(">2I", data, boxes(data, b"tkhd")[0] + 76, 100 << 16, 50 << 16)

        assert "shown as 100×50" in failures(changed(output, shrink))["headers"]

    def test_a_track_that_is_not_enabled(self, output: Path) -> None:
        def disable(data: bytearray) -> None:
            data[boxes(data, b"tkhd")[0] + 3] &= 0xFE

        assert "it is not enabled" in failures(changed(output, disable))["headers"]

    def test_all_marked_as_key_pictures(self, output: Path) -> None:
        def unmark(data: bytearray) -> None:
            at = boxes(data, b"stss")[0]
            data[at - 4 : at] = b"free"

        assert "called key pictures that are none" in failures(changed(output, unmark))["copied"]

    def test_cues_of_other_text_and_time(self, output: Path) -> None:
        (number,) = (track.id for track in ffzero.open(output).info().tracks if track.kind == "subtitle")
        place, (offset, size) = next((n, one) for n, one in enumerate(samples(output, number)) if one[1] > 3)

        def rewrite(data: bytearray) -> None:
            data[offset + 3 : offset + size] = b"X" * (size - 3)

        assert f"text track {number}: sample {place} has other bytes" in failures(changed(output, rewrite))["copied"]
        index = [track.id for track in open_input(str(output)).media.box.tracks].index(number)  # type: ignore[union-attr]

        def hurry(data: bytearray) -> None:
            at = boxes(data, b"stts")[index] + 12
            (ticks,) = struct.unpack_from(">I", data, at)
            struct.pack_into(">I", data, at, ticks // 10)

        assert "is shown " in failures(changed(output, hurry))["copied"]

    def test_a_chapter_of_another_name(self, tmp_path: Path) -> None:
        path = tmp_path / "out.mp4"
        clip = ffzero.open(media.made("multi.mp4"))[0:6]
        clip.write(path, boundary="keyframe")
        (first, *_) = ffzero.open(path).info().chapters
        title = first.title.encode()

        def rename(data: bytearray) -> None:
            at = 0
            while (at := data.find(title, at)) != -1:
                data[at : at + len(title)] = b"Z" * len(title)

        assert repr(first.title) in failures(changed(path, rename), clip, boundary="keyframe")["chapters"]

    def test_parts_cut_at_chapters(self, tmp_path: Path) -> None:
        for number, part in enumerate(ffzero.open(real("sample_with_chapters.mp4")).split(chapters=True)):
            part.write(tmp_path / f"{number}.mp4", verify=True)

    def test_data_of_one_sample_goes_on_behind_a_joint(self, tmp_path: Path, exhaustive: bool) -> None:
        if not exhaustive:
            pytest.skip("seconds: needs --exhaustive")
        movie = ffzero.open(real("rotated_hdr_video.mov"))
        movie.remove([("0.5", "0.9")]).write(tmp_path / "out.mov", verify=True)


class TestOddRecords:
    @pytest.fixture
    def output(self, tmp_path: Path) -> Path:
        """An output of a file of its own, its record beside it."""
        mine, path = tmp_path / "mine.mp4", tmp_path / "out.mp4"
        shutil.copy(media.made("multi.mp4"), mine)
        ffzero.open(mine)[1:3].write(path, boundary="render", sidecar=True)
        return path

    def test_a_source_that_is_another_file_now(self, output: Path, tmp_path: Path) -> None:
        ffzero.open(media.made("fast.mp4"))[0:2].write(tmp_path / "mine.mp4", overwrite=True)
        assert "the record tells of" in failures(output)["sources"]

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("first_sample", 10**9),
            ("first_sample", -1),
            ("stop_sample", 2**70),
            ("track", 77),
            ("source_start_s", 2**63),
            ("drops", [[5, 1]]),
            ("start_s", None),
        ],
    )
    def test_a_record_that_cannot_be(self, output: Path, key: str, value: Any) -> None:
        record = json.loads(Path(sidecar_path(output)).read_text())
        next(one for one in record["segments"] if one["action"] == "copy")[key] = value
        Path(sidecar_path(output)).write_text(json.dumps(record))
        try:
            assert "sources" in failures(output)
        except InvalidDataError as error:
            assert "not the record of an edit" in str(error)

    def test_an_empty_output(self, output: Path) -> None:
        output.write_bytes(b"")
        assert "readable" in failures(output)
