"""The pre-roll that each codec needs, held against FFmpeg's own decoders: decode from there, compare with the whole."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from ffzero.containers.isobmff.audio_preroll import audio_preroll_samples, audio_preroll_ticks, roll_distance
from ffzero.containers.isobmff.sample_entry import SampleEntry, parse_sample_entry
from support.boxes import children, find
from support.media import cache_folder, ffmpeg_exe

# A sweep, a tone that comes and goes, and some noise: what the codecs' predictors and reservoirs react to.
SOUND = (
    "aevalsrc='0.4*sin(2*PI*(200+300*t)*t)+0.2*sin(2*PI*3000*t)*gt(mod(t\\,0.5)\\,0.25)+0.1*(random(0)-0.5)'"
    ":s={rate}:d=3"
)
Packets = list[tuple[bytes, int]]


@functools.cache
def coded(codec: str, args: tuple[str, ...], rate: int, channels: int) -> Path:
    path = cache_folder() / f"preroll_{codec}_{'_'.join(args).replace('-', '').replace(':', '')}_{rate}_{channels}.mp4"
    if not path.exists():
        part = path.with_suffix(f".{id(path)}.part.mp4")
        command = [ffmpeg_exe(), "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", SOUND.format(rate=rate)]
        command += ["-ac", str(channels), "-c:a", codec, *args, str(part)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        part.replace(path)
    return path


def entry_of(path: Path) -> SampleEntry:
    data = path.read_bytes()
    (stsd,) = find(data, "moov/trak/mdia/minf/stbl/stsd")
    (box,) = children(data, stsd.body + 8, stsd.end)
    return parse_sample_entry(data[box.start : box.end], "soun")


def decode(stream: av.AudioStream, packets: Packets) -> dict[int, np.ndarray]:
    """Return the decoded samples of each packet, by its pts, from a decoder that knows nothing before."""
    context = av.CodecContext.create(stream.codec_context.name, "r")
    context.extradata = stream.codec_context.extradata
    context.sample_rate = stream.codec_context.sample_rate
    context.layout = stream.codec_context.layout
    decoded: dict[int, list[np.ndarray]] = {}
    for data, pts in packets:
        packet = av.Packet(data)
        packet.pts = packet.dts = pts
        packet.time_base = stream.time_base
        try:
            for frame in context.decode(packet):
                decoded.setdefault(pts, []).append(frame.to_ndarray())
        except av.error.InvalidDataError:  # an MP3 packet whose data begins before the first one
            continue
    return {pts: np.concatenate(parts, axis=1) for pts, parts in decoded.items()}


def worst_difference(path: Path, preroll: int) -> float:
    """Return the largest difference in the packets after a cut, over cuts all along the file; 1.0 is full scale."""
    worst = 0.0
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        packets = [(bytes(packet), int(packet.pts)) for packet in container.demux(stream) if packet.size]
        whole = decode(stream, packets)
        for cut in range(40, len(packets) - 3, 7):
            part = decode(stream, packets[cut - preroll : cut + 2])
            for _, pts in packets[cut : cut + 2]:
                if pts not in part or part[pts].shape != whole[pts].shape:
                    return 2.0
                worst = max(worst, float(np.abs(part[pts].astype(np.float64) - whole[pts]).max()))
    return worst


# codec, encoder arguments, rate, channels, pre-roll in packets, and the difference that may remain with it.
# AC-3 and E-AC-3 decoders dither at random; Opus converges (RFC 7845 asks for 80 ms), so "near" is not 0 there.
CASES = [
    ("aac", ("-aac_pns", "0"), 48000, 2, 1, 0.0),
    ("libmp3lame", ("-b:a", "64k"), 48000, 2, 10, 0.0),
    ("libmp3lame", ("-b:a", "320k"), 48000, 2, 10, 0.0),
    ("libmp3lame", ("-b:a", "32k"), 48000, 1, 10, 0.0),
    ("ac3", ("-b:a", "192k"), 48000, 2, 2, 0.06),
    ("eac3", ("-b:a", "192k"), 48000, 2, 3, 0.06),
    ("libopus", ("-b:a", "64k"), 48000, 2, 20, 0.0002),
    ("libvorbis", ("-b:a", "96k"), 48000, 2, 2, 0.0),
    ("flac", (), 48000, 2, 0, 0.0),
    ("alac", (), 48000, 2, 0, 0.0),
    ("mp2", ("-b:a", "128k"), 48000, 2, 10, 0.0),  # MP4 does not tell it from MP3; 1 would do
]


@pytest.mark.parametrize(("codec", "args", "rate", "channels", "packets", "near"), CASES)
def test_enough(codec: str, args: tuple[str, ...], rate: int, channels: int, packets: int, near: float) -> None:
    path = coded(codec, args, rate, channels)
    entry = entry_of(path)
    assert audio_preroll_samples(entry) == packets
    assert roll_distance(entry) == (-4 if codec == "libopus" else -packets or None)
    assert worst_difference(path, packets) <= near


@pytest.mark.parametrize(("codec", "args", "rate", "channels", "packets", "near"), CASES)
def test_none_at_all_is_too_little(
    codec: str, args: tuple[str, ...], rate: int, channels: int, packets: int, near: float
) -> None:
    if packets == 0:
        pytest.skip("needs none")
    assert worst_difference(coded(codec, args, rate, channels), 0) > 0.2


def test_mp3_of_a_low_bit_rate_needs_more_than_ten() -> None:
    path = coded("libmp3lame", ("-b:a", "8k"), 22050, 1)
    with av.open(str(path)) as container:
        smallest = min(packet.size for packet in container.demux(audio=0) if packet.size)
    packets = audio_preroll_samples(entry_of(path), smallest_packet_bytes=smallest)
    assert worst_difference(path, 10) > 0.1
    assert 10 < packets < 35
    assert worst_difference(path, packets) == 0.0


def test_opus_in_ticks_and_packets() -> None:
    entry = entry_of(coded("libopus", ("-b:a", "64k"), 48000, 2))
    assert audio_preroll_ticks(entry) == 3840
    assert roll_distance(entry, packet_ticks_48k=2880) == -2
    assert roll_distance(entry, packet_ticks_48k=120) == -32
