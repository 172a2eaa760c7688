"""Media that no real file at hand covers, made with the bundled FFmpeg: a few seconds each, one difficulty each.

Every picture differs from every other (``testsrc2`` counts), and the sound sweeps upwards, so that a wrong picture or
a shifted sound cannot pass for the right one.
"""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support.boxes import CONTAINERS, children, find

__all__ = ["CENC_KEY", "DAMAGED", "PLAYABLE", "RECIPES", "Kitchen"]

SECONDS = 8
CENC_KEY = "00112233445566778899aabbccddeeff"
HOLE_BYTES = 4500 << 20
THREE_EDITS = ((3.0, 1.0), (2.0, 4.48), (1.48, 0.0))
"""Shown seconds and the media second that each starts at; the later parts lie neither in order nor at keyframes."""

PICTURE = ["-f", "lavfi", "-i", f"testsrc2=s=320x180:r=25:d={SECONDS}"]
SWEEP = ["-f", "lavfi", "-i", f"aevalsrc='0.4*sin(2*PI*(180+90*t)*t)':s=48000:d={SECONDS}"]
TICKS = ["-f", "lavfi", "-i", f"aevalsrc='0.3*sin(2*PI*(700+40*t)*t)*mod(t*3\\,1)':s=48000:d={SECONDS}"]
X264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
AAC = ["-c:a", "aac", "-aac_pns", "0", "-b:a", "96k"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kitchen:
    """What a recipe may use: FFmpeg, the other made files, and a folder for its crumbs."""

    ffmpeg: str
    get: Callable[[str], Path]
    scratch: Path

    def make(self, out: Path, *args: str | Path) -> None:
        """Run FFmpeg with ``args`` and ``out`` last; ``CalledProcessError`` carries what it said."""
        command = [self.ffmpeg, "-hide_banner", "-nostdin", "-v", "error", "-y", *map(str, args), str(out)]
        subprocess.run(command, check=True, capture_output=True, timeout=100)


Recipe = Callable[[Kitchen, Path], None]
RECIPES: dict[str, Recipe] = {}


def _recipe(name: str) -> Callable[[Recipe], Recipe]:
    def keep(function: Recipe) -> Recipe:
        RECIPES[name] = function
        return function

    return keep


def _plain(name: str, *args: str) -> None:
    RECIPES[name] = lambda kitchen, out: kitchen.make(out, *args)


def _x264(params: str) -> list[str]:
    return [*X264, "-x264-params", params]


def _x265(params: str) -> list[str]:
    fixed = "log-level=none:keyint=40:min-keyint=40:scenecut=0:bframes=4:"
    return ["-c:v", "libx265", "-preset", "veryfast", "-x265-params", fixed + params, "-tag:v", "hvc1"]


OPEN_GOP = "keyint=40:min-keyint=40:open-gop=1:bframes=3:b-adapt=0:scenecut=0"
HDR10 = (
    "hdr10=1:repeat-headers=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:max-cll=1000,400:"
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
)
VFR = "select='not(eq(mod(n,7),3))*not(between(t,3,4.5))',setpts='PTS+0.012*random(1)/TB'"

_plain("h264_open_gop.mp4", *PICTURE, *SWEEP, *_x264(OPEN_GOP), *AAC)
_plain("h264_one_gop.mp4", *PICTURE, *SWEEP, *_x264("keyint=9999:bframes=3:scenecut=0"), *AAC)
_plain("h264_intra_refresh.mp4", *PICTURE, *_x264("intra-refresh=1:keyint=40"))
_plain("h264_mbaff.mp4", *PICTURE, "-flags", "+ildct+ilme", *_x264("keyint=40:tff=1:bframes=2"))
_plain("h264_alac.mov", *PICTURE, *SWEEP, *_x264("keyint=40"), "-c:a", "alac")
_plain("h264_opus.mp4", *PICTURE, *SWEEP, *_x264("keyint=40:bframes=2"), "-c:a", "libopus", "-b:a", "96k")
_plain("hevc_radl.mp4", *PICTURE, *_x265("open-gop=0:radl=3"))
_plain("hevc_cra_rasl_hvc1.mp4", *PICTURE, *SWEEP, *_x265("open-gop=1"), *AAC)
_plain("hdr10.mp4", *PICTURE, "-pix_fmt", "yuv420p10le", *_x265(HDR10))
_plain("av1_10bit.mp4", *PICTURE, "-pix_fmt", "yuv420p10le", "-c:v", "libsvtav1", "-preset", "12", "-g", "40")
_plain(
    "prores_tc_pcm24.mov",
    *PICTURE, *SWEEP, "-c:v", "prores_ks", "-profile:v", "0", "-c:a", "pcm_s24le",
    "-timecode", "10:00:00:00", "-t", "3",
)  # fmt: skip
_plain("vfr.mp4", *PICTURE, "-vf", VFR, "-fps_mode", "vfr", "-enc_time_base", "1:90000", *_x264("keyint=40"))


def _remux(name: str, base: str, *args: str, before: tuple[str, ...] = ()) -> None:
    def make(kitchen: Kitchen, out: Path) -> None:
        kitchen.make(out, *before, "-i", kitchen.get(base), "-c", "copy", *args)

    RECIPES[name] = make


_FRAGMENTS = "+frag_keyframe+empty_moov+default_base_moof"
_remux("rot90.mp4", "h264_one_gop.mp4", before=("-display_rotation:v", "90"))
_remux("frag_no_index.mp4", "h264_open_gop.mp4", "-movflags", _FRAGMENTS + "+skip_trailer")
_remux("frag_sidx.mp4", "h264_open_gop.mp4", "-movflags", _FRAGMENTS + "+global_sidx")
_remux("fast.mp4", "h264_open_gop.mp4", "-movflags", "+faststart")
_remux(
    "cenc_known_key.mp4", "h264_one_gop.mp4", "-encryption_scheme", "cenc-aes-ctr",
    "-encryption_key", CENC_KEY, "-encryption_kid", "00000000000000000000000000000001",
)  # fmt: skip

_CUES = """1
00:00:01,000 --> 00:00:02,200
Hello

2
00:00:03,500 --> 00:00:05,000
across the cut

3
00:00:06,000 --> 00:00:07,000
Goodbye
"""
_CHAPTERS = ";FFMETADATA1\ntitle=The whole\n" + "".join(
    f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={title}\n"
    for start, end, title in ((0, 2500, "One"), (2500, 6000, "Two"), (6000, SECONDS * 1000, "Three"))
)


@_recipe("multi.mp4")
def _multi(kitchen: Kitchen, out: Path) -> None:
    cues, chapters, cover = (kitchen.scratch / name for name in ("cues.srt", "chapters.txt", "cover.png"))
    cues.write_text(_CUES)
    chapters.write_text(_CHAPTERS)
    kitchen.make(cover, "-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1")
    kitchen.make(
        out, *PICTURE, *SWEEP, *TICKS, "-i", cues, "-i", chapters, "-i", cover,
        "-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:s", "-map", "5:v", "-map_chapters", "4",
        "-map_metadata", "4", *_x264("keyint=40:bframes=2"), "-c:a:0", "aac", "-aac_pns", "0", "-c:a:1", "ac3",
        "-c:s", "mov_text", "-c:v:1", "png", "-disposition:v:1", "attached_pic",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu", "-metadata:s:s:0", "language=fra",
    )  # fmt: skip


@_recipe("mdat_size0.mp4")
def _mdat_size0(kitchen: Kitchen, out: Path) -> None:
    data = bytearray(kitchen.get("fast.mp4").read_bytes())
    last = list(children(data))[-1]
    assert last.kind == b"mdat", last
    data[last.start : last.start + 4] = bytes(4)
    out.write_bytes(data)


@_recipe("three_edits.mp4")
def _three_edits(kitchen: Kitchen, out: Path) -> None:
    data = bytearray(kitchen.get("h264_open_gop.mp4").read_bytes())
    moov, trak, edts, elst, mdhd, mvhd = (
        next(find(data, path))
        for path in ("moov", "moov/trak", "moov/trak/edts", "moov/trak/edts/elst", "moov/trak/mdia/mdhd", "moov/mvhd")
    )
    assert moov.end == len(data), "growing moov would move the samples"
    media = struct.unpack_from(">I", data, mdhd.body + 12)[0]
    movie = struct.unpack_from(">I", data, mvhd.body + 12)[0]
    first = struct.unpack_from(">i", data, elst.body + 12)[0]
    rows = [(round(shown * movie), first + round(begin * media), 0x10000) for shown, begin in THREE_EDITS]
    table = _box(b"elst", struct.pack(">II", 0, len(rows)) + b"".join(struct.pack(">IiI", *row) for row in rows))
    grown = _box(b"edts", table)
    data[edts.start : edts.end] = grown
    for box in (moov, trak):
        struct.pack_into(">I", data, box.start, box.size + len(grown) - edts.size)
    out.write_bytes(data)


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


@_recipe("sparse_4g5_co64.mp4")
def _sparse(kitchen: Kitchen, out: Path) -> None:
    """A hole of 4.5 GiB before the samples: every chunk offset needs 64 bits, and the disk holds under 1 MB."""
    data = kitchen.get("h264_one_gop.mp4").read_bytes()
    ftyp, mdat, moov = (next(find(data, kind)) for kind in ("ftyp", "mdat", "moov"))
    payload = data[mdat.body : mdat.end]
    moved = ftyp.size + 16 + HOLE_BYTES + 16 - mdat.body
    with out.open("wb") as file:
        file.write(data[ftyp.start : ftyp.end] + struct.pack(">I4sQ", 1, b"free", 16 + HOLE_BYTES))
        file.seek(HOLE_BYTES, 1)
        file.write(struct.pack(">I4sQ", 1, b"mdat", 16 + len(payload)) + payload)
        file.write(_with_co64(data[moov.start : moov.end], moved))


def _with_co64(data: bytes, moved: int) -> bytes:
    out = bytearray()
    for box in children(data):
        kind, body = box.kind, data[box.body : box.end]
        if kind == b"stco":
            count = struct.unpack_from(">I", body, 4)[0]
            offsets = struct.unpack_from(f">{count}I", body, 8)
            kind, body = b"co64", body[:8] + struct.pack(f">{count}Q", *(offset + moved for offset in offsets))
        elif kind in CONTAINERS and kind != b"udta":
            body = _with_co64(body, moved)
        out += _box(kind, body)
    return bytes(out)


@_recipe("truncated_half.mp4")
def _truncated(kitchen: Kitchen, out: Path) -> None:
    data = kitchen.get("fast.mp4").read_bytes()
    out.write_bytes(data[: len(data) // 2])


@_recipe("no_moov.mp4")
def _no_moov(kitchen: Kitchen, out: Path) -> None:
    data = kitchen.get("h264_open_gop.mp4").read_bytes()
    out.write_bytes(data[: next(find(data, "moov")).start - 1000])


@_recipe("moov_bitflips.mp4")
def _bitflips(kitchen: Kitchen, out: Path) -> None:
    data, dice = bytearray(kitchen.get("fast.mp4").read_bytes()), random.Random(7)
    moov = next(find(data, "moov"))
    for _ in range(20):
        data[dice.randrange(moov.body, moov.end)] ^= 1 << dice.randrange(8)
    out.write_bytes(data)


DAMAGED = ("moov_bitflips.mp4", "no_moov.mp4", "truncated_half.mp4")
PLAYABLE = tuple(sorted(set(RECIPES) - set(DAMAGED)))
