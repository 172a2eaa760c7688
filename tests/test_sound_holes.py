"""Where a joined piece's sound ends before its pictures, or begins after them, there is coded silence, not a hole.

Some players (Chromium) play packets one after another whatever their times: sound behind a hole would come early.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

import ffzero
from ffzero.containers.aac import silent_aac
from support.encoding import ffmpeg

RATE = 48000
LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1"}
NEAR_S = 0.03
"""A packet, by half of which a piece may be off, and a margin."""
HOLES = {
    "it ends early": (["-t", "1.6"], [], (0.5, 2), 1.1, 1.5),
    "it begins late": ([], ["-itsoffset", "0.3"], (0, 1), 1.0, 1.3),
    "a packet lasts long": (["-t", "1.6"], [], (0, 1), 1.0427, 1.2427),
}
"""How the sound is made, the range that is shown twice, and from when to when there is no sound in the middle (s)."""


@pytest.mark.parametrize("hole", HOLES)
def test_a_hole_in_the_sound_at_a_joint_is_filled(hole: str, tmp_path: Path) -> None:
    short, late, (start, end), begin, stop = HOLES[hole]
    source, output = tmp_path / "in.mp4", tmp_path / "out.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=2"]
    sound = [*late, "-f", "lavfi", *short, "-i", f"sine=440:sample_rate={RATE}:d=2"]
    longer = ["-bsf:a", r"setts=ts=TS+gt(N\,2)*9600"] if "packet" in hole else []
    ffmpeg(*picture, *sound, "-c:v", "libx264", "-g", "25", "-c:a", "aac", *longer, "-t", "2", source)
    piece = ffzero.open(source)[Fraction(start) : Fraction(end)]
    result = (piece + piece).write(output, boundary="render")
    assert result.warnings == ()
    heard, first_s = packets_in_a_row(output)
    loud = np.abs(heard.reshape(-1, 240)).max(axis=1) > 0.02
    at = first_s + np.arange(len(loud)) * 240 / RATE
    inside = loud[(at > begin + NEAR_S) & (at < stop - NEAR_S)]
    assert len(inside) and not inside.any()
    assert loud[(at > stop + NEAR_S) & (at < stop + 0.2)].all()


@pytest.mark.parametrize("boundary", ["auto", "keyframe"])
def test_where_nothing_else_is_coded_packets_of_silence_fill_a_hole(boundary: str, tmp_path: Path) -> None:
    source, output = tmp_path / "in.mp4", tmp_path / "out.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=2"]
    sound = ["-f", "lavfi", "-t", "1.4", "-i", f"sine=440:sample_rate={RATE}:d=2"]
    ffmpeg(*picture, *sound, "-c:v", "libx264", "-g", "25", "-c:a", "aac", "-ac", "2", source)
    with ffzero.open(source) as movie:
        result = ffzero.concat([movie, movie, movie]).write(output, boundary=boundary, verify=True)
    assert (result.frames_rendered, result.warnings) == (0, ())
    with av.open(str(output)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.pts is not None]
    assert all(packet.duration == 1024 for packet in packets[:-1])
    assert [b.pts - a.pts for a, b in pairwise(packets)] == [1024] * (len(packets) - 1)
    heard, first_s = packets_in_a_row(output)
    loud = np.abs(heard.reshape(-1, 240)).max(axis=1) > 0.02
    at = first_s + np.arange(len(loud)) * 240 / RATE
    for begin in (1.4, 3.4):
        inside = loud[(at > begin + NEAR_S) & (at < begin + 0.6 - NEAR_S)]
        assert len(inside) and not inside.any()
        assert loud[(at > begin + 0.6 + NEAR_S) & (at < begin + 0.8)].all()


def test_packets_of_silence_fill_a_hole_inside_of_a_piece(tmp_path: Path) -> None:
    """As Android's recorder leaves it behind its first packet; ten pieces would be two seconds early."""
    source, output = tmp_path / "in.mp4", tmp_path / "out.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=2"]
    sound = ["-f", "lavfi", "-t", "1.8", "-i", f"aevalsrc=0.3*sin(2*PI*(300*t+400*t*t)):s={RATE}:d=2"]
    longer = ["-bsf:a", r"setts=ts=TS+gt(N\,2)*9600"]
    ffmpeg(*picture, *sound, "-c:v", "libx264", "-g", "25", "-c:a", "aac", "-ac", "2", *longer, "-t", "2", source)
    with ffzero.open(source) as movie:
        result = ffzero.concat([movie] * 10).write(output, verify=True)
    assert (result.frames_rendered, result.warnings) == (0, ())
    assert result.verification is not None
    with av.open(str(output)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.pts is not None]
    unlike = [b.pts - a.pts for a, b in pairwise(packets) if b.pts - a.pts != 1024]
    assert len(unlike) == 10 and max(unlike) <= 1536  # the last packet of silence in each hole makes up the rest
    heard, first_s = packets_in_a_row(output)
    loud = np.abs(heard.reshape(-1, 240)).max(axis=1) > 0.02
    at = first_s + np.arange(len(loud)) * 240 / RATE
    for piece in range(10):
        inside = loud[(at > 2 * piece + 0.0427 + NEAR_S + 0.01) & (at < 2 * piece + 0.2427 - NEAR_S)]
        assert len(inside) and not inside.any()
        assert loud[(at > 2 * piece + 0.2427 + NEAR_S) & (at < 2 * piece + 1.9)].all()


WHOLE = {"aac": "-c:a aac", "mp3": "-c:a libmp3lame", "ac3": "-c:a ac3", "opus": "-c:a libopus"}
HALF_PACKET_S = 0.0161
"""Of AC-3, which has the longest."""


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("codec", WHOLE)
def test_sound_of_whole_files_joined_is_not_late_however_it_is_decoded(
    codec: str, container: str, tmp_path: Path
) -> None:
    """A file's last packet may say that it is shorter than what decoders give of it."""
    source, output, count = tmp_path / f"in.{container}", tmp_path / f"out.{container}", 40
    picture = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1"]
    sound = ["-f", "lavfi", "-i", f"aevalsrc='0.5*sin(2*PI*1000*t)*between(t,0.2,0.3)':s={RATE}:d=1"]
    ffmpeg(*picture, *sound, "-c:v", "libx264", "-g", "25", *WHOLE[codec].split(), "-t", "1", source)
    result = ffzero.concat([source] * count).write(output)
    assert (result.frames_rendered, result.warnings) == (0, ())
    heard, first_s = packets_in_a_row(output)
    loud = np.flatnonzero(np.abs(heard) > 0.2)
    begun = first_s + np.concatenate([loud[:1], loud[1:][np.diff(loud) > RATE // 2]]) / RATE
    with av.open(str(output)) as file:
        shown = sorted(float(p.pts * p.time_base) for p in file.demux(video=0) if p.pts is not None)
    late = begun - shown[::25]
    assert len(shown) == 25 * count
    assert np.abs(late - late[0]).max() < HALF_PACKET_S


@pytest.mark.parametrize("channels", sorted(LAYOUTS))
def test_silent_packets_decode_to_silence(channels: int) -> None:
    packet = silent_aac(channels)
    assert packet is not None
    decoder = av.CodecContext.create("aac", "r")
    # AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1): AAC-LC, 48 kHz, the usual order of the channels.
    decoder.extradata = int(f"{2:05b}{3:04b}{channels:04b}000", 2).to_bytes(2, "big")
    frames = [frame for _ in range(3) for frame in decoder.decode(av.Packet(packet))]
    assert [(frame.samples, frame.layout.name) for frame in frames] == [(1024, LAYOUTS[channels])] * 3
    assert not any(frame.to_ndarray().any() for frame in frames)
    assert silent_aac(0) is None


def packets_in_a_row(path: Path) -> tuple[np.ndarray[tuple[int], np.dtype[np.float32]], float]:
    """Return what packets decode to, one after another as if they had no times, and when the first is heard."""
    with av.open(str(path)) as container:
        frames = [frame for frame in container.decode(audio=0) if frame.pts is not None]
        rows = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        return rows[: len(rows) // 240 * 240], float(frames[0].pts * frames[0].time_base)
