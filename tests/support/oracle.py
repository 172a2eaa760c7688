"""What FFmpeg shows of a file: the truth that cuts are held against. Nothing here imports ffzero.

Times are exact seconds (``Fraction``) on the presentation timeline after edit lists, as FFmpeg's demuxer reports them.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np

from support import media

__all__ = [
    "Chapter",
    "Cue",
    "Decode",
    "Description",
    "Frame",
    "Pcm",
    "Track",
    "decode",
    "decode_audio_from",
    "decode_audio_pcm",
    "decode_video",
    "decode_video_pyav",
    "describe",
    "keyframe_times",
]

DECODE_TIMEOUT_S = 110
_JITTER = 128
_IDLE = ("No filtered frames for output stream", "Output file is empty")
"""Said of a stream with nothing to show in the range; whether there ought to be something is checked elsewhere."""
_LOSSLESS = ("pcm_", "alac", "flac")
_ADDRESS = re.compile(r" @ 0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture as shown: its time and a digest of its samples, before any rotation."""

    pts: Fraction
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decode:
    """A whole decode: pictures of each video stream in stream order, and FFmpeg's complaints without their numbers."""

    videos: tuple[tuple[Frame, ...], ...]
    complaints: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pcm:
    """Decoded sound of one stream: ``samples`` is (sample, channel), silence in gaps; ``start_s`` the first one's time.

    ``jitter`` is by how many samples the container's times stray from a steady count: phones write such.
    """

    start_s: Fraction
    rate: int
    samples: np.ndarray[Any, Any]
    lossless: bool
    codec: str
    jitter: int = 0
    gaps: tuple[tuple[int, int], ...] = ()

    def sounds_from(self, time: Fraction) -> Fraction | None:
        """Return when sound is first heard at or after ``time``, or ``None`` for never; gaps are in samples."""
        heard = max(time, self.start_s)
        for begin, end in self.gaps:
            if begin <= (heard - self.start_s) * self.rate < end:
                heard = self.start_s + Fraction(end, self.rate)
        return heard if heard < self.end_s else None

    @property
    def end_s(self) -> Fraction:
        return self.start_s + Fraction(len(self.samples), self.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What of a stream must survive a cut."""

    index: int
    kind: str
    codec: str
    language: str
    dispositions: str
    rotation_degrees: int = 0
    timecode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    start_s: Fraction
    end_s: Fraction
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """One subtitle packet that says something."""

    start_s: Fraction
    end_s: Fraction
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    tracks: tuple[Track, ...]
    chapters: tuple[Chapter, ...]
    cues: tuple[tuple[Cue, ...], ...]
    frame_rate: Fraction | None

    def of(self, kind: str) -> list[Track]:
        return [track for track in self.tracks if track.kind == kind]


def decode(path: Path, *, key: str | None = None, keep: bool = False) -> Decode:
    """Decode every video and audio stream of ``path`` with the FFmpeg program.

    ``key`` decrypts (hex). ``keep`` remembers the answer in this process and on disk: for sources, which are asked for
    again and again.
    """
    return _kept_decode(path, _stamp(path), key) if keep else _decode(path, key)


def decode_video(path: Path, stream: int = 0, *, key: str | None = None) -> list[tuple[Fraction, str]]:
    """Return (time, digest) of each picture of the ``stream``-th video stream, in the order shown."""
    return [(frame.pts, frame.digest) for frame in decode(path, key=key).videos[stream]]


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


@functools.lru_cache(maxsize=256)
def _kept_decode(path: Path, stamp: tuple[int, int], key: str | None) -> Decode:
    name = hashlib.sha256(repr((path.name, stamp, key)).encode()).hexdigest()[:20]
    kept = media.cache_folder() / "decodes" / f"{name}.json"
    if kept.exists():
        return _from_json(json.loads(kept.read_text()))
    answer = _decode(path, key)
    kept.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=kept.parent, delete=False) as file:
        json.dump(_to_json(answer), file)
    os.replace(file.name, kept)
    return answer


def _to_json(answer: Decode) -> dict[str, Any]:
    videos = [[(str(frame.pts), frame.digest) for frame in video] for video in answer.videos]
    return {"videos": videos, "complaints": list(answer.complaints)}


def _from_json(data: dict[str, Any]) -> Decode:
    videos = tuple(tuple(Frame(pts=Fraction(pts), digest=d) for pts, d in video) for video in data["videos"])
    return Decode(videos=videos, complaints=tuple(data["complaints"]))


def _decode(path: Path, key: str | None) -> Decode:
    command = [media.ffmpeg_exe(), "-hide_banner", "-nostdin", "-v", "warning"]
    command += ["-decryption_key", key] if key else []
    command += ["-noautorotate", "-copyts", "-i", str(path), "-map", "0:v?", "-map", "0:a?"]
    command += ["-fps_mode", "passthrough", "-enc_time_base:v", "demux"]
    command += ["-f", "framehash", "-hash", "murmur3", "-"]
    run = subprocess.run(command, capture_output=True, timeout=DECODE_TIMEOUT_S)
    complaints = _normalised(run.stderr.decode(errors="replace"), path)
    if run.returncode:
        complaints = (*complaints, f"ffmpeg ended with status {run.returncode}")
    return Decode(videos=_frames(run.stdout.decode()), complaints=complaints)


def _normalised(text: str, path: Path) -> tuple[str, ...]:
    lines = {_NUMBER.sub("#", _ADDRESS.sub("", line.replace(str(path), "FILE"))).strip() for line in text.splitlines()}
    return tuple(
        sorted(line for line in lines if line and not any(word in line for word in (*_IDLE, "Last message repeated")))
    )


def _frames(text: str) -> tuple[tuple[Frame, ...], ...]:
    ticks: dict[int, Fraction] = {}
    videos: dict[int, list[Frame]] = {}
    for line in text.splitlines():
        if line.startswith("#tb "):
            number, _, value = line[4:].partition(":")
            ticks[int(number)] = Fraction(value.strip())
        elif line.startswith("#media_type ") and line.endswith("video"):
            videos[int(line[12:].partition(":")[0])] = []
        elif line and not line.startswith("#"):
            stream, _, pts, _, _, digest = (part.strip() for part in line.split(",")[:6])
            if int(stream) in videos:
                videos[int(stream)].append(Frame(pts=int(pts) * ticks[int(stream)], digest=digest))
    return tuple(tuple(videos[number]) for number in sorted(videos))


def _open(path: Path | IO[bytes], key: str | None = None) -> Any:
    import av

    return av.open(path if hasattr(path, "read") else str(path), options={"decryption_key": key} if key else {})


def decode_video_pyav(path: Path | IO[bytes], stream: int = 0) -> list[tuple[Fraction, str]]:
    """Return the same as ``decode_video`` by PyAV (other digests), also of an open file object."""
    with _open(path) as container:
        return [
            (frame.pts * frame.time_base, hashlib.sha1(frame.to_ndarray().tobytes()).hexdigest())
            for frame in container.decode(video=stream)
        ]


def decode_audio_pcm(path: Path, stream: int = 0, *, key: str | None = None) -> Pcm | None:
    """Return the sound of the ``stream``-th audio stream, or ``None`` where it holds no sample."""
    return _pcm(path, _stamp(path), stream, key)


def decode_audio_from(path: Path, stream: int, time: Fraction, *, lead: int, key: str | None = None) -> Pcm | None:
    """Return the sound as a decoder gives it that starts ``lead`` packets before the one at ``time``.

    Noise substitution (AAC) follows a random sequence from the first packet on, so a decoder that starts later gives
    other noise, and no two decodes are alike but those from the same packet.
    """
    with _open(path, key) as container:
        chosen = container.streams.audio[stream]
        packets = [packet for packet in container.demux(chosen) if packet.pts is not None]
        at = max((i for i, p in enumerate(packets) if p.pts * p.time_base <= time), default=0)
        return _joined(list(_blocks(packets[max(0, at - lead) :])), chosen.codec_context.name)


@functools.lru_cache(maxsize=6)
def _pcm(path: Path, stamp: tuple[int, int], stream: int, key: str | None) -> Pcm | None:
    with _open(path, key) as container:
        chosen = container.streams.audio[stream]
        return _joined(list(_blocks(container.demux(chosen))), chosen.codec_context.name)


def _joined(blocks: list[tuple[Fraction, int, np.ndarray[Any, Any]]], codec: str) -> Pcm | None:
    """Put blocks at their times: silence where one is late, cut where it overlaps, as it comes within two samples."""
    if not blocks:
        return None
    start, rate, _ = blocks[0]
    parts: list[np.ndarray[Any, Any]] = []
    gaps: list[tuple[int, int]] = []
    length = jitter = 0
    for pts, _, block in blocks:
        gap = round((pts - start) * rate) - length
        if abs(gap) <= _JITTER:
            jitter = max(jitter, abs(gap))
        if gap > 2:
            parts.append(np.zeros((gap, block.shape[1]), block.dtype))
            gaps.append((length, length + gap))
            length += gap
        parts.append(block[-gap:] if gap < -2 else block)
        length += len(parts[-1])
    return Pcm(
        start_s=start,
        rate=rate,
        samples=np.concatenate(parts),
        lossless=codec.startswith(_LOSSLESS),
        codec=codec,
        jitter=jitter,
        gaps=tuple(gaps),
    )


def _blocks(packets: Iterable[Any]) -> Iterator[tuple[Fraction, int, np.ndarray[Any, Any]]]:
    """Yield (time, rate, samples); a packet that does not decode is passed over, as the FFmpeg program does."""
    import av

    for packet in packets:
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            continue
        for frame in frames:
            data = frame.to_ndarray()
            channels = frame.layout.nb_channels
            shaped = data.T if frame.format.is_planar else data.reshape(-1, channels)
            yield frame.pts * frame.time_base, frame.sample_rate, shaped


def keyframe_times(path: Path) -> list[Fraction]:
    """Return the times of the packets of the first video stream that FFmpeg calls keyframes, ascending."""
    with _open(path) as container:
        packets = container.demux(container.streams.video[0])
        times = {p.pts * p.time_base for p in packets if p.is_keyframe and p.pts is not None and not p.is_discard}
    return sorted(times)


def describe(path: Path, *, key: str | None = None) -> Description:
    """Return the streams, chapters and subtitle cues of ``path``."""
    return _describe(path, _stamp(path), key)


@functools.lru_cache(maxsize=64)
def _describe(path: Path, stamp: tuple[int, int], key: str | None) -> Description:
    import av

    with _open(path, key) as container:
        kinds = [_kind(stream) for stream in container.streams]
        rate = next((s.average_rate for s, kind in zip(container.streams, kinds, strict=True) if kind == "video"), None)
        chapters = tuple(
            Chapter(
                start_s=Fraction(c["start"]) * c["time_base"],
                end_s=Fraction(c["end"]) * c["time_base"],
                title=c["metadata"].get("title", ""),
            )
            for c in container.chapters()
        )
        cues = tuple(_cues(path, i) for i, kind in enumerate(kinds) if kind == "subtitle")
        tracks = tuple(
            Track(
                index=index,
                kind=kind,
                codec=stream.codec_context.name if stream.codec_context else "",
                language=stream.language or "und",
                dispositions=str(av.stream.Disposition(int(stream.disposition))),
                rotation_degrees=_rotation(path, index, key) if kind == "video" else 0,
                timecode=stream.metadata.get("timecode"),
            )
            for index, (stream, kind) in enumerate(zip(container.streams, kinds, strict=True))
        )
    return Description(tracks=tracks, chapters=chapters, cues=cues, frame_rate=rate)


def _kind(stream: Any) -> str:
    from av.stream import Disposition

    if Disposition.attached_pic in stream.disposition:
        return "cover"
    return "timecode" if stream.type == "data" and "timecode" in stream.metadata else str(stream.type)


def _rotation(path: Path, index: int, key: str | None) -> int:
    import av

    with _open(path, key) as container:
        try:
            first = next(iter(container.decode(container.streams[index])), None)
        except av.error.FFmpegError:  # encrypted, and no key at hand
            first = None
        return int(first.rotation) if first is not None else 0


def _cues(path: Path, index: int) -> tuple[Cue, ...]:
    with _open(path) as container:
        packets = [p for p in container.demux(container.streams[index]) if p.pts is not None and p.size > 2]
        return tuple(
            Cue(start_s=p.pts * p.time_base, end_s=(p.pts + (p.duration or 0)) * p.time_base, payload=bytes(p))
            for p in packets
        )
