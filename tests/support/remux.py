"""Media and measures for the tests of copying between containers; PyAV is the judge, ffzero is not imported here."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path

import av

from support import media

__all__ = ["AudioPacket", "Picture", "audio_packets", "cues", "made", "pictures", "time_zero"]

SECONDS = 8
_PICTURE = ["-f", "lavfi", "-i", f"testsrc2=s=160x120:r=25:d={SECONDS}"]
_SOUND = ["-f", "lavfi", "-i", f"aevalsrc='0.4*sin(2*PI*(180+90*t)*t)':s=48000:d={SECONDS}"]
_SOUND2 = ["-f", "lavfi", "-i", f"aevalsrc='0.3*sin(2*PI*(700+40*t)*t)':s=44100:d={SECONDS}"]
_X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "3", "-b_strategy", "0", "-g", "25", "-sc_threshold", "0"]
_OPEN = [*_X264, "-x264-params", "open-gop=1:keyint=25:min-keyint=25"]

_SRT = "1\n00:00:00,500 --> 00:00:01,500\nfirst\n\n2\n00:00:02,500 --> 00:00:04,500\n<i>across</i>\n\n"
_CHAPTERS = (
    ";FFMETADATA1\ntitle=A title\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=3500\ntitle=One\n"
    "[CHAPTER]\nTIMEBASE=1/1000\nSTART=3500\nEND=8000\ntitle=Two\n"
)

RECIPES: dict[str, list[str]] = {
    "h264_aac.mkv": [*_PICTURE, *_SOUND, *_X264, "-c:a", "aac"],
    "h264_flac.mkv": [*_PICTURE, *_SOUND, *_X264, "-c:a", "flac"],
    "live.mkv": [*_PICTURE, *_SOUND, *_X264, "-c:a", "aac", "-f", "matroska", "-live", "1"],
    "vp9_opus.webm": [
        *_PICTURE, *_SOUND, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25",
        "-auto-alt-ref", "1", "-lag-in-frames", "10", "-c:a", "libopus",
    ],
    "h264_aac.ts": [*_PICTURE, *_SOUND, *_X264, "-c:a", "aac"],
    "open_gop.ts": [*_PICTURE, *_SOUND, *_OPEN, "-c:a", "ac3"],
    "open_gop.mp4": [*_PICTURE, *_SOUND, *_OPEN, "-c:a", "aac"],
    "mpeg2.m2ts": [*_PICTURE, *_SOUND, "-c:v", "mpeg2video", "-bf", "2", "-g", "12", "-c:a", "ac3"],
    "asp.avi": [*_PICTURE, *_SOUND, "-c:v", "mpeg4", "-bf", "2", "-g", "25", "-c:a", "libmp3lame"],
    "h264_aac.flv": [*_PICTURE, *_SOUND, *_X264, "-c:a", "aac"],
    "sound.mp3": [*_SOUND, "-c:a", "libmp3lame"],
    "sound.wav": [*_SOUND, "-c:a", "pcm_s16le"],
    "sound.ogg": [*_SOUND, "-c:a", "libvorbis"],
    "multi.mkv": [
        *_PICTURE, *_SOUND, *_SOUND2, "-i", "s.srt", "-i", "ch.txt", "-map", "0:v", "-map", "1:a", "-map", "2:a",
        "-map", "3:s", "-map", "3:s", "-map_metadata", "4", "-map_chapters", "4", *_X264, "-c:a", "aac",
        "-c:s:0", "srt", "-c:s:1", "ass", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu",
        "-disposition:a:1", "comment", "-metadata:s:s:0", "language=fra", "-attach", "s.srt",
        "-metadata:s:t", "mimetype=text/plain",
    ],
    "multi.mp4": [
        *_PICTURE, *_SOUND, "-i", "s.srt", "-i", "ch.txt", "-i", "cover.png", "-map", "0:v", "-map", "1:a",
        "-map", "2:s", "-map", "4:v", "-map_chapters", "3", *_X264, "-c:a", "aac", "-c:s", "mov_text",
        "-c:v:1", "png", "-disposition:v:1", "attached_pic",
    ],
}  # fmt: skip


def made(name: str) -> Path:
    """Return the made file ``name``, made where it does not exist yet."""
    recipe = RECIPES[name]
    text = "\0".join([*recipe, _SRT, _CHAPTERS])
    path = media.cache_folder() / f"remux-{hashlib.sha256(text.encode()).hexdigest()[:8]}-{name}"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            folder = Path(scratch)
            (folder / "s.srt").write_text(_SRT, encoding="utf-8")
            (folder / "ch.txt").write_text(_CHAPTERS, encoding="utf-8")
            if "cover.png" in recipe:
                _ffmpeg(folder, "-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", "1", "cover.png")
            _ffmpeg(folder, *recipe, name)
            os.replace(folder / name, path)
    return path


def _ffmpeg(folder: Path, *args: str) -> None:
    command = [media.ffmpeg_exe(), "-hide_banner", "-nostdin", "-v", "error", "-y", *args]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=100)


Picture = tuple[Fraction, str]
"""When a picture is shown, in seconds, and a digest of its samples."""

AudioPacket = tuple[Fraction, str]
"""When a packet of sound begins, and a digest of its last bytes (ADTS headers come and go with the container)."""


def _open(path: Path | str) -> av.container.InputContainer:
    container = av.open(str(path))
    if container.format.name == "avi":
        container.flags |= 1  # AVFMT_FLAG_GENPTS
    return container


def time_zero(path: Path | str) -> Fraction:
    """Return movie time 0 on the container's clock: a transport stream's first time stamp, else 0."""
    with _open(path) as container:
        if container.format.name != "mpegts":
            return Fraction(0)
        kinds = ("video", "audio")
        return min(
            s.start_time * s.time_base for s in container.streams if s.type in kinds and s.start_time is not None
        )


def pictures(path: Path) -> tuple[Picture, ...]:
    """Decode the first video stream whole; what was decoded last is remembered."""
    return _pictures(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _pictures(path: Path, mtime_ns: int) -> tuple[Picture, ...]:
    shown: list[Picture] = []
    with _open(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        for packet in container.demux(container.streams.video[0]):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:  # pictures before the first key picture
                continue
            for frame in frames:
                if frame.pts is not None:
                    digest = hashlib.sha1(frame.to_ndarray().tobytes()).hexdigest()
                    shown.append((frame.pts * frame.time_base, digest))
    return tuple(shown)


def audio_packets(path: Path | str, track: int = 0) -> list[AudioPacket]:
    """Return the packets of an audio track in order."""
    with _open(path) as container:
        return [
            (packet.pts * packet.time_base, hashlib.md5(bytes(packet)[-40:]).hexdigest())
            for packet in container.demux(container.streams.audio[track])
            if packet.size and packet.pts is not None
        ]


def cues(path: Path | str, track: int = 0) -> list[tuple[Fraction, Fraction, bytes]]:
    """Return start, length and bytes of the packets of a subtitle track, empty ones left out."""
    with _open(path) as container:
        return [
            (packet.pts * packet.time_base, packet.duration * packet.time_base, bytes(packet))
            for packet in container.demux(container.streams.subtitles[track])
            if packet.size and bytes(packet) != b"\0\0"
        ]
