"""Where coded pictures and sound lie in the file: beside what is played with them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import ffzero
from ffzero.api import Clip
from support.media import ffmpeg_exe, made

MOST_APART_S = 1.2

CLIPS: dict[str, Callable[[ffzero.Movie], Clip]] = {
    "pictures": lambda movie: movie.apply("negate", 1, 7),
    "sound": lambda movie: movie.apply_audio("volume=0.5", 1, 7),
    "both": lambda movie: movie.apply("negate").apply_audio("volume=0.5"),
}


def most_apart_s(path: Path) -> float:
    """Return by how much pictures and sound are ahead of each other, at most, where the file is read in order."""
    media = ffzero.open(path).media
    assert media is not None
    found = []
    for track in media.box.tracks:
        offsets, _ = track.table.offsets_and_sizes(0, track.table.count)
        times = [track.table.dts(sample) / track.timescale for sample in range(track.table.count)]
        found += [(int(at), time, track.id) for at, time in zip(offsets, times, strict=True)]
    reached = dict.fromkeys((track.id for track in media.box.tracks), 0.0)
    apart = 0.0
    for _, time, number in sorted(found):
        reached[number] = time
        apart = max(apart, max(reached.values()) - min(reached.values()))
    return apart


@pytest.mark.parametrize("kind", CLIPS)
def test_coded_samples_lie_beside_what_is_played_with_them(kind: str, tmp_path: Path) -> None:
    source = made("h264_open_gop.mp4")
    assert most_apart_s(source) < MOST_APART_S
    result = CLIPS[kind](ffzero.open(source)).write(tmp_path / "out.mp4")
    assert most_apart_s(Path(result)) < MOST_APART_S


JOINS: dict[str, Callable[[list[ffzero.Movie]], Clip]] = {
    "all sound coded": ffzero.concat,
    "pieces of each": lambda movies: ffzero.concat([movie[1:7] for movie in movies]),
    "an effect": lambda movies: ffzero.concat([movie[:].apply_audio("volume=0.5") for movie in movies]),
}


@pytest.mark.parametrize("kind", JOINS)
def test_coded_sound_of_several_inputs_lies_beside_their_pictures(kind: str, tmp_path: Path) -> None:
    movies = [ffzero.open(made(name)) for name in ("h264_open_gop.mp4", "fast.mp4", "h264_one_gop.mp4")]
    result = JOINS[kind](movies).write(tmp_path / "out.mp4", audio="encode", boundary="render")
    assert most_apart_s(Path(result)) < MOST_APART_S


def test_silence_lies_beside_its_pictures(tmp_path: Path) -> None:
    """Pictures lie in a chunk for each fragment, 1.6 seconds: nothing can stand inside of one."""
    source, mute = made("h264_open_gop.mp4"), tmp_path / "mute.mp4"
    remux = ["-an", "-c", "copy", "-movflags", "+frag_keyframe+empty_moov"]
    subprocess.run([ffmpeg_exe(), "-v", "error", "-i", str(source), *remux, str(mute)], check=True, timeout=60)
    result = ffzero.concat([source, mute, source]).write(tmp_path / "out.mp4")
    assert most_apart_s(Path(result)) < MOST_APART_S + 1
