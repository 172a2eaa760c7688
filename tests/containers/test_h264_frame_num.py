"""Pictures of x264 whose frame_num is coded in more bits: FFmpeg shows what it showed, and says nothing."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ffzero.containers.h264_frame_num import LongerFrameNumbers, with_frame_num_length
from ffzero.containers.h264_params import parse_h264_pps, parse_h264_sps
from ffzero.containers.h264_slice_header import slice_header
from ffzero.errors import InvalidDataError
from support.h264_tracks import annex_b, decoded, read_track, units
from support.media import ffmpeg_exe

PLAIN = "bframes=0:scenecut=0:ref=1:weightp=0:keyint=45:min-keyint=45"
KINDS = {
    "CABAC": ("", PLAIN),
    "CAVLC": ("", PLAIN + ":cabac=0"),
    "slices": ("", PLAIN + ":slices=3"),
    "fields": ("-flags +ildct+ilme", PLAIN + ":tff=1"),
    "10 bit": ("-pix_fmt yuv420p10le", PLAIN),
    "4:4:4": ("-pix_fmt yuv444p", PLAIN),
    "padded": ("", PLAIN + ":nal-hrd=cbr:bitrate=900:vbv-maxrate=900:vbv-bufsize=900"),
    "pictures without reference": ("", PLAIN.replace("bframes=0", "bframes=2")),
}


@pytest.mark.parametrize("length", [5, 8, 16])
@pytest.mark.parametrize("kind", list(KINDS))
def test_pictures_are_what_they_were(kind: str, length: int, tmp_path: Path) -> None:
    options, parameters = KINDS[kind]
    path = tmp_path / "a.mp4"
    codec = ["-c:v", "libx264", "-preset", "superfast", *options.split(), "-x264-params", parameters]
    source = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25,trim=end_frame=80"]
    subprocess.run([ffmpeg_exe(), "-v", "error", *source, *codec, str(path)], check=True, timeout=60)
    track = read_track(path)
    sps, pps = track.sets
    own, parsed_pps = parse_h264_sps(sps), parse_h264_pps(pps)
    assert own.log2_max_frame_num == 4
    longer = with_frame_num_length(sps, length)
    numbers = LongerFrameNumbers(own, parsed_pps, length)
    samples = [rewritten(sample, numbers) for sample in track.samples]
    expected = decoded(annex_b(track, track.samples))
    assert expected[0] == ""
    assert decoded(annex_b(replace(track, sets=[longer, pps]), samples)) == expected
    new = parse_h264_sps(longer)
    assert new.log2_max_frame_num == length
    found = [slice_header(slices(sample)[0], new, parsed_pps).frame_num for sample in samples]
    if "bframes=0" in parameters:
        assert found == [number % 45 % (1 << length) for number in range(80)]
    assert [unit for sample in samples for unit in others(sample)] == [u for s in track.samples for u in others(s)]


def rewritten(sample: bytes, numbers: LongerFrameNumbers) -> bytes:
    changed = [numbers.unit(unit) for unit in units(sample, 4)]
    return b"".join(len(unit).to_bytes(4) + unit for unit in changed)


def slices(sample: bytes) -> list[bytes]:
    return [unit for unit in units(sample, 4) if unit[0] & 31 in (1, 5)]


def others(sample: bytes) -> list[bytes]:
    return [unit for unit in units(sample, 4) if unit[0] & 31 not in (1, 5)]


def test_a_damaged_set_is_an_error() -> None:
    with pytest.raises(InvalidDataError):
        with_frame_num_length(b"\x67\x64\x00", 8)
