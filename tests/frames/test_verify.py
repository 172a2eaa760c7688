"""Verification finds real damage and names it, and finds nothing wrong with what is right."""

from __future__ import annotations

import functools
import json
import os
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
from ffzero.edits.proof import proof
from ffzero.edits.proof.proof import Check, Status
from ffzero.edits.proof.record import Record, read_record, sidecar_path
from ffzero.errors import InvalidDataError, SourceNotFoundError, UnsupportedError, VerificationError
from ffzero.frames.proof.hearing import match_sound
from support import media
from support.samples import closed_sample

REAL = "append_v2.mp4"


@functools.cache
def source() -> Path:
    """Return a real file, or a made one of closed groups, of which no copied byte changes."""
    real = {item.name: item.path() for item in media.real_media()}
    return real[REAL] if REAL in real else closed_sample()


def keyed_clip() -> Clip:
    """Two seconds or more that begin at a key picture: all of it is copied, and no edit hides any."""
    movie = ffzero.open(source())
    first = next(time for time in movie.keyframes() if time >= 1)
    last = next(time for time in movie.keyframes() if time >= first + 2)
    return movie[first:last]


def joined_clip() -> Clip:
    movie = ffzero.open(source())
    return movie[Fraction("1.05") : Fraction("2.63")] + movie[Fraction("4.11") : Fraction("5.9")]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output all of which is copied, its record beside it."""
    path = tmp_path / "out.mp4"
    keyed_clip().write(path, boundary="keyframe", sidecar=True)
    return path


def checks(path: Path, against: Any = None, **options: Any) -> dict[str, list[Check]]:
    found: dict[str, list[Check]] = {}
    for check in ffzero.verify(path, against, **options).checks:
        found.setdefault(check.name, []).append(check)
    return found


def failures(path: Path, against: Any = None, **options: Any) -> dict[str, str]:
    """Return the messages of what failed, those of one name joined."""
    found: dict[str, str] = {}
    for check in ffzero.verify(path, against, **options).failures:
        found[check.name] = "; ".join(filter(None, (found.get(check.name), check.message)))
    return found


def samples(path: Path, track: int) -> list[tuple[int, int]]:
    index = ffzero.open(path).samples(track)
    return list(zip(index.offset_bytes.tolist(), index.size_bytes.tolist(), strict=True))


def tracks(path: Path) -> dict[str, int]:
    return {track.kind: track.id for track in reversed(ffzero.open(path).info().tracks)}


def patch(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def ffmpeg(*words: object) -> None:
    command = [media.ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *map(str, words)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)


def test_what_is_right_passes(output: Path) -> None:
    found = ffzero.verify(output)
    assert found.passed, str(found)
    names = {"sources", "tracks", "headers", "chapters", "copied", "pictures", "sound"}
    assert {check.name for check in found.checks} == names
    assert all(check.status is Status.PASSED for check in found.checks)
    (pictures,) = (check for check in found.checks if check.name == "pictures")
    assert pictures.details["shown"] == pictures.details["copied"] == len(samples(output, tracks(output)["video"]))
    assert json.loads(json.dumps(found.to_dict()))["passed"] is True


@pytest.mark.parametrize("boundary", ["auto", "render"])
def test_rendered_joints_pass_with_their_quality(boundary: str, tmp_path: Path) -> None:
    clip, path = joined_clip(), tmp_path / "out.mp4"
    result = clip.write(path, boundary=boundary, verify=True)
    assert result.verification is not None
    assert result.verification["passed"], result.verification
    rendered = [check for check in result.verification["checks"] if check["name"] == "rendered"]
    assert sum(check["pictures"] for check in rendered) == result.frames_rendered > 0
    for check in rendered:
        assert 45 <= check["psnr_db_min"] <= check["psnr_db_mean"] <= 100
        assert 0.99 <= check["ssim_min"] <= check["ssim_mean"] <= 1
        assert check["vmaf_min"] is None or check["vmaf_min"] > 90
    assert not os.path.exists(sidecar_path(path)), "nobody asked for one"
    hidden = [risk for risk in result.verification["player_risks"] if "hides" in risk]
    assert bool(hidden) == (boundary == "auto")


REAL = (
    "nasa_13013.mp4",
    "sample_with_chapters.mp4",
    "foreman-hevc-384.mp4",
    "iibbibb_editlist_videoonly.mp4",
    "h264-png.mp4",
    "Tiny Sample - NEW - Metaxed.mp4",
)
"""Two of everything; chapters; open groups of pictures of HEVC and H.264; a still; keys that are none."""


@pytest.mark.parametrize("name", REAL)
def test_real_files_pass(name: str, tmp_path: Path) -> None:
    real = {item.name: item.path() for item in media.real_media()}
    if name not in real:
        pytest.skip("needs FFZERO_MEDIA")
    movie = ffzero.open(real[name])
    length = movie.duration - movie.start
    first, last = (movie.start + length * part for part in (Fraction(2, 7), Fraction(5, 7)))
    clip = movie[first : first + length / 5] + movie[last : last + length / 4]
    path = tmp_path / f"out{real[name].suffix}"
    found = clip.write(path, boundary="render", verify=True).verification
    assert found is not None
    assert found["passed"]
    assert [check["status"] for check in found["checks"] if check["name"] == "pictures"] != ["not checked"]


def test_a_short_copied_group_whose_headers_were_all_rewritten_is_found(tmp_path: Path) -> None:
    real = {item.name: item.path() for item in media.real_media()}
    if "iibbibb_editlist_videoonly.mp4" not in real:
        pytest.skip("needs FFZERO_MEDIA")
    clip = ffzero.open(real["iibbibb_editlist_videoonly.mp4"]).apply("null", "3.6", 6)
    found = clip.write(tmp_path / "out.mp4", verify=True).verification
    assert found is not None
    assert found["passed"]


def test_plan_and_clip_and_record_are_all_taken(tmp_path: Path) -> None:
    clip, path = joined_clip(), tmp_path / "out.mp4"
    clip.write(path, boundary="render")
    record = clip.record("render")
    for against in (clip.plan("render"), record, Record.from_dict(json.loads(json.dumps(record.to_dict())))):
        assert ffzero.verify(path, against).passed
    assert ffzero.verify(path, clip, boundary="render").passed
    assert not ffzero.verify(path, clip, boundary="keyframe").passed


class TestDamage:
    @pytest.mark.parametrize("kind", ["video", "audio"])
    def test_a_flipped_bit_in_a_copied_sample(self, output: Path, kind: str) -> None:
        number = tracks(output)[kind]
        offset, size = samples(output, number)[20]
        data = output.read_bytes()[offset + size // 2]
        patch(output, offset + size // 2, bytes([data ^ 1]))
        found = failures(output)
        assert f"{kind} track {number}: sample 20 has other bytes than source sample" in found["copied"]

    def test_a_flipped_bit_in_an_open_group_is_seen_in_its_picture(self, tmp_path: Path) -> None:
        """There copied samples may have other headers: their bytes are not held against the source's."""
        path = tmp_path / "out.mp4"
        ffzero.open(media.made("h264_open_gop.mp4"))[2:5].write(path, boundary="keyframe", sidecar=True)
        assert not failures(path)
        offset, size = samples(path, tracks(path)["video"])[20]
        patch(path, offset + size // 2, bytes([path.read_bytes()[offset + size // 2] ^ 1]))
        assert "copied and not the source's" in failures(path)["pictures"]

    def test_two_swapped_samples(self, output: Path) -> None:
        number = tracks(output)["video"]
        (a, size_a), (b, size_b) = (samples(output, number)[n] for n in (9, 10))
        data = output.read_bytes()
        sizes = data.index(struct.pack(">2I", size_a, size_b), data.index(b"stsz"))
        patch(output, sizes, struct.pack(">2I", size_b, size_a))
        if a + size_a == b:  # in one chunk
            patch(output, a, data[b : b + size_b] + data[a : a + size_a])
        else:
            patch(output, data.index(struct.pack(">2I", a, b), data.index(b"stco")), struct.pack(">2I", b, a))
        found = failures(output)
        assert "sample 9 is swapped: it holds source sample" in found["copied"]
        assert "copied and not the source's" in found["pictures"]

    def test_a_dropped_picture(self, output: Path, tmp_path: Path) -> None:
        made = tmp_path / "dropped.mp4"
        ffmpeg("-i", output, "-map", "0", "-c", "copy", "-bsf:v", "noise=drop=eq(n\\,21)", made)
        shutil.copy(sidecar_path(output), sidecar_path(made))
        found = failures(made)
        assert "1 missing from sample 21 on" in found["copied"]
        assert "1 missing (" in found["pictures"]

    @pytest.mark.parametrize("shift_ms", [50, -50])
    def test_shifted_sound(self, output: Path, tmp_path: Path, shift_ms: int) -> None:
        made = tmp_path / "shifted.mp4"
        late, early = (shift_ms / 1000, 0) if shift_ms > 0 else (0, -shift_ms / 1000)
        inputs = ("-itsoffset", early, "-i", output, "-itsoffset", late, "-i", output)
        ffmpeg(*inputs, "-map", "0:v", "-map", "1:a", "-c", "copy", made)
        shutil.copy(sidecar_path(output), sidecar_path(made))
        found = ffzero.verify(made)
        text = " ".join(check.message for check in found.failures)
        assert not found.passed
        (sound,) = (check for check in found.checks if check.name == "sound")
        offsets = [one["offset_ms"] for one in sound.details["offsets"]]
        if shift_ms > 0:
            assert sound.status is Status.FAILED
            assert all(abs(offset - shift_ms) < 2 for offset in offsets), offsets
        else:  # the pictures come late: they are what is not in its place
            assert "pictures" in {check.name for check in found.failures}, text

    def test_another_source(self, output: Path, tmp_path: Path) -> None:
        other = tmp_path / "other.mp4"
        movie = ffzero.open(source())
        movie[Fraction("0.5") :].write(other, boundary="keyframe")
        record = read_record(sidecar_path(output))
        first, last = record.pieces[0].start_s, record.pieces[0].end_s
        found = failures(output, ffzero.open(other)[first:last], boundary="keyframe")
        assert {"copied", "pictures"} <= set(found)

    def test_a_source_that_changed_or_is_gone(self, tmp_path: Path) -> None:
        mine, path = tmp_path / "mine.mp4", tmp_path / "out.mp4"
        shutil.copy(source(), mine)
        ffzero.open(mine)[1:3].write(path, sidecar=True)
        os.utime(mine, ns=(1, 1))
        assert "written to since it was edited" in failures(path)["sources"]
        mine.unlink()
        found = checks(path)
        assert "mine.mp4" in found["sources"][0].message
        assert {check.status for check in found["copied"]} == {Status.SKIPPED}

    def test_a_truncated_output(self, output: Path) -> None:
        data = output.read_bytes()
        output.write_bytes(data[: len(data) * 7 // 10])
        found = failures(output)
        assert "ends before" in found["copied"]
        assert "pictures" in found
        output.write_bytes(data[:2000])
        assert "readable" in failures(output)

    def test_a_worse_picture_where_one_was_coded(self, tmp_path: Path) -> None:
        clip, path, made = joined_clip(), tmp_path / "out.mp4", tmp_path / "bad.mp4"
        clip.write(path, boundary="render")
        ffmpeg("-i", path, "-map", "0", "-c:v", "libx264", "-crf", "45", "-bf", "0", "-c:a", "copy", made)
        found = failures(made, clip, boundary="render")
        assert "dB at least" in found["rendered"]
        assert "copied and not the source's" in found["pictures"]

    def test_a_damaged_picture_where_one_was_coded(self, tmp_path: Path) -> None:
        clip, path = joined_clip(), tmp_path / "out.mp4"
        clip.write(path, boundary="render")
        assert clip.plan("render").segments[0].to_dict()["action"] == "render"
        offset, size = samples(path, tracks(path)["video"])[0]
        patch(path, offset + size // 2, bytes(min(64, size // 4)))
        found = failures(path, clip, boundary="render")
        assert {"pictures", "rendered"} & set(found)
        assert "copied" not in found

    def test_a_track_that_is_missing(self, output: Path, tmp_path: Path) -> None:
        made = tmp_path / "silent.mp4"
        ffmpeg("-i", output, "-an", "-c", "copy", made)
        shutil.copy(sidecar_path(output), sidecar_path(made))
        assert "not there: audio track" in failures(made)["tracks"]


def test_a_failed_proof_leaves_the_output_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, verify = tmp_path / "out.mp4", proof.default_verifier()

    def damaged(written: str, record: Record, **options: Any) -> Any:
        offset, size = samples(Path(written), tracks(Path(written))["video"])[5]
        patch(Path(written), offset + size // 2, b"\xff\x00\xff")
        return verify(written, record, **options)

    monkeypatch.setattr(proof, "_provider", [lambda: damaged])
    with pytest.raises(VerificationError, match="is not what was planned: copied") as caught:
        keyed_clip().write(path, boundary="keyframe", verify=True)
    assert path.exists()
    assert caught.value.result.verification["passed"] is False


class TestSidecar:
    def test_times_are_exact_and_all_is_there_again(self, tmp_path: Path) -> None:
        path = tmp_path / "out.mp4"
        joined_clip().write(path, boundary="render", sidecar=True)
        record = read_record(sidecar_path(path))
        assert record == joined_clip().record("render")
        data = json.loads(Path(sidecar_path(path)).read_text())
        assert (data["format"], data["version"]) == ("ffzero-edit", 1)
        assert data["sources"][0]["size_bytes"] == source().stat().st_size
        assert data["expected"]["frames_rendered"] > 0
        assert all(isinstance(segment["start_s"], str) for segment in data["segments"])

    def test_one_that_is_there_is_kept_unless_told(self, tmp_path: Path) -> None:
        path = tmp_path / "out.mp4"
        Path(sidecar_path(path)).write_text("mine")
        with pytest.raises(ffzero.OutputExistsError):
            keyed_clip().write(path, sidecar=True)
        assert not path.exists()
        keyed_clip().write(path, sidecar=True, overwrite=True)
        assert ffzero.verify(path).passed

    @pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "ffzero-edit", "version": 2}', "[" * 5000])
    def test_what_is_none(self, output: Path, text: str) -> None:
        Path(sidecar_path(output)).write_text(text)
        with pytest.raises(InvalidDataError, match="not the record of an edit"):
            ffzero.verify(output)

    def test_every_key_is_needed_or_checked(self, output: Path) -> None:
        data = json.loads(Path(sidecar_path(output)).read_text())
        for spoiled in ({"first_sample": "x"}, {"start_s": "1/0"}, {"start_s": []}, {"samples": None}):
            broken = {**data, "segments": [{**data["segments"][0], **spoiled}]}
            Path(sidecar_path(output)).write_text(json.dumps(broken))
            with pytest.raises(InvalidDataError):
                ffzero.verify(output)

    def test_none_is_there(self, tmp_path: Path, output: Path) -> None:
        os.unlink(sidecar_path(output))
        with pytest.raises(SourceNotFoundError, match="no record"):
            ffzero.verify(output)
        with pytest.raises(SourceNotFoundError, match="no such file"):
            ffzero.verify(tmp_path / "nothing.mp4")

    def test_other_containers_have_none(self, tmp_path: Path) -> None:
        with pytest.raises(UnsupportedError):
            keyed_clip().write(tmp_path / "out.mkv", verify=True)
        assert not list(tmp_path.iterdir())


class TestSound:
    RATE = 48000

    def noise(self, seconds: float, seed: int = 1) -> np.ndarray[Any, Any]:
        return np.random.default_rng(seed).normal(0, 0.1, int(seconds * self.RATE)).astype(np.float32)

    @pytest.mark.parametrize("late", [0, 1, -1, 480, -2400, 11999])
    def test_the_offset_is_found_to_the_sample(self, late: int) -> None:
        there = self.noise(1)
        reach = self.RATE // 4
        heard = there[reach - late : reach - late + self.RATE // 2]
        match = match_sound(heard, there, self.RATE)
        assert match is not None
        assert match.offset_s * self.RATE == pytest.approx(late)
        assert match.likeness == pytest.approx(1, abs=1e-6)

    def test_a_tone_is_where_it_is_nearest(self) -> None:
        there = (0.1 * np.sin(2 * np.pi * 440 * np.arange(self.RATE) / self.RATE)).astype(np.float32)
        match = match_sound(there[self.RATE // 4 : -self.RATE // 4], there, self.RATE)
        assert match is not None
        assert abs(match.offset_s) < 0.0002

    def test_other_sound_is_not_like_it(self) -> None:
        match = match_sound(self.noise(0.5, 2), self.noise(1), self.RATE)
        assert match is not None
        assert match.likeness < 0.1

    def test_silence_tells_nothing(self) -> None:
        assert match_sound(np.zeros(2400, np.float32), self.noise(1), self.RATE) is None
        assert match_sound(self.noise(0.5), np.zeros(self.RATE, np.float32), self.RATE) is None


def test_cancelling(output: Path) -> None:
    token = ffzero.CancelToken()
    token.cancel()
    with pytest.raises(ffzero.CancelledError):
        ffzero.verify(output, cancel=token)


def test_progress_is_told(output: Path) -> None:
    seen: list[ffzero.ProgressEvent] = []
    keep: Callable[[ffzero.ProgressEvent], None] = seen.append
    ffzero.verify(output, reporter=keep)
    assert seen
    assert {event.stage for event in seen} == {"verify"}


def test_packets_coded_beside_a_joint_are_not_sought_in_the_other_piece(tmp_path: Path) -> None:
    path = {item.name: item.path() for item in media.real_media()}.get("example.mp4")
    if path is None:
        pytest.skip("needs FFZERO_MEDIA")
    movie = ffzero.open(path)
    clip = movie["0.1":"0.6"] + movie["0.3":"0.9"]  # the same packets twice
    clip.write(tmp_path / "out.mp4", boundary="render", audio="joint", verify=True)


@pytest.mark.parametrize("ranges", [["4.877:5.763", "0.651:1.478"], ["0:2.5", "4.5:6"], ["0.5:7"]])
def test_edits_that_begin_before_the_one_before_has_ended(ranges: list[str], tmp_path: Path) -> None:
    movie = ffzero.open(media.Media(name="three_edits.mp4").path())
    pieces = [movie[start:end] for start, end in (one.split(":") for one in ranges)]  # type: ignore[misc]
    ffzero.concat(pieces).write(tmp_path / "out.mp4", boundary="render", verify=True)
