"""HEVC under other parameter set ids: what encoders of varied settings make decodes to the same pictures."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

import pytest

from ffzero.containers.hevc_numbers import pps_with_ids, slice_with_pps_id, sps_with_ids, vps_with_id
from ffzero.containers.hevc_params import hevc_set_id, parse_hevc_pps, parse_hevc_sps
from ffzero.containers.hevc_slice_header import hevc_slice_header
from ffzero.containers.hevc_slice_params import slice_params_of
from ffzero.containers.nal_units import iter_annex_b
from ffzero.errors import InvalidDataError
from support.encoding import ffmpeg
from support.media import ffmpeg_exe

X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=8:min-keyint=4:scenecut=0"
KVAZAAR = "-c:v libkvazaar -kvazaar-params preset=ultrafast,period=8,gop=0"
KINDS = {
    "pyramids, weights": f"{X265}:bframes=4:b-adapt=0:open-gop=1:rc-lookahead=10:weightp=1:weightb=1:ref=4"
    " -vf fade=in:0:12",
    "slices": f"{X265}:slices=3:bframes=2",
    "no wavefront": f"{X265}:wpp=0:pools=none:ctu=16",
    "4:2:2, 10 bit": f"{X265}:bframes=2:sao=1 -pix_fmt yuv422p10le",
    "4:4:4": f"{X265}:bframes=2:tskip=1:cbqpoffs=3:crqpoffs=-3 -pix_fmt yuv444p",
    "grey": f"{X265}:bframes=2 -pix_fmt gray",
    "deblocked": f"{X265}:deblock=2,-3:sao=1",
    "not deblocked": f"{X265}:no-deblock=1:sao=0",
    "transforms skipped": f"{X265}:tskip=1:scaling-list=default:rect=1:amp=1",
    "all intra": f"{X265}:keyint=1",
    "temporal layers": f"{X265}:temporal-layers=3:bframes=4",
    "sets that were made to fit": f"{X265}:multi-pass-opt-rps=1:opt-qp-pps=1:opt-ref-list-length-pps=1:ref=4:bframes=4",
    "slices that are tiles": f"{KVAZAAR},tiles=2x2,slices=tiles",
    "dependent slices": f"{KVAZAAR},wpp=1,slices=wpp",
}
LONG_START = b"\0\0\0\1"
VPS_ID, SPS_ID, FIRST_PPS_ID = 7, 15, 37


@functools.cache
def encoders() -> str:
    return subprocess.run([ffmpeg_exe(), "-hide_banner", "-encoders"], capture_output=True, text=True).stdout


def units_of(kind: str, folder: Path) -> list[bytes]:
    if kind.split()[1] not in encoders():
        pytest.skip(f"this FFmpeg has no encoder {kind.split()[1]}")
    path = folder / "source.hevc"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=208x144:r=25:d=0.6", *kind.split(), path)
    stream = path.read_bytes()
    return [stream[start : start + length] for start, length in iter_annex_b(stream)]


def renumbered(unit: bytes, sets: list[bytes]) -> bytes:
    kind = unit[0] >> 1
    if kind == 32:
        return vps_with_id(unit, VPS_ID)
    if kind == 33:
        return sps_with_ids(unit, sps_id=SPS_ID, vps_id=VPS_ID)
    if kind == 34:
        return pps_with_ids(unit, pps_id=FIRST_PPS_ID + hevc_set_id(unit), sps_id=SPS_ID)
    if kind > 34:
        return unit
    params = slice_params_of(sets)
    return slice_with_pps_id(unit, params, FIRST_PPS_ID + hevc_slice_header(unit, params).pps_id)


def decoded(units: list[bytes]) -> tuple[str, list[str]]:
    """Return what FFmpeg says and the MD5 of each picture."""
    command = [ffmpeg_exe(), "-v", "warning", "-f", "hevc", "-i", "-", "-fps_mode", "passthrough", "-f", "framemd5"]
    stream = b"".join(LONG_START + unit for unit in units)
    done = subprocess.run([*command, "-"], input=stream, capture_output=True, timeout=60, check=True)
    lines = done.stdout.decode().splitlines()
    return done.stderr.decode(), [line.split(",")[-1].strip() for line in lines if line and line[0] != "#"]


@pytest.mark.parametrize("name", KINDS)
def test_pictures_are_the_same_under_other_ids(name: str, tmp_path: Path) -> None:
    units = units_of(KINDS[name], tmp_path)
    sets = [unit for unit in units if unit[0] >> 1 in (33, 34)]
    changed = [renumbered(unit, sets) for unit in units]
    (sps,), own = {unit for unit in changed if unit[0] >> 1 == 33}, next(unit for unit in sets if unit[0] >> 1 == 33)
    assert (parse_hevc_sps(sps).id, parse_hevc_sps(sps).vps_id) == (SPS_ID, VPS_ID)
    assert parse_hevc_sps(sps).reference_sets == parse_hevc_sps(own).reference_sets
    slices = [(one, other) for one, other in zip(units, changed, strict=True) if one[0] >> 1 < 32]
    assert all(one != other for one, other in slices)
    said, pictures = decoded(units)
    assert (said, len(pictures)) == ("", 15)
    both = [unit for unit in units if unit[0] >> 1 in (32, 33, 34)]
    assert decoded(both + changed) == ("", pictures)


def test_ids_go_back_to_what_they_were(tmp_path: Path) -> None:
    units = units_of(KINDS["slices"], tmp_path)
    sets = [unit for unit in units if unit[0] >> 1 in (33, 34)]
    changed = [renumbered(unit, sets) for unit in units]
    params = slice_params_of([unit for unit in changed if unit[0] >> 1 in (33, 34)])
    for unit, other in zip(units, changed, strict=True):
        if unit[0] >> 1 == 34:
            assert parse_hevc_pps(other).sps_id == SPS_ID
            assert pps_with_ids(other, pps_id=0, sps_id=0) == unit
        elif unit[0] >> 1 < 32:
            assert slice_with_pps_id(other, params, 0) == unit


def test_a_slice_of_another_pps_or_cut_off_is_an_error(tmp_path: Path) -> None:
    units = units_of(KINDS["no wavefront"], tmp_path)
    params = slice_params_of(unit for unit in units if unit[0] >> 1 in (33, 34))
    first = next(unit for unit in units if unit[0] >> 1 < 32)
    with pytest.raises(InvalidDataError, match="PPS that is not there"):
        slice_with_pps_id(first, {5: params[0]}, 1)
    with pytest.raises(InvalidDataError):
        slice_with_pps_id(first[:3], params, 1)
    lost = [unit for unit in units if unit[0] >> 1 == 34]
    with pytest.raises(InvalidDataError, match="SPS that is not there"):
        slice_params_of(lost)
