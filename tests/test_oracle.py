"""The judge is judged: right cuts made by FFmpeg itself pass, and each kind of wrong one is called by its name."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from support import media
from support.boxes import interior_edits
from support.oracle import decode_video, decode_video_pyav
from support.verdict import check_cut

START, END = Fraction(208, 100), Fraction(432, 100)


def _ffmpeg(*args: object) -> None:
    command = [media.ffmpeg_exe(), "-hide_banner", "-nostdin", "-v", "error", "-y", *map(str, args)]
    subprocess.run(command, check=True, timeout=60)


def _coded_anew(
    source: Path,
    out: Path,
    start: Fraction,
    end: Fraction,
    *,
    audio_s: float = 0.0,
    picture: str = "",
    more: tuple[str, ...] = (),
) -> list[str]:
    """Cut [start, end) of the picture without loss, and sound ``audio_s`` later; return the verdict on [START, END)."""
    sound = f"atrim=start={float(start) + audio_s}:end={float(end) + audio_s},asetpts=PTS-STARTPTS"
    sight = f"trim=start={float(start) - 0.01}:end={float(end) - 0.01},setpts=PTS-STARTPTS{picture}"
    _ffmpeg(
        "-i", source, "-filter_complex", f"[0:v]{sight}[v];[0:a]{sound}[a]", "-map", "[v]", "-map", "[a]",
        "-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", "-c:a", "alac", "-movflags", "+faststart", *more, out,
    )  # fmt: skip
    return check_cut(source, out, START, END)


@pytest.fixture
def source() -> Path:
    return media.made("h264_alac.mov")


def test_a_right_cut_passes(source: Path, tmp_path: Path) -> None:
    assert _coded_anew(source, tmp_path / "out.mov", START, END) == []


def test_a_copy_of_the_whole_passes(tmp_path: Path) -> None:
    source = media.made("fast.mp4")
    assert check_cut(source, source, Fraction(0), None) == []


LATE = ("-fps_mode", "passthrough", "-enc_time_base:v", "1:12800")
PICTURE = Fraction(1, 25)


@pytest.mark.parametrize(
    ("start", "end", "word"),
    [
        (START + PICTURE, END, "1 missing"),
        (START - PICTURE, END, "1 not of the range"),
        (START, END - PICTURE, "1 missing"),
        (START, END + PICTURE, "1 not of the range"),
        (START + PICTURE, END + PICTURE, "first difference at picture 0"),
    ],
)
def test_a_picture_too_few_or_too_many_is_seen(
    source: Path, tmp_path: Path, start: Fraction, end: Fraction, word: str
) -> None:
    assert word in "\n".join(_coded_anew(source, tmp_path / "out.mov", start, end))


@pytest.mark.parametrize("audio_s", [0.0005, -0.0005, 0.02])
def test_sound_out_of_step_is_seen(source: Path, tmp_path: Path, audio_s: float) -> None:
    problems = _coded_anew(source, tmp_path / "out.mov", START, END, audio_s=audio_s)
    assert len(problems) == 1
    assert f"{round(audio_s * 48000):+d} samples off" in problems[0]


def test_a_picture_shown_at_the_wrong_time_is_seen(source: Path, tmp_path: Path) -> None:
    late = ",settb=1/12800,setpts=PTS+gte(N\\,9)*64"
    problems = _coded_anew(source, tmp_path / "out.mov", START, END, picture=late, more=LATE)
    assert any("s off" in problem and "0.005" in problem for problem in problems), problems


def test_one_changed_picture_is_seen(source: Path, tmp_path: Path) -> None:
    blot = ",drawbox=x=5:y=5:w=2:h=2:color=red:t=fill:enable='eq(n,20)'"
    problems = _coded_anew(source, tmp_path / "out.mov", START, END, picture=blot)
    assert any("first difference at picture 20" in problem for problem in problems), problems


def test_lossy_sound_coded_anew_in_step_passes_and_out_of_step_does_not(tmp_path: Path) -> None:
    source = media.made("h264_open_gop.mp4")
    more = ("-c:a", "aac", "-aac_pns", "0", "-b:a", "192k")
    right = _coded_anew(source, tmp_path / "right.mp4", START, END, more=more)
    assert [p for p in right if "disturbance" not in p and "ends" not in p] == []
    wrong = _coded_anew(source, tmp_path / "wrong.mp4", START, END, more=more, audio_s=0.0213)
    assert any("correlates" in problem for problem in wrong), wrong


def test_a_keyframe_copy_in_the_middle_of_a_group_is_not_exact(tmp_path: Path) -> None:
    source, out = media.made("h264_open_gop.mp4"), tmp_path / "out.mp4"
    _ffmpeg("-ss", float(START), "-to", float(END), "-i", source, "-c", "copy", "-movflags", "+faststart", out)
    assert check_cut(source, out, START, END)


def test_lost_tracks_chapters_and_order_are_seen(tmp_path: Path) -> None:
    source, out = media.made("multi.mp4"), tmp_path / "out.mp4"
    _ffmpeg("-i", source, "-map", "0:v:0", "-map", "0:a:0", "-map_chapters", "-1", "-c", "copy", out)
    told = "\n".join(check_cut(source, out, Fraction(0), None))
    for word in ("audio track 2 (ac3, deu) is lost", "subtitle track", "cover track", "chapters:", "moov does not"):
        assert word in told, told


def test_a_lost_rotation_is_seen(tmp_path: Path) -> None:
    source = media.made("rot90.mp4")
    told = check_cut(source, media.made("h264_one_gop.mp4"), Fraction(0), None)
    assert any("rotation" in problem for problem in told), told


def test_a_complaint_of_the_decoder_is_seen(tmp_path: Path) -> None:
    source, out = media.made("fast.mp4"), tmp_path / "out.mp4"
    data = bytearray(source.read_bytes())
    data[-60_000:-59_000] = bytes(1000)
    out.write_bytes(data)
    assert any(problem.startswith("FFmpeg says") for problem in check_cut(source, out, Fraction(0), None))


@pytest.mark.parametrize("name", ["h264_open_gop.mp4", "hevc_radl.mp4", "vfr.mp4", "frag_sidx.mp4"])
def test_the_program_and_pyav_show_the_same_pictures(name: str) -> None:
    path = media.made(name)
    program, library = decode_video(path), decode_video_pyav(path)
    assert [pts for pts, _ in program] == [pts for pts, _ in library]
    assert len({digest for _, digest in program}) == len(program), "pictures that look alike hide mistakes"


def test_the_edits_of_the_made_file_are_found() -> None:
    assert interior_edits(media.made("three_edits.mp4")) == [Fraction(3), Fraction(5)]
    assert interior_edits(media.made("h264_open_gop.mp4")) == []
