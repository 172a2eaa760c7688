"""Plans, joins and errors of copying between containers."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from ffzero.containers.libav import RemuxPiece, execute_remux, keyframes, open_errors, plan_remux, probe
from ffzero.errors import (
    CancelledError,
    DiskFullError,
    EncryptedError,
    FFZeroError,
    IncompatibleError,
    InvalidDataError,
    OutputError,
    OutputExistsError,
    SourceError,
    SourceNotFoundError,
    TimeRangeError,
    UnsupportedError,
    UsageError,
)
from ffzero.reporting import CancelToken, ProgressEvent
from support import media, remux


def piece(name: str, start: str | None = None, end: str | None = None) -> RemuxPiece:
    times = [None if time is None else Fraction(time) for time in (start, end)]
    return RemuxPiece(path=str(remux.made(name)), start_s=times[0], end_s=times[1])


def test_importing_the_package_imports_no_av() -> None:
    code = "import sys, ffzero.containers.libav, ffzero.containers.detect; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0


def test_a_plan_says_where_the_cut_falls_and_that_bytes_are_copied(tmp_path: Path) -> None:
    plan = plan_remux([piece("h264_aac.mkv", "2.6", "4.1")], tmp_path / "o.mkv")
    assert plan.pieces[0].actual_start_s == 2
    assert Fraction("4.1") <= plan.pieces[0].actual_end_s <= Fraction("4.25")
    text = str(plan)
    assert "by copying every packet" in text
    assert "packets from 0:00:02.000" in text
    assert any("0:00:00.600 early" in warning for warning in plan.warnings)
    described = json.loads(json.dumps(plan.to_dict()))
    assert described["copies_bytes"] is True
    assert described["segments"][0]["actual_start_s"] == 2.0
    assert plan == plan_remux([piece("h264_aac.mkv", "2.6", "4.1")], tmp_path / "o.mkv")


@pytest.mark.parametrize("name", ["h264_aac.mkv", "live.mkv", "h264_aac.ts", "h264_aac.flv", "asp.avi", "open_gop.mp4"])
def test_keyframes(name: str) -> None:
    source = remux.made(name)
    with av.open(str(source)) as container:
        if container.format.name == "avi":
            container.flags |= 1
        expected = [p.pts * p.time_base for p in container.demux(video=0) if p.is_keyframe and p.pts is not None]
    zero = remux.time_zero(source)
    assert keyframes(source) == [time - zero for time in expected]
    assert len(expected) >= 8
    assert keyframes(source, limit=2) == keyframes(source)[:2]


def test_every_key_picture_is_found_exactly(tmp_path: Path) -> None:
    """At its own time, a microsecond-rounded time included, and not a moment before."""
    for name in ("h264_aac.ts", "h264_aac.mkv"):
        times = keyframes(remux.made(name))
        for before, time in pairwise(times[:4]):
            rounded = Fraction(round(time * 10**6), 10**6)
            for asked, expected in ((rounded, time), (time - Fraction(1, 100), before)):
                source = RemuxPiece(path=str(remux.made(name)), start_s=asked, end_s=asked + 1)
                assert plan_remux([source], tmp_path / "o.mkv").pieces[0].actual_start_s == expected


def test_probe_shows_what_the_file_holds() -> None:
    info = probe(remux.made("multi.mkv"))
    assert info.container == "matroska"
    assert [track.kind for track in info.tracks] == ["video", "audio", "audio", "subtitle", "subtitle", "attachment"]
    assert (info.tracks[0].width, info.tracks[0].height, info.tracks[0].frame_rate) == (160, 120, 25)
    assert (info.tracks[2].sample_rate, info.tracks[2].channels, info.tracks[2].language) == (44100, 1, "deu")
    assert [chapter.title for chapter in info.chapters] == ["One", "Two"]
    assert abs(info.duration_s - remux.SECONDS) < Fraction(1, 10)
    json.dumps(info.to_dict())
    live = probe(remux.made("live.mkv"))
    assert "declares no length" in live.special
    assert abs(live.duration_s - remux.SECONDS) < Fraction(1, 10)
    assert probe(remux.made("h264_aac.ts")).start_s < Fraction(1, 10)


def test_probe_names_a_truncated_file(tmp_path: Path) -> None:
    for name in ("h264_aac.mkv", "asp.avi"):
        short = tmp_path / name
        data = remux.made(name).read_bytes()
        short.write_bytes(data[: len(data) // 2])
        assert any(note.startswith(f"truncated: declares {len(data)} bytes") for note in probe(short).special)
        result = execute_remux(plan_remux([RemuxPiece(path=str(short))], tmp_path / "o.mkv"), overwrite=True)
        assert any("truncated" in warning for warning in result.warnings)


def test_join_goes_on_where_the_piece_before_ended(tmp_path: Path) -> None:
    output = tmp_path / "o.mkv"
    plan = plan_remux([piece("h264_aac.mkv", "3", "5"), piece("h264_aac.mkv", "1", "2.5")], output)
    result = execute_remux(plan)
    shown = remux.pictures(output)
    source = dict(remux.pictures(remux.made("h264_aac.mkv")))
    joint = Fraction(result.segments[1]["output_start_s"]).limit_denominator(1000)
    parts = [(3, [p for p in shown if p[0] < joint], 0), (1, [p for p in shown if p[0] >= joint], joint)]
    for start, part, at in parts:
        for time, digest in part:
            assert source[time - at + start] == digest
    assert result.segments[0]["output_end_s"] == result.segments[1]["output_start_s"]
    assert Fraction(2) <= joint < Fraction("2.2")
    with av.open(str(output)) as container:
        for stream in (container.streams.video[0], container.streams.audio[0]):
            container.seek(0)
            order = [p.dts for p in container.demux(stream) if p.dts is not None]
            assert all(a < b for a, b in pairwise(order))


def test_join_of_different_parameter_sets_needs_a_stream_that_repeats_them(tmp_path: Path) -> None:
    other = tmp_path / "other.mkv"
    command = [media.ffmpeg_exe(), "-v", "error", "-i", str(remux.made("h264_aac.mkv")), "-t", "2", "-c:a", "copy"]
    params = ["-c:v", "libx264", "-x264-params", "ref=1:bframes=0:qp=20:cabac=1:8x8dct=0", "-profile:v", "main"]
    subprocess.run([*command, *params, str(other)], check=True, timeout=60)
    pieces = [piece("h264_aac.mkv", "3", "5"), RemuxPiece(path=str(other))]
    with pytest.raises(IncompatibleError, match=r"other\.mkv.*video stream 0"):
        plan_remux(pieces, tmp_path / "o.mkv")
    output = tmp_path / "o.ts"
    execute_remux(plan_remux(pieces, output))
    wanted = [d for t, d in remux.pictures(remux.made("h264_aac.mkv")) if 3 <= t < 5] + [
        d for _, d in remux.pictures(other)
    ]
    got = [d for _, d in remux.pictures(output)]
    assert [d for d in got if d in set(wanted)] == wanted


def test_join_names_what_differs(tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError, match=r"expected audio stream 1: codec aac, found flac"):
        plan_remux([piece("h264_aac.mkv"), piece("h264_flac.mkv")], tmp_path / "o.mkv")
    with pytest.raises(IncompatibleError, match=r"expected 2 streams, found 5 streams"):
        plan_remux([piece("h264_aac.mkv"), piece("multi.mkv")], tmp_path / "o.mkv")


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [("5", "5", "holds nothing"), ("5", "4", "holds nothing"), ("50", "60", "begins after"), ("50", None, "begins")],
)
def test_ranges_that_make_no_sense(start: str, end: str | None, message: str, tmp_path: Path) -> None:
    for name in ("h264_aac.mkv", "live.mkv", "h264_aac.ts"):
        with pytest.raises(TimeRangeError, match=message):
            plan_remux([piece(name, start, end)], tmp_path / "o.mkv")


def test_what_cannot_be_read_is_an_error_of_ours_with_the_path(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.mkv", tmp_path / "empty.mkv"
    text.write_text("not a movie\n" * 100, encoding="utf-8")
    empty.touch()
    playlist = tmp_path / "list.m3u8"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://host.invalid/a.ts\n", encoding="utf-8")
    for path, kind in (
        (tmp_path / "none.mkv", SourceNotFoundError),
        (tmp_path, SourceError),
        (text, InvalidDataError),
        (empty, InvalidDataError),
        (playlist, FFZeroError),
    ):
        for work in (probe, keyframes, lambda path: plan_remux([RemuxPiece(path=str(path))], tmp_path / "o.mkv")):
            with pytest.raises(kind) as caught:
                work(path)
            assert str(path) in str(caught.value)


def test_damaged_files_give_our_errors_or_a_result(tmp_path: Path) -> None:
    import random

    chance = random.Random(3)
    for name in ("multi.mkv", "h264_aac.ts", "asp.avi", "h264_aac.flv", "multi.mp4"):
        data = bytearray(remux.made(name).read_bytes())
        for attempt in range(6):
            bad = bytearray(data)
            head = 2000 if attempt % 2 else len(bad)
            for _ in range(30):
                bad[chance.randrange(head)] ^= 1 << chance.randrange(8)
            path = tmp_path / f"bad{Path(name).suffix}"
            path.write_bytes(bad)
            for target in ("o.mkv", "o.mp4"):
                try:
                    cut = RemuxPiece(path=str(path), start_s=Fraction(2), end_s=Fraction(4))
                    execute_remux(plan_remux([cut], tmp_path / target), overwrite=True)
                except FFZeroError as error:
                    assert str(path) in str(error) or target in str(error)


def test_encrypted_samples_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.mp4"
    key = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "00" * 16, "-encryption_kid", "11" * 16]
    command = [media.ffmpeg_exe(), "-v", "error", "-i", str(remux.made("open_gop.mp4")), "-c", "copy", *key, str(path)]
    subprocess.run(command, check=True, timeout=60)
    assert "encrypted" in probe(path).special
    with pytest.raises(EncryptedError, match=r"secret\.mp4"):
        plan_remux([RemuxPiece(path=str(path))], tmp_path / "o.mkv")


def test_what_the_output_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"WebM cannot hold h264; the video would be lost"):
        plan_remux([piece("h264_aac.mkv")], tmp_path / "o.webm")
    with pytest.raises(UnsupportedError, match="MP3 can hold none of its streams"):
        plan_remux([piece("h264_aac.mkv")], tmp_path / "o.mp3")
    with pytest.raises(UsageError, match="no container is known"):
        plan_remux([piece("h264_aac.mkv")], tmp_path / "o.xyz")
    with pytest.raises(UsageError, match="no pieces"):
        plan_remux([], tmp_path / "o.mkv")
    plan = plan_remux([piece("multi.mkv")], tmp_path / "o.ts")
    assert any("MPEG-TS cannot hold subrip" in warning for warning in plan.warnings)


def test_sound_is_taken_out_of_a_movie(tmp_path: Path) -> None:
    output = tmp_path / "o.m4a"
    plan = plan_remux([piece("h264_aac.mkv", "2", "4")], output)
    execute_remux(plan)
    assert any("asks for sound alone" in warning for warning in plan.warnings)
    assert [track.kind for track in probe(output).tracks] == ["audio"]
    assert abs(probe(output).duration_s - 2) < Fraction(1, 10)


def test_an_existing_output_is_refused_and_untouched(tmp_path: Path) -> None:
    output = tmp_path / "o.mkv"
    output.write_bytes(b"mine")
    plan = plan_remux([piece("h264_aac.mkv", "2", "4")], output)
    with pytest.raises(OutputExistsError):
        execute_remux(plan)
    assert output.read_bytes() == b"mine"
    with pytest.raises(OutputError):
        execute_remux(plan_remux([piece("h264_aac.mkv", "2", "4")], tmp_path / "no" / "o.mkv"))


class _StopError(Exception):
    pass


@pytest.mark.parametrize("kind", [KeyboardInterrupt, _StopError])
@pytest.mark.parametrize("extension", ["mkv", "mp4"])
def test_nothing_is_left_after_an_interruption(
    kind: type[BaseException], extension: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ffzero.containers.libav import writing

    monkeypatch.setattr(writing, "_REPORT_EVERY_BYTES", 1)

    def stop(event: ProgressEvent) -> None:
        if event.done > 20_000:
            raise kind

    output = tmp_path / f"o.{extension}"
    plan = plan_remux([piece("h264_aac.mkv")], output)
    with pytest.raises(kind):
        execute_remux(plan, reporter=stop)
    assert os.listdir(tmp_path) == []


def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    cancel = CancelToken()
    threading.Thread(target=cancel.cancel).start()
    cancel.cancel()
    with pytest.raises(CancelledError):
        execute_remux(plan_remux([piece("h264_aac.mkv")], tmp_path / "o.mkv"), cancel=cancel)
    assert os.listdir(tmp_path) == []


def test_progress_counts_bytes_up_to_what_was_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ffzero.containers.libav import writing

    monkeypatch.setattr(writing, "_REPORT_EVERY_BYTES", 1000)
    events: list[ProgressEvent] = []
    result = execute_remux(plan_remux([piece("h264_aac.ts")], tmp_path / "o.mkv"), reporter=events.append)
    done = [event.done for event in events]
    assert done == sorted(done) and len(done) > 20
    assert done[-1] == events[-1].total == result.bytes_copied
    assert all(event.unit == "bytes" and event.total is not None and event.done <= event.total for event in events)
    assert result.frames_copied == 25 * remux.SECONDS


def test_a_full_disk_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError), open_errors(tmp_path / "o.mkv", output=True):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(InvalidDataError, match=r"x\.mkv"), open_errors("x.mkv"):
        raise av.error.InvalidDataError(-1094995529, "Invalid data found")
    with pytest.raises(SourceNotFoundError), open_errors("x.mkv"):
        raise FileNotFoundError(2, "No such file or directory")
    with pytest.raises(ZeroDivisionError), open_errors("x.mkv"):  # a fault of ours stays visible
        raise ZeroDivisionError


@pytest.mark.parametrize(("name", "is_told"), [("h264_open_gop.mp4", True), ("h264_opus.mp4", False)])
def test_a_joint_at_an_open_group_is_told(name: str, is_told: bool, tmp_path: Path) -> None:
    pieces = [
        RemuxPiece(path=str(media.made(name)), start_s=Fraction(start), end_s=Fraction(start + 2)) for start in (4, 8)
    ]
    for joined in (pieces, pieces[::-1]):
        found = [text for text in plan_remux(joined, tmp_path / "o.mkv").warnings if "open group" in text]
        assert len(found) == is_told
    assert not [text for text in plan_remux(pieces[:1], tmp_path / "o.mkv").warnings if "open group" in text]
