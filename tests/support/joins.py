"""Media for the tests of joins, and what a join must show.

FFmpeg, PyAV and ``boxes`` are the judges; ffzero is not imported here.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ffzero.containers.aac import silent_aac
from support import boxes, media, oracle

__all__ = [
    "GOP",
    "Section",
    "SoundPacket",
    "check_join",
    "check_samples",
    "clip_of",
    "edits",
    "made",
    "movie_seconds",
    "sample_entries",
    "sections",
    "sound_packets",
    "timecode_counters",
]

SECONDS = 4
GOP = Fraction(2, 5)
"""Length of a group of pictures of the made files, in seconds: ten pictures of 1/25 s."""
TIME_SLACK = Fraction(1, 1_000_000)

_PICTURE = ["-f", "lavfi", "-i", f"testsrc2=s=160x120:r=25:d={SECONDS}"]
_SWEEP = ["-f", "lavfi", "-i", f"aevalsrc='0.4*sin(2*PI*(180+90*t)*t)':s=48000:d={SECONDS}"]
_TICKS = ["-f", "lavfi", "-i", f"aevalsrc='0.3*sin(2*PI*(900+40*t)*t)':s=48000:d={SECONDS}"]
_TICKS_441 = ["-f", "lavfi", "-i", f"aevalsrc='0.3*sin(2*PI*(900+40*t)*t)':s=44100:d={SECONDS}"]
_GOP = "keyint=10:min-keyint=10:scenecut=0:bframes=2:b-adapt=0:threads=1"
_X264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-x264-params", _GOP]
_OTHER_X264 = ["-c:v", "libx264", "-preset", "medium", "-pix_fmt", "yuv420p", "-x264-params"]
_X265 = ["-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params"]
_GOP265 = "log-level=none:keyint=10:min-keyint=10:scenecut=0:pools=none:frame-threads=1:"
_AAC = ["-c:a", "aac", "-b:a", "64k"]
_A, _B = [*_PICTURE, *_SWEEP, *_X264], [*_PICTURE, *_TICKS, "-vf", "negate", *_X264]
_MULTI_MAP = ["-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:s", "-map_chapters", "4", "-map_metadata", "4"]
_LANGUAGES = ["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu", "-metadata:s:s:0", "language=fra"]
_MULTI = ["-i", "cues.srt", "-i", "chapters.txt", *_MULTI_MAP, *_X264, *_AAC, "-c:s", "mov_text", *_LANGUAGES]
_SWAPPED = ["-map", "0:s", "-map", "0:a:1", "-map", "0:a:0", "-map", "0:v", "-map_chapters", "0"]

_CUES = (
    "1\n00:00:00,500 --> 00:00:01,000\nfirst\n\n2\n00:00:01,500 --> 00:00:02,500\nacross\n\n"
    "3\n00:00:03,000 --> 00:00:03,500\nlast\n\n"
)
_CHAPTERS = ";FFMETADATA1\n" + "".join(
    f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={title}\n"
    for start, end, title in ((0, 1000, "One"), (1000, 2500, "Two"), (2500, 4000, "Three"))
)
_FRAGMENTS = "+frag_keyframe+empty_moov+default_base_moof"

_ENCODED: dict[str, list[str]] = {
    "a.mp4": [*_A, *_AAC],
    "b.mp4": [*_B, *_AAC],
    "a.mov": [*_A, *_AAC],
    "a_441.mp4": [*_PICTURE, *_TICKS_441, *_X264, *_AAC],
    "a_mono_51.mp4": [*_A, "-ac", "6", *_AAC],
    "a_stereo.mp4": [*_A, "-ac", "2", *_AAC],
    "a_silent.mp4": [*_PICTURE, *_X264],
    "small.mp4": [*_B, "-s", "128x96", *_AAC],
    "other_sets.mp4": [*_PICTURE, *_TICKS, "-vf", "negate", *_OTHER_X264, _GOP + ":ref=5:cabac=0:8x8dct=0", *_AAC],
    "third_sets.mp4": [*_PICTURE, *_TICKS, "-vf", "hflip", *_OTHER_X264, _GOP + ":ref=2:qp=30:8x8dct=0", *_AAC],
    "hevc.mp4": [*_PICTURE, *_SWEEP, *_X265, _GOP265 + "open-gop=0:bframes=2", *_AAC],
    "hevc_other_sets.mp4": [
        *_PICTURE, *_TICKS, "-vf", "negate", *_X265, _GOP265 + "open-gop=0:bframes=3:ctu=32:ref=3:amp=1:rect=1", *_AAC,
    ],
    "open_gop.mp4": [*_PICTURE, *_SWEEP, *_X264[:-1], _GOP + ":open-gop=1", *_AAC],
    "hevc_open_gop.mp4": [*_PICTURE, *_SWEEP, *_X265, _GOP265 + "open-gop=1:bframes=2", *_AAC],
    "a_pcm.mov": [*_A, "-c:a", "pcm_s16le"],
    "b_pcm.mov": [*_B, "-c:a", "pcm_s16le"],
    "a_alac.mov": [*_A, "-c:a", "alac"],
    "b_alac.mov": [*_B, "-c:a", "alac"],
    "a_timecode.mov": [*_A, "-c:a", "pcm_s16le", "-timecode", "10:00:00:00"],
    "b_timecode.mov": [*_B, "-c:a", "pcm_s16le", "-timecode", "01:02:03:04"],
    **{
        f"{name}_{codec}.mp4": [*recipe, "-c:a", encoder, "-b:a", "96k"]
        for name, recipe in (("a", _A), ("b", _B))
        for codec, encoder in (("ac3", "ac3"), ("opus", "libopus"), ("mp3", "libmp3lame"))
    },
    "c_timecode.mov": [
        *("-f", "lavfi", "-i", f"testsrc2=s=160x120:r=30:d={SECONDS}"), *_SWEEP, *_X264, "-c:a", "pcm_s16le",
        *("-timecode", "00:00:10:00"),
    ],
    "a_flac.mp4": [*_A, "-c:a", "flac"],
    "b_flac.mp4": [*_B, "-c:a", "flac", "-frame_size", "1152"],
    "sparse.mp4": [
        *("-f", "lavfi", "-i", "testsrc2=r=1/10:s=64x48:d=5400", "-i", "cues.srt"), *_X264[:4], "-c:s", "mov_text",
    ],
    "multi.mp4": [*_PICTURE, *_SWEEP, *_TICKS, *_MULTI],
    "multi.mov": [*_PICTURE, *_SWEEP, *_TICKS, *_MULTI],
}  # fmt: skip
_REMUXED: dict[str, tuple[str, list[str]]] = {
    "b_90000.mp4": ("b.mp4", ["-video_track_timescale", "90000"]),
    "b_30000.mp4": ("b.mp4", ["-video_track_timescale", "30000"]),
    "a_prime.mp4": ("a.mp4", ["-video_track_timescale", "2999975"]),
    "b_prime.mp4": ("b.mp4", ["-video_track_timescale", "2500025"]),
    "a_25.mp4": ("a_silent.mp4", ["-video_track_timescale", "25"]),
    "b_chunks.mp4": ("b.mp4", ["-chunk_duration", "1000000"]),
    "b_order.mp4": ("b.mp4", ["-map", "0:a", "-map", "0:v"]),
    "b_first.mp4": ("b.mp4", ["-movflags", "+faststart"]),
    "b_fragments.mp4": ("b.mp4", ["-movflags", _FRAGMENTS]),
    "a_fragments.mp4": ("a.mp4", ["-movflags", _FRAGMENTS]),
    "b.mov": ("b.mp4", []),
    "b_rotated.mp4": ("b.mp4", []),
    "b_silent.mp4": ("b.mp4", ["-an"]),
    "hev1.mp4": ("hevc_other_sets.mp4", ["-tag:v", "hev1"]),
    "avc3.mp4": ("b.mp4", ["-tag:v", "avc3"]),
    "cues.mp4": ("multi.mp4", ["-map", "0:v", "-map", "0:a:0", "-map", "0:s"]),
    "multi_swapped.mp4": ("multi.mp4", _SWAPPED),
}


def made(name: str) -> Path:
    """Return the made file ``name``, made where it does not exist yet."""
    recipe = _ENCODED.get(name) or ["-i", made(_REMUXED[name][0]).name, "-c", "copy", *_REMUXED[name][1]]
    before = ["-display_rotation:v", "90"] if name == "b_rotated.mp4" else []
    text = "\0".join([*before, *recipe, _CUES, _CHAPTERS])
    path = media.cache_folder() / f"joins-{hashlib.sha256(text.encode()).hexdigest()[:8]}-{name}"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            folder = Path(scratch)
            (folder / "cues.srt").write_text(_CUES, encoding="utf-8")
            (folder / "chapters.txt").write_text(_CHAPTERS, encoding="utf-8")
            for other in _REMUXED.get(name, ())[:1]:
                os.symlink(made(str(other)), folder / made(str(other)).name)
            argv = [media.ffmpeg_exe(), "-hide_banner", "-nostdin", "-v", "error", "-y", *before, *recipe, name]
            subprocess.run(argv, cwd=folder, check=True, capture_output=True, timeout=100)
            os.replace(folder / name, path)
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """``[start, end)`` of a source, to be shown from ``at`` on: seconds. ``zero`` is its first picture's time."""

    path: Path
    start: Fraction
    end: Fraction
    zero: Fraction
    at: Fraction


def sections(*parts: tuple[Path, Fraction | None, Fraction | None]) -> list[Section]:
    """Set (source, start, end) one after another; ``None`` is the source's own beginning or end."""
    found, at = [], Fraction(0)
    for path, start, end in parts:
        begin = Fraction(0) if start is None else start
        stop = movie_seconds(path) if end is None else end
        pictures = _pictures(path)
        zero = next(frame.pts for frame in pictures if frame.pts >= begin - TIME_SLACK)
        found.append(Section(path=path, start=begin, end=stop, zero=zero, at=at))
        at += stop - zero
    return found


def clip_of(ffzero: Any, parts: Sequence[Section]) -> Any:
    """Return the clip that shows the sections, each source opened once."""
    opened = {part.path: ffzero.open(part.path) for part in parts}
    return ffzero.concat([opened[part.path][part.start : part.end] for part in parts])


def _pictures(path: Path) -> tuple[oracle.Frame, ...]:
    return oracle.decode(path, keep=True).videos[0]


def check_join(
    output: Path, parts: Sequence[Section], *, time_slack: Fraction = TIME_SLACK, sound: int = 1
) -> list[str]:
    """Return what is wrong with ``output`` as the join of ``parts``; empty when nothing is.

    ``time_slack`` is allowed at each picture's time; ``sound`` audio tracks of packets are compared.
    """
    after = oracle.decode(output)
    known = {said for part in parts for said in oracle.decode(part.path, keep=True).complaints}
    problems = [f"FFmpeg says of the output only: {said}" for said in after.complaints if said not in known]
    problems += _check_pictures(after.videos[0], parts, time_slack)
    problems += _check_header(output, parts)
    for track in range(sound):
        problems += [f"audio {track}: {problem}" for problem in _check_packets(output, parts, track)]
    return problems


def check_samples(output: Path, parts: Sequence[Section]) -> list[str]:
    """Return where lossless sound is not its section's, to one sample of place; two at each joint may be either's."""
    after = oracle.decode_audio_pcm(output)
    if after is None or after.gaps:
        return ["no sound" if after is None else f"gaps {after.gaps}"]
    problems = []
    for number, part in enumerate(parts):
        before = oracle.decode_audio_pcm(part.path)
        assert before is not None
        begin, length = round((part.zero - before.start_s) * before.rate), round((part.end - part.zero) * before.rate)
        at = round((part.at - after.start_s) * after.rate)
        wanted = before.samples[begin + 2 : begin + length - 2]
        found = (after.samples[at + 2 + shift : at + 2 + shift + len(wanted)] for shift in (-1, 0, 1))
        if not any(np.array_equal(wanted, have) for have in found):
            problems.append(f"the sound of piece {number} is not its own from {float(part.at):.4f} s on")
    return problems


def _check_pictures(got: Sequence[oracle.Frame], parts: Sequence[Section], slack: Fraction) -> Iterator[str]:
    wanted = [
        (part.at + frame.pts - part.zero, frame.digest, number)
        for number, part in enumerate(parts)
        for frame in _pictures(part.path)
        if part.start - TIME_SLACK <= frame.pts < part.end - TIME_SLACK
    ]
    if len(wanted) != len(got):
        yield f"{len(wanted)} pictures wanted, {len(got)} found"
    for place, ((time, digest, number), frame) in enumerate(zip(wanted, got, strict=False)):
        if digest != frame.digest:
            yield f"picture {place} (of piece {number}) is another"
            return
        if abs(frame.pts - got[0].pts - time) > slack:
            yield f"picture {place} (of piece {number}) is {float((frame.pts - got[0].pts - time) * 1000):+.3f} ms off"
            return


def _check_header(output: Path, parts: Sequence[Section]) -> Iterator[str]:
    order = [box.kind for box in boxes.top_level(output) if box.kind in (b"moov", b"mdat", b"moof")]
    if order != [b"moov", b"mdat"]:
        yield f"the boxes are {order}"
    for number, track in enumerate(edits(output)):
        if len([edit for edit in track if edit[1] >= 0]) > 1 or any(time < 0 for _, time in track[1:]):
            yield f"track {number} has the edits {track}"
    total = parts[-1].at + parts[-1].end - parts[-1].zero
    if abs(movie_seconds(output) - total) > Fraction(1, 20):
        yield f"lasts {float(movie_seconds(output)):.3f} s, wanted {float(total):.3f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundPacket:
    """An audio packet, times in seconds: ``digest`` is of its bytes, ``is_hidden`` what an edit trims whole."""

    pts: Fraction
    dts: Fraction
    duration: Fraction
    digest: str
    is_hidden: bool


def sound_packets(path: Path, track: int = 0) -> tuple[SoundPacket, ...]:
    """Return the packets of an audio track in decoding order."""
    return _sound_packets(path, path.stat().st_mtime_ns, track)


@functools.lru_cache(maxsize=64)
def _sound_packets(path: Path, _stamp: int, track: int) -> tuple[SoundPacket, ...]:
    import av

    with av.open(str(path)) as container:
        return tuple(
            SoundPacket(
                pts=packet.pts * packet.time_base,
                dts=packet.dts * packet.time_base,
                duration=(packet.duration or 0) * packet.time_base,
                digest=hashlib.sha1(bytes(packet)).hexdigest(),
                is_hidden=packet.is_discard,
            )
            for packet in container.demux(container.streams.audio[track])
            if packet.size and packet.pts is not None and packet.dts is not None and packet.time_base is not None
        )


def _check_packets(output: Path, parts: Sequence[Section], track: int) -> Iterator[str]:
    """Yield packets that are heard a packet or more from their place, and gaps and overlaps of more than a packet."""
    got = sound_packets(output, track)
    sources = [sound_packets(part.path, _same_language(output, part.path, track)) for part in parts]
    if not got:
        yield "no packets"
        return
    one = max(packet.duration for packet in sources[0][:8])
    longest = _longest_gap(parts, sources, one)
    for before, after in itertools.pairwise(got):
        if after.dts <= before.dts:
            yield f"dts goes from {float(before.dts)} to {float(after.dts)}"
        if not -one <= after.pts - before.pts - one <= longest:
            yield f"from {float(before.pts):.4f} s to {float(after.pts):.4f} s is no step of a packet"
    yield from _out_of_place([packet for packet in got if not packet.is_hidden], parts, sources, one)


def _same_language(output: Path, source: Path, track: int) -> int:
    """Return the number of the source's audio track that has the language of the output's."""
    language = oracle.describe(output).of("audio")[track].language
    languages = [other.language for other in oracle.describe(source).of("audio")]
    return languages.index(language) if len(languages) > 1 else 0


Packets = Sequence[SoundPacket]


def _longest_gap(parts: Sequence[Section], sources: Sequence[Packets], one: Fraction) -> Fraction:
    """Return the gap that sound which ends before its pictures leaves at a joint, and a packet."""
    ends = [packets[-1] for packets in sources]
    return one + max(max(Fraction(0), part.end - end.pts - end.duration) for part, end in zip(parts, ends, strict=True))


SILENCE = frozenset(hashlib.sha1(silent_aac(channels) or b"").hexdigest() for channels in range(1, 7))
"""The packets that may stand where a piece has no more sound."""


def _out_of_place(
    got: Packets, parts: Sequence[Section], all_packets: Sequence[Packets], one: Fraction
) -> Iterator[str]:
    sources = [{packet.digest: packet.pts for packet in packets} for packets in all_packets]
    number, last = 0, Fraction(-10)
    for packet in got:
        found = sources[number].get(packet.digest)
        if found is None and packet.digest in SILENCE and last == max(sources[number].values()):
            continue  # the piece's sound ends before its pictures
        moved_on = number + 1 < len(parts) and packet.pts >= parts[number + 1].at - one
        if moved_on and (found is None or found <= last or found - parts[number].end >= one):
            number += 1
            found, last = sources[number].get(packet.digest), Fraction(-10)
        if found is None or found <= last:
            yield f"the packet at {float(packet.pts):.4f} s is not the next of piece {number}"
            return
        last = found
        offset = packet.pts - parts[number].at - (found - parts[number].zero)
        if abs(offset) >= one:
            yield f"the packet at {float(packet.pts):.4f} s is {float(offset * 1000):+.3f} ms off in piece {number}"
            return
    if number != len(parts) - 1:
        yield f"no sound of the pieces after number {number}"


def _tracks(moov: bytes) -> Iterator[boxes.Box]:
    yield from boxes.find(moov, "moov/trak")


def edits(path: Path) -> list[list[tuple[Fraction, int]]]:
    """Return (duration in seconds, media time in ticks) of each edit of each track."""
    moov = boxes.read_moov(path)
    mvhd = next(boxes.find(moov, "moov/mvhd"))
    scale = boxes._timescale(moov, mvhd)
    return [[(Fraction(length, scale), time) for length, time in boxes._edits(moov, trak)] for trak in _tracks(moov)]


def movie_seconds(path: Path) -> Fraction:
    """Return what the tracks say of how long the movie lasts: their edits, else their samples or fragments."""
    shown = [sum((length for length, _ in track), Fraction(0)) for track in edits(path)]
    if any(shown):
        return max(shown)
    import av

    with av.open(str(path)) as container:
        ends: dict[int, Fraction] = {}
        for packet in container.demux():
            if packet.pts is not None and packet.time_base is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                ends[packet.stream_index] = max(end, ends.get(packet.stream_index, Fraction(0)))
        return max(ends.values())


def sample_entries(path: Path, kind: bytes = b"vide") -> int:
    """Return how many sample entries the first track of a handler type has."""
    moov = boxes.read_moov(path)
    for trak in _tracks(moov):
        handler = next(boxes.find(moov, "mdia/hdlr", trak.body, trak.end))
        if moov[handler.body + 8 : handler.body + 12] == kind:
            stsd = next(boxes.find(moov, "mdia/minf/stbl/stsd", trak.body, trak.end))
            return int(struct.unpack_from(">I", moov, stsd.body + 4)[0])
    return 0


def timecode_counters(path: Path) -> list[tuple[Fraction, int]]:
    """Return (duration in seconds, frame counter) of each sample of the timecode track."""
    moov, data = boxes.read_moov(path), path.read_bytes()
    for trak in _tracks(moov):
        handler = next(boxes.find(moov, "mdia/hdlr", trak.body, trak.end))
        if moov[handler.body + 8 : handler.body + 12] == b"tmcd":
            mdhd = next(boxes.find(moov, "mdia/mdhd", trak.body, trak.end))
            lengths = list(_durations(moov, trak, boxes._timescale(moov, mdhd)))
            counters = [struct.unpack_from(">I", data, offset)[0] for offset in _offsets(moov, trak)]
            return list(zip(lengths, counters, strict=True))
    return []


def _offsets(moov: bytes, trak: boxes.Box) -> Iterator[int]:
    """Yield the offset of each sample of a track whose samples are all four bytes."""
    stsc = next(boxes.find(moov, "mdia/minf/stbl/stsc", trak.body, trak.end))
    stco = next(boxes.find(moov, "mdia/minf/stbl/stco", trak.body, trak.end))
    (runs,) = struct.unpack_from(">I", moov, stsc.body + 4)
    (chunks,) = struct.unpack_from(">I", moov, stco.body + 4)
    starts = {first: count for first, count, _ in struct.iter_unpack(">III", moov[stsc.body + 8 :][: 12 * runs])}
    samples = 0
    for chunk in range(chunks):
        samples = starts.get(chunk + 1, samples)
        (offset,) = struct.unpack_from(">I", moov, stco.body + 8 + 4 * chunk)
        yield from range(offset, offset + 4 * samples, 4)


def _durations(moov: bytes, trak: boxes.Box, timescale: int) -> Iterator[Fraction]:
    stts = next(boxes.find(moov, "mdia/minf/stbl/stts", trak.body, trak.end))
    (runs,) = struct.unpack_from(">I", moov, stts.body + 4)
    for run in range(runs):
        count, delta = struct.unpack_from(">II", moov, stts.body + 8 + 8 * run)
        yield from [Fraction(delta, timescale)] * count
