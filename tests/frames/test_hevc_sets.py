"""HEVC parameter sets for a splice: promises that grow, ids that are free; and what keeps an entry of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ffzero.containers.bits import bit_string, unescape
from ffzero.containers.hevc_numbers import pps_with_ids, sps_with_ids, vps_with_id
from ffzero.containers.hevc_params import parse_hevc_pps, parse_hevc_sps, parse_hevc_vps
from ffzero.containers.isobmff.codec_config import HevcConfig
from ffzero.containers.isobmff.hvcc import extended_hvcc, own_hvcc
from ffzero.edits.rendering import PictureJob
from ffzero.errors import UnsupportedError
from ffzero.frames.pictures.decode import pictures
from ffzero.frames.pictures.entries import parsed_entry, with_config
from ffzero.frames.pictures.hevc import hevc_recipe
from ffzero.frames.pictures.hevc_sets import HevcSets, SetIds, free_ids, numbered_sets, promised_sets
from ffzero.frames.pictures.source import Source, source_of
from support.encoding import ffmpeg
from support.renders import decode, job_at, opened, render, source_samples

# x265: Main, level 2.1, 640x360, three pictures buffered, none reordered.
SETS = HevcSets(
    vps=bytes.fromhex("40010c01ffff01600000030090000003000003003fba0240"),
    sps=bytes.fromhex("42010101600000030090000003000003003fa005020171f2e5ba4a4c2e6808000003000800000300c840"),
    pps=bytes.fromhex("4401c0718312"),
)
OWN = parse_hevc_sps(SETS.sps)


def prefixed(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4) + unit for unit in units)


def configuration(*units: bytes) -> HevcConfig:
    kinds = sorted({unit[0] >> 1 for unit in units})
    arrays = tuple((kind, tuple(unit for unit in units if unit[0] >> 1 == kind)) for kind in kinds)
    return HevcConfig(nal_length_size=4, arrays=arrays)


def test_ids_that_no_set_of_the_source_has() -> None:
    assert free_ids(configuration(*SETS), prefixed(b"\x28\1\xaf")) == SetIds(vps=1, sps=1, pps=1)
    more = (vps_with_id(SETS.vps, 1), sps_with_ids(SETS.sps, sps_id=3, vps_id=1))
    pps = [pps_with_ids(SETS.pps, pps_id=number, sps_id=0) for number in range(16)]
    assert free_ids(configuration(*SETS, *more, *pps), b"") == SetIds(vps=2, sps=1, pps=16)


def test_a_source_with_sets_inside_samples_may_have_more_of_them() -> None:
    inside = sps_with_ids(SETS.sps, sps_id=15, vps_id=0)
    assert free_ids(configuration(*SETS), prefixed(inside, b"\x28\1\xaf")) == SetIds(vps=15, sps=14, pps=63)


def test_no_free_id_is_refused() -> None:
    every = [sps_with_ids(SETS.sps, sps_id=number, vps_id=0) for number in range(16)]
    with pytest.raises(UnsupportedError, match="all HEVC SPS ids are in use"):
        free_ids(configuration(*every), b"")


def test_numbered_sets_refer_to_each_other() -> None:
    sets = numbered_sets(SETS, SetIds(vps=2, sps=1, pps=40))
    assert parse_hevc_vps(sets.vps).id == 2
    assert (parse_hevc_sps(sets.sps).id, parse_hevc_sps(sets.sps).vps_id) == (1, 2)
    assert replace(parse_hevc_sps(sets.sps), id=0, vps_id=0) == OWN
    assert replace(parse_hevc_pps(sets.pps), id=0, sps_id=0) == parse_hevc_pps(SETS.pps)
    assert (parse_hevc_pps(sets.pps).id, parse_hevc_pps(sets.pps).sps_id) == (40, 1)


def test_promises_are_the_sources_and_nothing_else_changes() -> None:
    source = replace(OWN, profile=2, tier=1, level=150, buffering=((2, 1, 1), (6, 3, 2)))
    sets = promised_sets(SETS, source, reorder=2)
    changed = parse_hevc_sps(sets.sps)
    assert (changed.profile, changed.tier, changed.level, changed.buffering) == (2, 1, 150, ((6, 3, 2),))
    profile = {"profile": 1, "tier": 0, "profile_bits": OWN.profile_bits}
    assert replace(changed, **profile, level=OWN.level, buffering=OWN.buffering) == OWN
    told = unescape(sets.vps)
    assert told[6:18] == unescape(sets.sps)[3:15]
    # vps_max_dec_pic_buffering_minus1 5, vps_max_num_reorder_pics 3, vps_max_latency_increase_plus1 2
    assert bit_string(told[18:], 14) == "1" + "00110" + "00100" + "011"
    assert sets.pps == SETS.pps


def test_promises_of_a_lesser_source_do_not_shrink_what_is_needed() -> None:
    lesser = replace(OWN, level=30, buffering=((1, 0, 1),))
    assert promised_sets(SETS, lesser, reorder=0) == SETS
    deeper = parse_hevc_sps(promised_sets(SETS, lesser, reorder=4).sps)
    assert deeper.buffering == ((5, 4, 1),)


def test_a_profile_that_the_pictures_do_not_conform_to_is_not_promised() -> None:
    extended = replace(OWN, profile=4, buffering=((4, 2, 0),))
    changed = parse_hevc_sps(promised_sets(SETS, extended, reorder=0).sps)
    assert (changed.profile, changed.buffering) == (1, ((4, 2, 0),))


X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=10:min-keyint=10:scenecut=0:bframes=2"


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> PictureJob:
    path = tmp_path_factory.mktemp("hevc") / "source.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=192x108:r=25:d=0.8", *X265.split(), "-tag:v", "hvc1", path)
    media = opened(path)
    return job_at(media, media.box.tracks[0], 0.6, 4)


def source(job: PictureJob) -> Source:
    entry, frame = next(pictures(job))
    return source_of(job, entry, frame)


def headers_of() -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in SETS)


def test_coded_pictures_decode_by_the_entry_of_copied_ones(job: PictureJob) -> None:
    coded = render(job)
    assert coded.entry is None
    record = extended_hvcc(job.track.entries[0].boxes["hvcC"], coded.added_sets)
    entry = parsed_entry(with_config(job.track.entries[0], "hvcC", record))
    copied = source_samples(job, 0, 10)
    alone = decode(job.track.entries[0], copied)
    both = decode(entry, [*copied, *zip(coded.pts, coded.samples, strict=True)])
    assert [picture.digest for picture in both[:10]] == [picture.digest for picture in alone]
    assert [picture.pts for picture in both[10:]] == list(coded.pts)
    promised = parse_hevc_sps(coded.added_sets[1])
    like = parse_hevc_sps(job.track.entries[0].hevc.units(33)[0])  # type: ignore[union-attr]
    assert promised.num_reorder_frames >= like.num_reorder_frames > 0
    assert promised.max_dec_frame_buffering >= like.max_dec_frame_buffering
    assert promised.level >= like.level


@pytest.mark.parametrize("name", ["dvvC", "lhvC"])
def test_what_says_more_of_the_sources_pictures_keeps_coded_ones_apart(job: PictureJob, name: str) -> None:
    own = source(job)
    package = hevc_recipe(own).package(headers_of())
    assert package.entry is None and len(package.added_sets) == 3
    entry = with_config(own.entry, name, bytes(24))
    package = hevc_recipe(replace(own, entry=parsed_entry(entry))).package(headers_of())
    assert package.entry is not None and not package.added_sets
    assert name.encode() not in package.entry
    assert any(name in warning for warning in package.warnings)


def test_short_nal_lengths_and_other_pictures_keep_coded_ones_apart(job: PictureJob) -> None:
    own = source(job)
    record = bytearray(own.entry.boxes["hvcC"])
    record[21] &= 0xFC
    short = parsed_entry(with_config(own.entry, "hvcC", bytes(record)))
    package = hevc_recipe(replace(own, entry=short)).package(headers_of())
    assert package.entry is not None and package.decodes_by.nal_length_size == 4
    assert parsed_entry(package.entry).boxes["hvcC"] == own_hvcc(SETS)
    record[21] |= 3
    record[17] = 0xFA
    deep = parsed_entry(with_config(own.entry, "hvcC", bytes(record)))
    assert hevc_recipe(replace(own, entry=deep)).package(headers_of()).entry is not None
