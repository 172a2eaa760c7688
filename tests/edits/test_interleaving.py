"""Where coded pictures and sound lie in the file: beside what is played with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import ffzero
from ffzero.api import Clip
from support.media import made

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
