"""Cuts by stream copy: what is in the output, at which times, beside what the source shows there."""

from __future__ import annotations

import random
import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from ffzero.containers.libav import RemuxPiece, RemuxPlan, execute_remux, plan_remux, probe
from ffzero.errors import TimeRangeError
from support import media, remux
from support.encoding import ffmpeg

MADE = [
    "h264_aac.mkv",
    "h264_flac.mkv",
    "live.mkv",
    "vp9_opus.webm",
    "h264_aac.ts",
    "open_gop.ts",
    "open_gop.mp4",
    "mpeg2.m2ts",
    "asp.avi",
    "h264_aac.flv",
]
HOLDS_NO_NEGATIVE = (".mkv", ".webm", ".flv")


def cut(source: Path, output: Path, start: Fraction | None, end: Fraction | None) -> RemuxPlan:
    plan = plan_remux([RemuxPiece(path=str(source), start_s=start, end_s=end)], output)
    result = execute_remux(plan, overwrite=True)
    assert result.bytes_total == output.stat().st_size == result.bytes_copied + result.bytes_header
    assert result.bytes_shared == 0
    return plan


def check_pictures(source: Path, output: Path, plan: RemuxPlan) -> Fraction:
    """All pictures of the range, bit-exact, in the same relative times, from the key picture that the plan named."""
    piece, zero = plan.pieces[0], remux.time_zero(source)
    shown = [(time - zero, digest) for time, digest in remux.pictures(source)]
    start = piece.actual_start_s - Fraction(1, 2000)
    wanted = [(t, d) for t, d in shown if t >= start and (piece.end_s is None or t < piece.end_s)]
    got = remux.pictures(output)
    assert [d for _, d in got[: len(wanted)]] == [d for _, d in wanted]
    assert abs(wanted[0][0] - piece.actual_start_s) <= Fraction(1, 1000)
    tick = Fraction(1, 1000)  # Matroska's and FLV's
    for (t, _), (u, _) in zip(wanted, got, strict=False):
        assert abs((t - wanted[0][0]) - (u - got[0][0])) <= tick
    extra = [d for _, d in got[len(wanted) :]]
    assert extra == [d for _, d in shown if d in extra], "pictures after the end that the last ones needed"
    return got[0][0]


def check_sound(source: Path, output: Path, plan: RemuxPlan, first_picture: Fraction, track: int = 0) -> None:
    """An unbroken run of the source's packets, at the same distance from the pictures to 1 ms."""
    piece, zero = plan.pieces[0], remux.time_zero(source)
    shift = piece.actual_start_s + zero - first_picture
    theirs, ours = remux.audio_packets(source, track), remux.audio_packets(output, track)
    ours_at = min(range(len(theirs)), key=lambda i: abs(theirs[i][0] - shift - ours[0][0]))
    run = theirs[ours_at : ours_at + len(ours)]
    assert [d for _, d in run] == [d for _, d in ours]
    assert max(abs(t - shift - u) for (t, _), (u, _) in zip(run, ours, strict=True)) <= Fraction(1, 1000)
    if piece.end_s is not None and run[-1] != theirs[-1]:
        assert theirs[ours_at + len(ours)][0] - zero >= piece.end_s - Fraction(1, 1000)
    if piece.start_s is not None:
        longest = max(b[0] - a[0] for a, b in pairwise(theirs))
        late = longest if output.suffix in HOLDS_NO_NEGATIVE else 0
        assert run[0][0] - zero <= max(piece.actual_start_s + late, theirs[0][0] - zero) + Fraction(1, 1000)


@pytest.mark.parametrize("name", MADE)
def test_cut_into_the_same_container(name: str, tmp_path: Path) -> None:
    source, output = remux.made(name), tmp_path / name
    chance = random.Random(name)
    for _ in range(3):
        start = Fraction(chance.randrange(0, 5000), 1000)
        plan = cut(source, output, start, start + Fraction(chance.randrange(300, 2500), 1000))
        assert plan.pieces[0].actual_start_s <= start or start < Fraction(1, 10)
        first = check_pictures(source, output, plan)
        if source.suffix in (".mkv", ".webm", ".mp4"):
            assert first == 0
        if source.suffix != ".avi":  # AVI cannot delay its sound: see its own test
            check_sound(source, output, plan, first)


@pytest.mark.parametrize("extension", ["mkv", "mp4", "mov", "ts", "flv"])
@pytest.mark.parametrize("name", ["h264_aac.mkv", "h264_aac.ts", "open_gop.mp4", "h264_aac.flv"])
def test_change_of_container(name: str, extension: str, tmp_path: Path) -> None:
    source, output = remux.made(name), tmp_path / f"o.{extension}"
    for start, end in ((None, None), (Fraction("2.345"), Fraction("4.321"))):
        plan = cut(source, output, start, end)
        first = check_pictures(source, output, plan)
        assert extension not in ("mkv", "mp4", "mov") or first <= Fraction(1, 10)
        check_sound(source, output, plan, first)


def test_avi_sound_stays_within_a_packet_of_its_pictures(tmp_path: Path) -> None:
    source, output = remux.made("asp.avi"), tmp_path / "o.avi"
    plan = cut(source, output, Fraction("3.3"), Fraction("5.2"))
    first = check_pictures(source, output, plan)
    theirs, ours = remux.audio_packets(source), remux.audio_packets(output)
    at = [d for _, d in theirs].index(ours[5][1])
    apart = (theirs[at][0] - plan.pieces[0].actual_start_s) - (ours[5][0] - first)
    assert abs(apart) <= Fraction(25, 1000)


def test_coarse_sound_times_become_exact_samples(tmp_path: Path) -> None:
    """Matroska rounds 1024 samples to 21 or 22 ms; MP4 counts samples, and must not inherit the jitter."""
    output = tmp_path / "o.mp4"
    cut(remux.made("h264_aac.mkv"), output, Fraction(2), Fraction(6))
    with av.open(str(output)) as container:
        times = [packet.pts for packet in container.demux(audio=0) if packet.pts is not None]
    assert {b - a for a, b in pairwise(times)} == {1024}


def test_hevc_of_mp4_is_tagged_as_quicktime_wants_it(tmp_path: Path) -> None:
    source = media.made("hevc_cra_rasl_hvc1.mp4")
    middle, output = tmp_path / "o.ts", tmp_path / "o.mp4"
    cut(source, middle, None, None)
    cut(middle, output, None, None)
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


@pytest.mark.parametrize("name", ["sound.mp3", "sound.wav", "sound.ogg"])
def test_sound_alone_is_cut_at_its_packets(name: str, tmp_path: Path) -> None:
    source, output = remux.made(name), tmp_path / name
    plan = cut(source, output, Fraction(2), Fraction(5))
    assert abs(plan.pieces[0].actual_start_s - 2) < Fraction(1, 10)
    assert abs(probe(output).duration_s - 3) < Fraction(2, 10)


def test_everything_in_the_file_survives(tmp_path: Path) -> None:
    output = tmp_path / "o.mkv"
    plan = cut(remux.made("multi.mkv"), output, Fraction("2.6"), Fraction("4.1"))
    assert plan.pieces[0].actual_start_s == 2
    info = probe(output)
    kinds = [(track.kind, track.codec, track.language) for track in info.tracks]
    assert kinds[:5] == [
        ("video", "h264", "und"),
        ("audio", "aac", "eng"),
        ("audio", "aac", "deu"),
        ("subtitle", "subrip", "fra"),
        ("subtitle", "ass", "und"),
    ]
    assert kinds[5][0] == "attachment"
    assert [(float(c.start_s), float(c.end_s), c.title) for c in info.chapters] == [(0, 1.5, "One"), (1.5, 2.1, "Two")]
    assert info.metadata["title"] == "A title"
    assert "comment" in info.tracks[2].special
    for track in (0, 1):
        [(start, length, text)] = remux.cues(output, track)
        assert (start, length) == (Fraction(1, 2), Fraction(16, 10))  # clipped at 4.1 s
        assert b"across" in text
    with av.open(str(output)) as container:
        assert b"first" in container.streams.attachments[0].data


@pytest.mark.parametrize("extension", ["mkv", "ts"])
def test_a_second_video_stream_tells_what_it_lost_before_its_key_picture(extension: str, tmp_path: Path) -> None:
    source, output = tmp_path / f"two.{extension}", tmp_path / f"cut.{extension}"
    inputs = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=4", "-map", "0", "-map", "0", "-c:v", "libx264", "-bf", "0")
    ffmpeg(*inputs, "-sc_threshold", "0", "-g:v:0", "25", "-g:v:1", "40", source)
    plan = plan_remux([RemuxPiece(path=str(source), start_s=Fraction(2), end_s=Fraction(4))], output)
    result = execute_remux(plan)
    with av.open(output) as container:
        second = [packet for packet in container.demux(video=1) if packet.size]
    skipped = 80 - 50
    (told,) = (warning for warning in result.warnings if "stream 1" in warning)
    assert f"the {skipped} pictures before it are left out" in told
    assert len(second) == 50 - skipped


def test_a_cue_that_began_before_the_cut_is_kept_from_the_cut_on(tmp_path: Path) -> None:
    output = tmp_path / "o.mkv"
    cut(remux.made("multi.mkv"), output, Fraction("3.2"), Fraction("6"))
    assert remux.cues(output) == [(Fraction(0), Fraction("1.5"), b"<i>across</i>")]


def test_text_goes_between_mp4_and_matroska(tmp_path: Path) -> None:
    there, back = tmp_path / "o.mp4", tmp_path / "o.mkv"
    plan = cut(remux.made("multi.mkv"), there, None, None)
    assert remux.cues(there) == [
        (Fraction("0.5"), Fraction(1), b"\0\5first"),
        (Fraction("2.5"), Fraction(2), b"\0\6across"),
    ]
    lost = [str(stream) for stream in plan.pieces[0].streams if stream.carry.value == "drop"]
    assert lost == [
        "#4 subtitle ass (und): dropped, MP4 cannot hold ass",
        "#5 attachment (und): dropped, MP4 has no attachments",
    ]
    assert all(any(line in warning for warning in plan.warnings) for line in lost)
    cut(there, back, None, None)
    assert [text for _, _, text in remux.cues(back)] == [b"first", b"across"]


def test_cover_art_goes_between_mp4_and_matroska(tmp_path: Path) -> None:
    there, back = tmp_path / "o.mkv", tmp_path / "o.mp4"
    cut(remux.made("multi.mp4"), there, Fraction(3), Fraction(5))
    cut(there, back, None, None)
    for path in (there, back):
        assert [track.kind for track in probe(path).tracks].count("cover") == 1


def test_rotation_is_kept(tmp_path: Path) -> None:
    turned, output = tmp_path / "turned.mp4", tmp_path / "o.mkv"
    command = [media.ffmpeg_exe(), "-v", "error", "-display_rotation:v", "90", "-i", str(remux.made("open_gop.mp4"))]
    subprocess.run([*command, "-c", "copy", str(turned)], check=True, timeout=60)
    cut(turned, output, Fraction(2), Fraction(4))
    assert probe(turned).tracks[0].rotation_degrees == probe(output).tracks[0].rotation_degrees == 270


def test_a_cut_that_begins_with_a_recovery_point_is_decodable_in_a_transport_stream(tmp_path: Path) -> None:
    """FFmpeg's muxer writes parameter sets before IDR pictures only."""
    output = tmp_path / "o.ts"
    plan = cut(remux.made("open_gop.mp4"), output, Fraction("2.5"), Fraction("3.5"))
    assert plan.pieces[0].actual_start_s > 1
    check_pictures(remux.made("open_gop.mp4"), output, plan)


def test_time_stamps_that_jump_are_made_continuous(tmp_path: Path) -> None:
    one = remux.made("h264_aac.ts")
    later, jumps = tmp_path / "later.ts", tmp_path / "jumps.ts"
    command = [media.ffmpeg_exe(), "-v", "error", "-i", str(one), "-c", "copy", "-output_ts_offset", "9000", str(later)]
    subprocess.run(command, check=True, timeout=60)
    jumps.write_bytes(one.read_bytes() + later.read_bytes() + one.read_bytes())
    info = probe(jumps)
    assert "time stamps jump" in info.special
    assert abs(info.duration_s - 3 * remux.SECONDS) < Fraction(1, 5)
    output = tmp_path / "o.mkv"
    plan = cut(jumps, output, Fraction("6.5"), Fraction("18"))
    assert any("jump" in warning for warning in plan.warnings)
    shown = remux.pictures(output)
    steps = {b[0] - a[0] for a, b in pairwise(shown)}
    assert max(steps) < Fraction(1, 10)
    assert abs(shown[-1][0] - 12) < Fraction(1, 5)
    sound = remux.audio_packets(output)
    assert max(b[0] - a[0] for a, b in pairwise(sound)) < Fraction(1, 10)


def real(*containers: str) -> list[media.Media]:
    return [m for m in media.real_media() if m.container in containers]


@pytest.mark.parametrize("item", real("Matroska", "WebM", "MPEG-TS", "AVI", "FLV"), ids=lambda m: m.name)
def test_real_file(item: media.Media, tmp_path: Path) -> None:
    source = item.path()
    length = min(probe(source).duration_s, remux.pictures(source)[-1][0] - remux.time_zero(source))
    output = tmp_path / f"o{source.suffix}"
    chance, done = random.Random(item.name), 0
    for _ in range(3):
        start = length * chance.randrange(0, 70) / 100
        end = start + min(6, (length - start) * chance.randrange(30, 100) / 100)
        try:
            plan = cut(source, output, start, end)
        except TimeRangeError as error:
            assert "no key picture before" in str(error)  # the file begins without one
            continue
        done += 1
        first = check_pictures(source, output, plan)
        with av.open(str(source)) as one, av.open(str(output)) as other:
            assert sorted(s.type for s in one.streams) == sorted(s.type for s in other.streams)
            sound = len(one.streams.audio) and source.suffix != ".avi"
        if sound:
            check_sound(source, output, plan, first)
    assert done or item.name == "no-initial-keyframe.ts"
