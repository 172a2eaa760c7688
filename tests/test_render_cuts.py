"""Cuts, joins and removals with ``boundary="render"``: nothing hidden, few pictures coded, all others bit for bit.

By default a random cut of every file, a join and a removal; ``--exhaustive`` makes it ten cuts and three joins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import ffzero
from ffzero.errors import EncryptedError
from ffzero.reporting import WriteResult
from support import media
from support.rendering import Picture, check_complaints, check_pictures, drawn_ranges, pictures

LONG = frozenset({"long_1080p_lowbitrate.mp4", "long_180p_av1.mp4", "three_edits.mp4"})
"""Decoded by ``--exhaustive`` only."""
SLOW = frozenset({"rotated_hdr_video.mov", "sample_edit_list.mp4", "sample_edit_list_no_sync_frame_before_edit.mp4"})
"""Large HEVC pictures of 10 bits: x265 takes seconds for each group of them, so one cut by default."""
WITHOUT_ENTRY = frozenset({"h264_intra_refresh.mp4"})
"""No decoder starts afresh anywhere but at the first picture: all of a cut has to be coded."""
USUAL_S = Fraction(1, 25)
"""How long a picture of ``three_edits.mp4`` lasts."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if {"item", "kind"} <= set(metafunc.fixturenames):
        whole = bool(metafunc.config.getoption("--exhaustive"))
        kinds = [f"cut-{n}" for n in range(10 if whole else 1)] + [f"join-{n}" for n in range(3 if whole else 1)]
        params = [
            pytest.param(item, kind, id=f"{item.name}-{kind}", marks=pytest.mark.xdist_group(item.name))
            for item in media.playable()
            for kind in (*kinds, "removal")
            if whole or (item.name not in LONG and (kind == "cut-0" or item.name not in SLOW))
        ]
        metafunc.parametrize(("item", "kind"), params)


def shown_times(path: Path) -> list[Fraction]:
    return [picture.time for picture in pictures(path)]


def one_after_another(found: Iterable[Picture]) -> Iterator[Picture]:
    """Yield pictures without overlaps: FFmpeg lets a later edit begin before the one before it has ended."""
    last = shift = Fraction(0)
    for number, one in enumerate(found):
        if number and one.time + shift <= last:
            shift = last + USUAL_S - one.time
        last = one.time + shift
        yield Picture(time=last, planes=one.planes)


def check(item: media.Media, ranges: list[tuple[Fraction, Fraction]], result: WriteResult, output: Path) -> list[str]:
    wanted: list[Picture] = []
    at = Fraction(0)
    for start, end in ranges:
        found = list(pictures(item.path(), start, end))
        part = list(one_after_another(found))
        if part:
            zero = part[0].time
            wanted += [Picture(time=at + picture.time - zero, planes=picture.planes) for picture in part]
            at += end - zero + (part[-1].time - found[-1].time)  # a piece ends as much later as its last picture comes
    deep = any(picture.planes[0].dtype.itemsize > 1 for picture in wanted[:1])
    shown = list(pictures(output))
    problems = check_pictures(wanted, shown, peak=1023 if deep else 255, rendered=result.frames_rendered)
    problems += check_complaints([(item.path(), item.key)], output)
    return problems + list(hidden(output, len(wanted)))


def hidden(output: Path, wanted: int) -> Iterator[str]:
    """Yield where the main video holds pictures that are not shown, or has an edit inside."""
    movie = ffzero.open(output)
    assert movie.media is not None and movie.media.main_video is not None
    track = movie.media.main_video
    if track.table.count != wanted:
        yield f"the track has {track.table.count} samples for {wanted} pictures"
    spans = [edit for edit in track.edits if edit.media_time != -1]
    if len(spans) > 1 or any(edit.media_time > track.table.pts(0) for edit in spans):
        yield f"edits {track.edits}, the first picture being at {track.table.pts(0)}"


def bounded(clip: Any) -> list[str]:
    """Return the renders that code more than the group of pictures that a boundary falls into."""
    problems = []
    plan = clip.plan(boundary="render")
    for render in plan.renders:
        movie = ffzero.open(render.input)
        keys = movie.keyframes()
        inside = [key for key in keys if render.source_start_s < key < render.source_end_s]
        if len(inside) > 2:
            problems.append(f"{render} holds {len(inside)} keyframes")
    return problems


@pytest.mark.timeout(600)
def test_rendered_boundaries(item: media.Media, kind: str, tmp_path: Path) -> None:
    if item.key:
        with pytest.raises(EncryptedError):
            ffzero.open(item.path())[1:2].write(tmp_path / "out.mp4", boundary="render")
        assert list(tmp_path.iterdir()) == []
        return
    ranges = drawn_ranges(item, kind, shown_times(item.path()))
    movie = ffzero.open(item.path())
    clip = ffzero.concat([movie[start:end] for start, end in ranges])
    output = tmp_path / f"out{item.path().suffix}"
    result = clip.write(output, boundary="render")
    problems = check(item, ranges, result, output)
    if item.name not in WITHOUT_ENTRY:
        problems += bounded(clip)
    assert not problems, f"{item.name} {kind} {ranges}:\n{clip.plan('render')}\n  " + "\n  ".join(problems)
