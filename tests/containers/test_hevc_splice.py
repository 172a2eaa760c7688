"""HEVC pictures behind a joint: a CRA picture as BLA, held against what FFmpeg decodes of the whole stream."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

import av
import pytest

from ffzero.containers.hevc import classify_hevc
from ffzero.containers.hevc_splice import as_bla
from ffzero.containers.nal import RandomAccess, iter_length_prefixed
from ffzero.errors import TruncatedError
from support.media import ffmpeg_exe, made


def unit(kind: int, *rest: int, layer: int = 0) -> bytes:
    nal = bytes([kind << 1 | layer >> 5, (layer & 31) << 3 | 1, *rest])
    return len(nal).to_bytes(4) + nal


def test_only_the_type_of_cra_slices_changes() -> None:
    sample = unit(35, 0x50) + unit(39, 1, 2) + unit(21, 0xAF, 9) + unit(21, 0x2F, 8)
    assert as_bla(sample, 4, has_radl=False) == unit(35, 0x50) + unit(39, 1, 2) + unit(18, 0xAF, 9) + unit(18, 0x2F, 8)
    assert as_bla(sample, 4, has_radl=True)[-6:] == unit(17, 0x2F, 8)[-6:]


@pytest.mark.parametrize("kind", [0, 1, 9, 16, 19, 20])
def test_other_pictures_stay(kind: int) -> None:
    assert as_bla(unit(kind, 0x80, 1), 4, has_radl=False) == unit(kind, 0x80, 1)


def test_a_damaged_sample_is_an_error() -> None:
    with pytest.raises(TruncatedError):
        as_bla(unit(21, 0xAF, 9)[:-1], 4, has_radl=False)


def test_pictures_behind_a_joint_are_those_of_the_whole_stream() -> None:
    with av.open(str(made("hevc_cra_rasl_hvc1.mp4"))) as file:
        stream = file.streams.video[0]
        hvcc = stream.codec_context.extradata
        samples = [(packet.pts or 0, bytes(packet)) for packet in file.demux(stream) if packet.size]
    assert hvcc is not None
    units = [classify_hevc(sample, 4) for _, sample in samples]
    cut = next(i for i, unit in enumerate(units) if i and unit.random_access is RandomAccess.OPEN)
    later = [i for i in range(cut, len(samples)) if not (units[i].is_leading_undecodable and i < cut + 8)]
    joined = [samples[i][1] for i in range(20)] + [as_bla(samples[cut][1], 4, has_radl=False)]
    joined += [samples[i][1] for i in later[1:]]
    _, whole = decoded(hvcc, [sample for _, sample in samples])
    said, shown = decoded(hvcc, joined)
    assert said == "" and len(shown) == len(joined)
    assert shown[20:] == whole[-len(later) :]


def decoded(hvcc: bytes, samples: Iterable[bytes]) -> tuple[str, list[str]]:
    """Return what FFmpeg says at ``-v warning`` and the MD5 of each frame that it shows."""
    units, position = [], 23
    for _ in range(hvcc[22]):
        count, position = int.from_bytes(hvcc[position + 1 : position + 3]), position + 3
        for _ in range(count):
            length = int.from_bytes(hvcc[position : position + 2])
            units.append(hvcc[position + 2 : position + 2 + length])
            position += 2 + length
    units += [sample[a : a + n] for sample in samples for a, n in iter_length_prefixed(sample, 4)]
    command = [ffmpeg_exe(), "-v", "warning", "-threads", "1", "-f", "hevc", "-i", "-", "-fps_mode", "passthrough"]
    stream = b"".join(b"\0\0\0\1" + each for each in units)
    done = subprocess.run([*command, "-f", "framemd5", "-"], input=stream, capture_output=True, timeout=60, check=True)
    lines = done.stdout.decode().splitlines()
    return done.stderr.decode(), [line.split(",")[-1].strip() for line in lines if line and line[0] != "#"]
