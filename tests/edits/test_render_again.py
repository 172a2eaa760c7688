"""What rendering must bear: clips that begin with a rendered piece, sources without loss, outputs edited again."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import ffzero
from support.encoding import ffmpeg
from support.media import ffmpeg_exe
from support.rendering import check_complaints
from support.shown import Shown, psnr_db, shown

STEP = Fraction(1, 25)
X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=10:min-keyint=10:scenecut=0:open-gop=0"
KINDS = {
    "h264.mp4": "-c:v libx264 -preset veryfast -g 10 -bf 2 -pix_fmt yuv420p",
    "coarse.mp4": "-c:v libx264 -preset veryfast -g 10 -bf 2 -pix_fmt yuv420p -video_track_timescale 25",
    "lossless.mp4": "-c:v libx264 -preset veryfast -g 10 -bf 2 -qp 0 -pix_fmt yuv420p",
    "hevc.mp4": f"{X265}:bframes=3 -tag:v hvc1",
}


def made(folder: Path, name: str, *sound: str) -> Path:
    path = folder / f"{'loud ' if sound else ''}{name}"
    argv = [ffmpeg_exe(), "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=192x108:r=25:d=1.6", *sound]
    subprocess.run([*argv, *KINDS[name].split(), str(path)], check=True, timeout=60, capture_output=True)
    return path


def pieces(path: Path, *ranges: tuple[int, int]) -> ffzero.Clip:
    """Return pictures ``[first, stop)`` of a file, one range after another."""
    movie = ffzero.open(path)
    return ffzero.concat([movie[first * STEP : stop * STEP] for first, stop in ranges])


def check(wanted: list[Shown], path: Path, rendered: int) -> None:
    have = shown(path)
    assert [picture.time for picture in have] == [number * STEP for number in range(len(wanted))]
    pairs = list(zip(wanted, have, strict=True))
    assert min(psnr_db(one.luma, two.luma) for one, two in pairs) >= 45
    assert sum(not np.array_equal(one.data, two.data) for one, two in pairs) <= rendered


@pytest.mark.parametrize("name", KINDS)
def test_a_rendered_piece_first_leaves_room_for_reordered_ones(name: str, tmp_path: Path) -> None:
    source = made(tmp_path, name)
    output = tmp_path / "out.mp4"
    ranges = ((38, 40), (7, 13), (3, 25))
    result = pieces(source, *ranges).write(output, boundary="render")
    assert result.frames_copied > 0
    assert not any("PSNR" in warning for warning in result.warnings)
    pictures = shown(source)
    check([pictures[number] for low, high in ranges for number in range(low, high)], output, result.frames_rendered)
    assert not check_complaints([(source, None)], output)
    media = ffzero.open(output).media
    assert media is not None
    assert media.main_video is not None
    assert media.main_video.table.composition_range[0] >= 0


@pytest.mark.parametrize("entries", [1, 2])
@pytest.mark.parametrize("start", [3, 6, 9, 12])
def test_an_output_with_the_sets_of_two_coders_is_cut_again(
    start: int, entries: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if entries == 2:  # as where the lengths of the source's NAL units are too short
        monkeypatch.setattr("ffzero.frames.pictures.hevc._LEAST_LENGTH_SIZE", 5)
    source, joined, output = made(tmp_path, "hevc.mp4"), tmp_path / "joined.mp4", tmp_path / "out.mp4"
    pieces(source, (3, 16), (22, 40), (17, 19), (5, 31)).write(joined, boundary="render")
    media = ffzero.open(joined).media
    assert media is not None
    assert media.main_video is not None
    assert len(media.main_video.entries) == entries
    monkeypatch.undo()
    result = pieces(joined, (start, start + 40)).write(output, boundary="render")
    assert result.frames_copied > 0
    check(shown(joined)[start : start + 40], output, result.frames_rendered)
    assert not check_complaints([(joined, None)], output)


@pytest.mark.parametrize(("timing", "entries"), [(":vui-timing-info=0", 1), ("", 2)])
def test_pictures_coded_for_two_files_whose_entries_mean_the_same(timing: str, entries: int, tmp_path: Path) -> None:
    """The sets of what is coded tell the rate where a source's do; then those of two rates have the same ids."""
    sources = [tmp_path / "25.mp4", tmp_path / "50.mp4"]
    for path in sources:
        moving = f"testsrc2=s=192x108:r={path.stem}:d=1.6"
        ffmpeg("-f", "lavfi", "-i", moving, *f"{X265}:bframes=3:level-idc=3{timing} -tag:v hvc1".split(), path)
    output = tmp_path / "out.mp4"
    result = ffzero.concat([pieces(path, (3, 27)) for path in sources]).write(output, boundary="render")
    media = ffzero.open(output).media
    assert media is not None and media.main_video is not None
    assert len(media.main_video.entries) == entries
    wanted = [picture for path in sources for picture in shown(path) if 3 * STEP <= picture.time < 27 * STEP]
    have = shown(output)
    assert [len(have), result.frames_copied + result.frames_rendered] == [len(wanted)] * 2
    pairs = list(zip(wanted, have, strict=True))
    assert min(psnr_db(one.luma, two.luma) for one, two in pairs) >= 45
    assert sum(not np.array_equal(one.data, two.data) for one, two in pairs) <= result.frames_rendered
    assert not check_complaints([(path, None) for path in sources], output)


def test_a_piece_whose_sound_is_another_track_is_no_fault_to_verification(tmp_path: Path) -> None:
    sound = ("-f", "lavfi", "-i", "anoisesrc=d=1.6:a=0.2:r=48000", "-c:a", "aac")
    loud, only = made(tmp_path, "h264.mp4", *sound), tmp_path / "sound.m4a"
    subprocess.run(
        [ffmpeg_exe(), "-nostdin", "-v", "error", *sound, str(only)], check=True, timeout=60, capture_output=True
    )
    clip = ffzero.concat([ffzero.open(path)[:] for path in (loud, made(tmp_path, "h264.mp4"), only, loud)])
    result = clip.write(tmp_path / "out.mp4", verify=True)
    assert result.verification is not None
    assert result.verification["passed"]
    (sounds,) = (each for each in result.verification["checks"] if each["name"] == "sound")
    assert len(sounds["offsets"]) >= 3
