"""H.264 slices at a cut: what FFmpeg says and shows of a cut file, and damage."""

from __future__ import annotations

import functools
import random
import re
from dataclasses import replace
from typing import Any

import pytest

from ffzero.containers.bits import unescape
from ffzero.containers.h264_params import H264Pps, H264Sps, parse_h264_pps, parse_h264_sps
from ffzero.containers.h264_slices import SliceHeader, slice_header, without_stale_markings
from support.h264_tracks import SLICE_TYPES, X264, Track, annex_b, decoded, read_track, units
from support.media import made

UNREF_FAILURE = "mmco: unref short failure"


def check_cuts(track: Track, *, leading: bool, limit: int = 3) -> tuple[int, int]:
    """Cut at the first open points; return how many cuts fail as they are, and how many were changed."""
    _, whole = decoded(annex_b(track, track.samples))
    failures = changes = 0
    points = track.open_points()
    assert len(points) >= 2
    for cut in points[:limit]:
        kept = track.kept(cut, leading=leading)
        changed = without_stale_markings(kept, track.length_size, track.sets)
        said, _ = decoded(annex_b(track, kept))
        failures += UNREF_FAILURE in said
        changes += bool(changed)
        said, shown = decoded(annex_b(track, [changed.get(i, sample) for i, sample in enumerate(kept)]))
        expected = whole[sorted(track.pts).index(track.pts[cut]) :]
        assert said == ""
        assert shown[-len(expected) :] == expected
    return failures, changes


@pytest.mark.parametrize("name", X264)
def test_a_cut_decodes_in_silence_and_to_the_same_pictures(
    x264: functools._lru_cache_wrapper[Track], name: str
) -> None:
    track = x264(name)
    dropped, kept = (check_cuts(track, leading=leading) for leading in (False, True))
    if name == "no pyramid":
        assert dropped[0] == kept[0] == 0
    else:
        assert kept[0] > 0, "the recipe must show what is cured"
        assert kept[1] >= kept[0] and dropped[1] >= dropped[0]


@pytest.mark.parametrize("leading", [False, True])
def test_the_made_open_gop_file(leading: bool) -> None:
    failures, changes = check_cuts(read_track(made("h264_open_gop.mp4")), leading=leading)
    assert changes == 3
    assert failures == (3 if leading else 0), "without its leading pictures FFmpeg makes up what is un-referenced"


def test_long_cavlc_slices_are_moved_by_whole_bytes(x264: functools._lru_cache_wrapper[Track]) -> None:
    """An I_PCM macroblock's samples are byte aligned: shifting the slice by bits would destroy them."""
    track = x264("large CAVLC")
    sps, pps = parse_h264_sps(track.sets[0]), parse_h264_pps(track.sets[1])
    kept = track.kept(track.open_points()[0], leading=False)
    assert UNREF_FAILURE in decoded(annex_b(track, kept))[0]
    changed = without_stale_markings(kept, track.length_size, track.sets)
    assert changed
    moved = 0
    for index, sample in changed.items():
        for old, new in zip(units(kept[index], track.length_size), units(sample, track.length_size), strict=True):
            if old != new:
                before, after = slice_header(old, sps, pps), slice_header(new, sps, pps)
                assert before.adaptive and after.adaptive and len(old) > 500
                assert (before.end_bits - after.end_bits) % 8 == 0
                moved += 1
    assert moved >= len(changed)


@pytest.mark.parametrize("name", ["slices", "CAVLC deep"])
def test_only_the_marking_changes(x264: functools._lru_cache_wrapper[Track], name: str) -> None:
    track = x264(name)
    sps, pps = parse_h264_sps(track.sets[0]), parse_h264_pps(track.sets[1])
    kept = track.kept(track.open_points()[0], leading=True)
    changed = without_stale_markings(kept, track.length_size, track.sets)
    assert changed
    for index, sample in changed.items():
        before, after = units(kept[index], track.length_size), units(sample, track.length_size)
        assert len(before) == len(after)
        assert before != after
        for old, new in zip(before, after, strict=True):
            if old != new:
                assert_same_but_marking(old, new, sps, pps)


def assert_same_but_marking(old: bytes, new: bytes, sps: H264Sps, pps: H264Pps) -> None:
    """The header but for its marking, and the slice data, are the same bits; nothing in it looks like a start code."""
    assert old[0] & 31 in SLICE_TYPES
    before, after = slice_header(old, sps, pps), slice_header(new, sps, pps)
    unmarked: dict[str, Any] = {"adaptive": False, "marking": (), "marking_bits": (0, 0), "end_bits": 0}
    assert replace(before, **unmarked) == replace(after, **unmarked)
    assert set(after.marking) < set(before.marking)
    assert data_bits(old, before, cabac=pps.cabac) == data_bits(new, after, cabac=pps.cabac)
    assert not re.search(rb"\0\0[\0\1\2]", new.rstrip(b"\0"))


def data_bits(nal: bytes, header: SliceHeader, *, cabac: bool) -> str:
    """Return slice data as bits, without what fills it up to whole bytes."""
    rbsp = unescape(nal)
    text = f"{int.from_bytes(rbsp):0{len(rbsp) * 8}b}"
    return text[header.end_bits + -header.end_bits % 8 :] if cabac else text[header.end_bits :].rstrip("0")


def test_mutations_raise_nothing(x264: functools._lru_cache_wrapper[Track]) -> None:
    dice = random.Random(7)
    for name in ("slices", "CAVLC weighted MBAFF", "strict"):
        track = x264(name)
        start = track.samples[track.open_points()[0] :][:6]
        for _ in range(150):
            hurt = [bytearray(each) for each in start]
            sets = [bytearray(each) for each in track.sets]
            for _ in range(dice.choice((1, 2, 5))):
                victim = dice.choice([*hurt[:3], *sets])
                victim[dice.randrange(min(len(victim), 60))] = dice.randrange(256)
            if dice.random() < 0.2:
                del hurt[0][dice.randrange(len(hurt[0])) :]
            changed = without_stale_markings([bytes(h) for h in hurt], track.length_size, [bytes(s) for s in sets])
            assert set(changed) <= set(range(len(hurt)))
