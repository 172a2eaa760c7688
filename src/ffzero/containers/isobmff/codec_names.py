"""What FFmpeg calls the codec of a sample entry (the MP4 and QuickTime registries; MP4RA "Codecs", "Object types")."""

from __future__ import annotations

__all__ = ["AUDIO_CODECS", "DATA_CODECS", "OBJECT_TYPES", "VIDEO_CODECS", "pcm_codec"]


def _table(text: str) -> dict[str, str]:
    """Read lines of ``codec: fourcc fourcc ...``; ``_`` stands for a space in a four-character code."""
    pairs = (line.split(":") for line in text.strip().splitlines())
    return {fourcc.replace("_", " "): codec.strip() for codec, fourccs in pairs for fourcc in fourccs.split()}


VIDEO_CODECS = _table("""
    h264: avc1 avc2 avc3 avc4 dva1 dvav h264 H264
    hevc: hvc1 hev1 hvc2 hev2 dvh1 dvhe
    vvc: vvc1 vvi1
    evc: evc1
    av1: av01 dav1
    vp8: vp08
    vp9: vp09
    vp6: VP6F
    mpeg4: mp4v XVID DIVX DX50 xvid
    mpeg1video: m1v1 mpg1 mp1v
    mpeg2video: m2v1 mp2v mpg2 hdv1 hdv2 hdv3 hdv4 hdv5 hdv6 hdv7 hdv8 hdv9 xdv2 xdv3 xdv4 xdv5 xdv6 xdv7 xdv8 xdv9
    mpeg2video: xdva xdvb xdvc xdvd xdve xdvf xd54 xd55 xd59 xd5a xd5b xd5c xd5d xd5e xd5f mx5p mx5n mx4p mx4n mx3p mx3n
    h263: h263 H263 s263
    mjpeg: jpeg mjpa dmb1
    mjpegb: mjpb
    prores: apcn apch apcs apco ap4h ap4x
    prores_raw: aprn aprh
    dnxhd: AVdn AVdh
    dvvideo: dvc_ dvcp dvpp dvh1 dv5n dv5p dvh2 dvh3 dvh4 dvh5 dvh6 dvhp dvhq
    cfhd: CFHD
    ffv1: FFV1
    hap: Hap1 Hap5 HapY HapA HapM
    png: png_ MNG_
    tiff: tiff
    gif: gif_
    jpeg2000: mjp2 MJ2C
    qtrle: rle_
    rpza: rpza azpr
    svq1: SVQ1 svq1 svqi
    svq3: SVQ3
    cinepak: cvid
    vc1: vc-1
    wmv3: WMV3
    theora: XiTh
    v210: v210
    v308: v308
    v408: v408
    v410: v410
    rawvideo: raw_ 2vuy yuv2 yuvs 2Vuy b16g uncv
""")
# dvh1 is Dolby Vision HEVC in MP4 and DVCPRO HD 60i in QuickTime; the child boxes tell (see sample_entry).

AUDIO_CODECS = _table("""
    aac: mp4a
    mp3: .mp3
    ac3: ac-3 sac3 AC-3
    eac3: ec-3
    ac4: ac-4
    opus: Opus
    flac: fLaC
    alac: alac
    dts: dtsc dtsh dtsl dtse DTS_
    truehd: mlpa
    vorbis: vrbs
    amr_nb: samr
    amr_wb: sawb
    evrc: sevc
    qcelp: sqcp Qclp Qclq
    speex: spex
    gsm: agsm
    mp2: .mp2
    mpegh_3d_audio: mha1 mha2 mhm1 mhm2
    iamf: iamf
    pcm_mulaw: ulaw
    pcm_alaw: alaw
    adpcm_ima_qt: ima4
    mace3: MAC3
    mace6: MAC6
    qdm2: QDM2
    qdmc: QDMC
    dvaudio: dvca vdva
""") | {
    "ms\x00\x02": "adpcm_ms",
    "ms\x00\x11": "adpcm_ima_wav",
    "ms\x00\x31": "gsm_ms",
    "ms\x00\x50": "mp2",
    "ms\x00\x55": "mp3",
    "ms\x20\x00": "ac3",
    "ms\x20\x01": "dts",
}

DATA_CODECS = _table("""
    mov_text: tx3g text
    eia_608: c608
    eia_708: c708
    dvd_subtitle: mp4s
""")
# wvtt, stpp, tmcd, gpmd, mebx, ... keep their four-character code as their name.

OBJECT_TYPES = {
    0x08: "mov_text",
    0x20: "mpeg4",
    0x21: "h264",
    0x23: "hevc",
    0x33: "vvc",
    0x40: "aac",
    0x60: "mpeg2video",
    0x61: "mpeg2video",
    0x62: "mpeg2video",
    0x63: "mpeg2video",
    0x64: "mpeg2video",
    0x65: "mpeg2video",
    0x66: "aac",
    0x67: "aac",
    0x68: "aac",
    0x69: "mp3",
    0x6A: "mpeg1video",
    0x6B: "mp3",
    0x6C: "mjpeg",
    0x6D: "png",
    0x6E: "jpeg2000",
    0xA3: "vc1",
    0xA4: "dirac",
    0xA5: "ac3",
    0xA6: "eac3",
    0xA9: "dts",
    0xAA: "dts",
    0xAB: "dts",
    0xAC: "dts",
    0xAD: "opus",
    0xB1: "vp9",
    0xC1: "flac",
    0xD1: "evrc",
    0xDD: "vorbis",
    0xE0: "dvd_subtitle",
    0xE1: "qcelp",
}
"""objectTypeIndication of an ``esds``, with the private values that FFmpeg and Nero write (0xAD, 0xC1, 0xDD, 0xE0)."""


def pcm_codec(fourcc: str, bits: int, *, little_endian: bool, lpcm_flags: int | None) -> str | None:
    """Return FFmpeg's name of uncompressed audio, or ``None`` where ``fourcc`` is not one of its forms.

    ``little_endian`` is what ``enda`` or ``pcmC`` says; ``lpcm_flags`` those of a version 2 description (QTFF "LPCM").
    """
    fixed = {"in24": ("s", 24), "in32": ("s", 32), "fl32": ("f", 32), "fl64": ("f", 64)}
    match fourcc:
        case "twos":
            sign, little_endian = "s", False
        case "sowt":
            sign, little_endian = "s", True
        case "raw " | "NONE" | "\x00\x00\x00\x00":
            sign = "u" if bits <= 8 else "s"
            little_endian = False
        case "in24" | "in32" | "fl32" | "fl64":
            sign, bits = fixed[fourcc]
        case "ipcm":
            sign = "s"
        case "fpcm":
            sign = "f"
        case "lpcm":
            flags = lpcm_flags or 0
            sign = "f" if flags & 1 else "s" if flags & 4 else "u"
            little_endian = not flags & 2
        case _:
            return None
    if bits <= 8:
        return f"pcm_{sign}8"
    return f"pcm_{sign}{bits}{'le' if little_endian else 'be'}"
