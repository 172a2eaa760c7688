"""Which encoders really encode here: a hardware encoder that is listed often fails, so each codes a probe frame."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ffzero.errors import FFmpegError, FFZeroError
from ffzero.ffmpeg.binary import FFmpegBinary
from ffzero.ffmpeg.diagnosis import diagnose
from ffzero.ffmpeg.executor import FFmpegExecutor
from ffzero.values import dataclass

__all__ = ["HARDWARE_FAMILIES", "PROBED_ENCODERS", "EncoderProbe", "probe_command", "probe_encoders"]

HARDWARE_FAMILIES = ("nvenc", "qsv", "vaapi", "amf", "videotoolbox", "vulkan", "v4l2m2m", "mf", "d3d12va", "mediacodec")
_HARDWARE_CODECS = ("h264", "hevc", "av1")
_VIDEO = ("libx264", "libx265", "libsvtav1", "libaom-av1", "libvpx-vp9", "prores_ks", "ffv1", "mjpeg", "gif")
_AUDIO = ("aac", "libfdk_aac", "libopus", "flac", "libmp3lame", "libvorbis", "ac3", "alac", "pcm_s16le")
PROBED_ENCODERS = (*_VIDEO, *_AUDIO, *(f"{codec}_{kind}" for kind in HARDWARE_FAMILIES for codec in _HARDWARE_CODECS))

_TIMEOUT_S = 10.0
_WORKERS = 4
# These take frames that lie on the device already.
_UPLOADED = ("vaapi", "vulkan")
_QUICK = {"libaom-av1": ["-cpu-used", "8"], "libsvtav1": ["-preset", "12"], "libvpx-vp9": ["-cpu-used", "8"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderProbe:
    """``works``: it encoded a frame here. ``reason``: why it did not, in words (empty where it did)."""

    name: str
    works: bool
    reason: str = ""
    elapsed_s: float = 0.0

    @property
    def hardware(self) -> str | None:
        """The family (``nvenc``, ``vaapi``, ...) of a hardware encoder, else ``None``."""
        family = self.name.rpartition("_")[2]
        return family if family in HARDWARE_FAMILIES and "_" in self.name else None


_cache: dict[tuple[str, int, int, str], EncoderProbe] = {}
_cache_lock = threading.Lock()


def probe_encoders(
    binary: FFmpegBinary, names: Sequence[str] | None = None, *, timeout_s: float = _TIMEOUT_S
) -> list[EncoderProbe]:
    """Let each encoder code a probe frame, several at a time, and return what came of it in the order of ``names``.

    ``names`` are by default those of ``PROBED_ENCODERS`` that this FFmpeg lists. Each gets ``timeout_s``. Results are
    kept for the program's file as long as Python runs. An encoder that FFmpeg does not list does not work.
    """
    listed = binary.encoders
    wanted = [name for name in PROBED_ENCODERS if name in listed] if names is None else list(names)
    status = os.stat(binary.path)
    identity = (binary.path, status.st_mtime_ns, status.st_size)

    def probe(name: str) -> EncoderProbe:
        with _cache_lock:
            known = _cache.get((*identity, name))
        if known is not None:
            return known
        if name not in listed:
            return EncoderProbe(name=name, works=False, reason="this FFmpeg was built without it")
        found = _probe(binary.path, name, timeout_s)
        with _cache_lock:
            _cache[(*identity, name)] = found
        return found

    with ThreadPoolExecutor(max_workers=min(_WORKERS, os.cpu_count() or 1)) as pool:
        return list(pool.map(probe, wanted))


def probe_command(name: str) -> list[str]:
    """Return the words of the command that lets an encoder code a little; its packets are listed on standard output."""
    family = name.rpartition("_")[2]
    audio = name in _AUDIO
    source = "anullsrc=r=48000:cl=stereo:d=0.1" if audio else "testsrc2=s=320x256:r=25:d=0.2"
    words = ["-f", "lavfi", "-i", source]
    if family in _UPLOADED:
        words = ["-init_hw_device", f"{family}=hw", "-filter_hw_device", "hw", *words, "-vf", "format=nv12,hwupload"]
    elif family == "qsv":
        words = ["-init_hw_device", "qsv=hw", *words, "-vf", "format=nv12"]
    limit = [] if audio else ["-frames:v", "2"]
    return [*words, "-c:a" if audio else "-c:v", name, *_QUICK.get(name, []), *limit, "-f", "framecrc", "-"]


def _probe(path: str, name: str, timeout_s: float) -> EncoderProbe:
    started_s = time.monotonic()
    reason = ""
    try:
        result = FFmpegExecutor(path, timeout_s=timeout_s, grace_s=0.5).execute(probe_command(name))
        if not _has_packet(result.stdout_tail):
            reason = "it gave no frame"
    except FFmpegError as error:
        line = diagnose(error.stderr_tail, error.returncode or 0).line if error.stderr_tail else None
        cause = error.cause or error.message
        reason = cause if not line or line in cause else f"{cause} ({line})"
    except FFZeroError as error:
        reason = error.message
    return EncoderProbe(name=name, works=not reason, reason=reason, elapsed_s=time.monotonic() - started_s)


def _has_packet(listing: bytes) -> bool:
    """Whether framecrc's lines (``stream, dts, pts, duration, size, crc``) name a packet that is not empty."""
    rows = (line.split(b",") for line in listing.splitlines() if not line.startswith(b"#"))
    return any(len(row) >= 6 and row[4].strip().isdigit() and int(row[4]) > 0 for row in rows)
