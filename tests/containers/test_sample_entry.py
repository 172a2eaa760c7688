"""Sample entries: hand-written boxes of each layout, damage, and agreement with FFmpeg on real and made files."""

from __future__ import annotations

import pickle
import struct

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffzero.containers.isobmff.codec_config import parse_audio_specific_config
from ffzero.containers.isobmff.sample_entry import Colour, SampleEntry, parse_sample_entry
from ffzero.errors import InvalidDataError
from support.boxes import children, find
from support.media import Media, made, real_media


def box(kind: str, *parts: bytes) -> bytes:
    payload = b"".join(parts)
    return struct.pack(">I", len(payload) + 8) + kind.encode("latin-1") + payload


def full(kind: str, *parts: bytes) -> bytes:
    return box(kind, b"\0\0\0\0", *parts)


def visual(
    kind: str, *boxes: bytes, width: int = 640, height: int = 360, depth: int = 24, table: int = 0xFFFF
) -> bytes:
    head = bytes(6) + b"\0\1"  # reserved, data_reference_index
    head += bytes(16) + struct.pack(">HH", width, height)  # pre_defined and reserved, size
    head += bytes.fromhex("00480000 00480000 00000000 0001") + bytes(
        32
    )  # 72 dpi, reserved, frame_count, compressorname
    return box(kind, head, struct.pack(">HH", depth, table), *boxes)


def sound(
    kind: str, *boxes: bytes, version: int = 0, channels: int = 2, size: int = 16, rate: int = 44100, extra: bytes = b""
) -> bytes:
    head = bytes(6) + b"\0\1" + struct.pack(">HHI", version, 0, 0)  # version, revision, vendor
    head += struct.pack(">HHHHI", channels, size, 0, 0, rate << 16)  # compression id, packet size, 16.16 rate
    return box(kind, head, extra, *boxes)


def esds(indication: int, specific: bytes = b"") -> bytes:
    config = bytes([indication, 0x15]) + bytes(3 + 8)  # object type, stream type; buffer size, bit rates
    config += bytes([5, len(specific)]) + specific if specific else b""
    stream = b"\0\1\0" + bytes([4, len(config)]) + config + b"\6\1\2"  # ES_ID, flags; then the SL config
    return full("esds", b"\x03\x80\x80\x80" + bytes([len(stream)]) + stream)


SPS, PPS = bytes.fromhex("6742c01eda0280f640"), bytes.fromhex("68ce3880")
AVCC = box("avcC", b"\1\x42\xc0\x1e\xfd\xe1", struct.pack(">H", len(SPS)), SPS, b"\1\0\4", PPS)


def test_avc1() -> None:
    raw = visual("avc1", AVCC, box("colr", b"nclx", struct.pack(">HHHB", 1, 13, 6, 0x80)), box("zzzz", b"kept"))
    entry = parse_sample_entry(raw, "vide")
    assert entry.raw == raw
    assert (entry.fourcc, entry.kind, entry.codec, entry.width, entry.height) == ("avc1", "video", "h264", 640, 360)
    assert entry.nal_length_size == 2  # 0xfd: lengthSizeMinusOne 1
    assert entry.avc is not None and (entry.avc.sps, entry.avc.pps) == ((SPS,), (PPS,))
    assert entry.colour == Colour(primaries=1, transfer=13, matrix=6, full_range=True)
    assert entry.boxes["zzzz"] == b"kept"
    assert pickle.loads(pickle.dumps(entry)) == entry
    assert hash(entry) == hash(parse_sample_entry(raw, "vide"))


def test_hvc1_arrays_and_hdr_boxes() -> None:
    units = [(32, b"\x40\1vps"), (33, b"\x42\1sps"), (34, b"\x44\1pps"), (39, b"\x4e\1sei")]
    arrays = b"".join(bytes([0x80 | kind, 0, 1]) + struct.pack(">H", len(unit)) + unit for kind, unit in units)
    hvcc = box("hvcC", b"\1" + bytes(20) + b"\xff\4", arrays)
    entry = parse_sample_entry(visual("hvc1", hvcc, box("mdcv", bytes(24)), box("dvvC", bytes(24))), "vide")
    assert entry.hevc is not None and entry.hevc.units(33) == (b"\x42\1sps",)
    assert (entry.codec, entry.nal_length_size, entry.hdr_boxes) == ("hevc", 4, ("mdcv", "dvvC"))


def test_an_inline_palette_is_passed_over() -> None:
    palette = struct.pack(">IHH", 0, 0, 1) + bytes(16)  # seed, flags, last index 1; two colours
    entry = parse_sample_entry(visual("rle ", palette, box("gama", b"\0\1\0\0"), depth=8, table=0), "vide")
    assert (entry.codec, set(entry.boxes)) == ("qtrle", {"gama"})


def test_encrypted_video_is_what_it_was() -> None:
    tenc = full("tenc", b"\0\0\1\x08", bytes(16))  # reserved, no pattern, protected, IV of 8 bytes; KID
    sinf = box("sinf", box("frma", b"avc1"), full("schm", b"cenc\0\1\0\0"), box("schi", tenc))
    entry = parse_sample_entry(visual("encv", AVCC, sinf), "vide")
    assert (entry.fourcc, entry.original_format, entry.codec) == ("encv", "avc1", "h264")
    assert entry.encryption_scheme == "cenc"
    assert entry.encryption is not None and entry.encryption.iv_size_bytes == 8
    assert entry.nal_length_size == 2


@pytest.mark.parametrize(
    ("hexa", "object_type", "rate", "output", "channels", "samples", "sbr", "ps"),
    [
        ("1210", 2, 44100, 44100, 2, 1024, None, None),  # LC 44.1 kHz stereo, nothing said of SBR
        ("121056e500", 2, 44100, 44100, 2, 1024, False, False),  # ... 0x2b7, type 5, flag 0
        ("131056e59d4880", 2, 24000, 48000, 2, 1024, True, True),  # ... 0x2b7, 5, flag 1, 48 kHz, 0x548, ps flag 1
        ("2b118800", 2, 24000, 48000, 2, 1024, True, None),  # type 5 first: 24 kHz, then 48 kHz, LC
        ("eb098800", 2, 24000, 48000, 1, 1024, True, True),  # type 29 first
        ("1214", 2, 44100, 44100, 2, 960, None, None),  # frameLengthFlag
        ("b98800", 23, 48000, 48000, 1, 512, None, None),  # ER AAC LD
        ("f8e64000", 39, 48000, 48000, 2, 512, None, None),  # escape 31 + 7: ER AAC ELD
        ("17801f4010", 2, 16000, 16000, 2, 1024, None, None),  # sample rate index 15: 24 bits of rate
    ],
)
def test_audio_specific_config(
    hexa: str, object_type: int, rate: int, output: int, channels: int, samples: int, sbr: bool | None, ps: bool | None
) -> None:
    config = parse_audio_specific_config(bytes.fromhex(hexa))
    assert (config.object_type, config.sample_rate, config.output_sample_rate) == (object_type, rate, output)
    assert (config.channels, config.frame_samples) == (channels, samples)
    assert (config.sbr, config.ps) == (sbr, ps)


@pytest.mark.parametrize(
    ("indication", "specific", "codec"),
    [(0x40, "1210", "aac"), (0x67, "1210", "aac"), (0x6B, "", "mp3"), (0xA5, "", "ac3"), (0xDD, "02", "vorbis"),
     (0x40, "f8429000", "mp3"), (0x40, "", "aac")],
)  # fmt: skip
def test_the_object_type_decides_mp4a(indication: int, specific: str, codec: str) -> None:
    entry = parse_sample_entry(sound("mp4a", esds(indication, bytes.fromhex(specific))), "soun")
    assert entry.codec == codec
    assert (entry.aac is not None) == (codec == "aac" and bool(specific))


def test_quicktime_version_1_finds_its_boxes_in_wave() -> None:
    wave = box("wave", box("frma", b"mp4a"), box("mp4a", bytes(4)), esds(0x40, b"\x12\x10"), struct.pack(">II", 8, 0))
    raw = sound("mp4a", wave, version=1, extra=struct.pack(">IIII", 1024, 0, 0, 2))
    entry = parse_sample_entry(raw, "soun")
    assert entry.codec == "aac" and entry.aac_object_type == 2
    assert set(entry.boxes) == {"wave", "frma", "mp4a", "esds"}


def test_iso_version_1_has_no_quicktime_fields() -> None:
    raw = sound("mp4a", full("srat", struct.pack(">I", 96000)), esds(0x40, b"\x10\x10"), version=1, rate=1)
    entry = parse_sample_entry(raw, "soun")
    assert (entry.codec, entry.sample_rate) == ("aac", 96000)


def test_quicktime_version_2_lpcm() -> None:
    # sizeOfStructOnly, 64-bit rate, channels, always7F000000, bits, format flags, bytes per packet, frames per packet
    extra = struct.pack(">IdIIIIII", 72, 192000.0, 6, 0x7F000000, 24, 0x0C, 18, 1)
    entry = parse_sample_entry(sound("lpcm", version=2, extra=extra), "soun")
    assert (entry.codec, entry.sample_rate, entry.channels, entry.sample_size_bits) == ("pcm_s24le", 192000, 6, 24)


@pytest.mark.parametrize(
    ("kind", "size", "boxes", "codec"),
    [
        ("sowt", 16, (), "pcm_s16le"),
        ("twos", 16, (), "pcm_s16be"),
        ("twos", 8, (), "pcm_s8"),
        ("raw ", 8, (), "pcm_u8"),
        ("in24", 16, (), "pcm_s24be"),
        ("in24", 16, (box("enda", b"\0\1"),), "pcm_s24le"),
        ("fl32", 32, (box("enda", b"\0\0"),), "pcm_f32be"),
        ("ipcm", 16, (full("pcmC", b"\1\x18"),), "pcm_s24le"),
        ("fpcm", 16, (full("pcmC", b"\0\x40"),), "pcm_f64be"),
        ("ulaw", 16, (), "pcm_mulaw"),
    ],
)
def test_pcm(kind: str, size: int, boxes: tuple[bytes, ...], codec: str) -> None:
    entry = parse_sample_entry(sound(kind, *boxes, size=size), "soun")
    assert (entry.codec, entry.frame_samples) == (codec, 1)


def test_timecode() -> None:
    raw = box("tmcd", bytes(6), b"\0\1", bytes(4), struct.pack(">IIIBB", 1, 30000, 1001, 30, 0))
    timecode = parse_sample_entry(raw, "tmcd").timecode
    assert timecode is not None
    assert (timecode.timescale, timecode.frame_duration, timecode.number_of_frames) == (30000, 1001, 30)
    assert timecode.drop_frame


def test_unknown_codes_keep_their_name() -> None:
    assert parse_sample_entry(visual("xyz1"), "vide").codec == "xyz1"
    assert parse_sample_entry(sound("xyz2"), "soun").codec == "xyz2"
    gpmd = parse_sample_entry(box("gpmd", bytes(7), b"\1\xff\xff\xff\xff"), "meta")
    assert (gpmd.kind, gpmd.codec, gpmd.boxes) == ("data", "gpmd", {})


@pytest.mark.parametrize(
    ("raw", "handler"),
    [
        pytest.param(b"\0\0\0\x20avc1", "vide", id="size past the end"),
        pytest.param(visual("avc1", AVCC)[:60], "vide", id="cut"),
        pytest.param(visual("avc1", b"\0\0\xff\xff" + AVCC[4:]), "vide", id="child past the end"),
        pytest.param(visual("avc1", box("avcC", b"\1\x42\xc0\x1e\xff\xe3\0\1g")), "vide", id="SPS count too high"),
        pytest.param(visual("avc1", box("avcC", b"\2\x42\xc0\x1e\xff\xe0\0")), "vide", id="avcC version"),
        pytest.param(visual("hvc1", box("hvcC", b"\1" + bytes(20) + b"\xff\1\x20\xff\xff")), "vide", id="NAL count"),
        pytest.param(sound("mp4a", full("esds", b"\x03\x02\0\1")), "soun", id="esds cut"),
        pytest.param(sound("mp4a", esds(0x40, b"\x16")), "soun", id="AudioSpecificConfig cut"),
        pytest.param(sound("lpcm", version=2), "soun", id="version 2 without its fields"),
        pytest.param(box("tmcd", bytes(10)), "tmcd", id="timecode cut"),
        pytest.param(box("text", b"\0"), "text", id="shorter than any entry"),
    ],
)
def test_damage_is_invalid_data(raw: bytes, handler: str) -> None:
    if len(raw) >= 8 and raw[4:8] in (b"avc1",) and len(raw) == 60:
        raw = struct.pack(">I", 60) + raw[4:]
    with pytest.raises(InvalidDataError) as caught:
        parse_sample_entry(raw, handler, offset_bytes=1000, source_name="a.mp4")
    assert caught.value.path == "a.mp4"
    assert caught.value.offset_bytes is not None and caught.value.offset_bytes >= 1000


def _entries(data: bytes) -> list[SampleEntry]:
    found = []
    for track in find(data, "moov/trak"):
        (handler,) = find(data, "mdia/hdlr", track.body, track.end)
        for stsd in find(data, "mdia/minf/stbl/stsd", track.body, track.end):
            kind = data[handler.body + 8 : handler.body + 12].decode("latin-1")
            found += [parse_sample_entry(data[b.start : b.end], kind) for b in children(data, stsd.body + 8, stsd.end)]
    return found


MADE = ["multi.mp4", "h264_alac.mov", "prores_tc_pcm24.mov", "h264_opus.mp4", "av1_10bit.mp4", "cenc_known_key.mp4"]
OTHER_NAMES = {"mp3float": "mp3", "libdav1d": "av1", "dca": "dts", "libopus": "opus"}


@pytest.mark.parametrize("media", [*real_media(), *(Media(name=name) for name in MADE)], ids=lambda media: media.name)
def test_agrees_with_ffmpeg(media: Media) -> None:
    if "MP4" not in media.container and "MOV" not in media.container:
        pytest.skip("not ISO base media")
    entries = _entries(media.path().read_bytes())
    with av.open(str(media.path())) as container:
        for kind in ("video", "audio"):
            streams = [s for s in container.streams if s.type == kind and not s.disposition & 0x0400]
            ours = [entry for entry in entries if entry.kind == kind]
            if len(ours) != len(streams):
                continue  # several entries in one track
            for stream, entry in zip(streams, ours, strict=True):
                context = stream.codec_context
                assert entry.codec == OTHER_NAMES.get(context.name, context.name)
                if kind == "video":
                    assert (entry.width, entry.height) == (context.width, context.height)
                elif not (entry.aac and entry.aac.sbr is None):
                    assert (entry.sample_rate, entry.channels) == (context.sample_rate, context.channels)


SEEDS = [
    (visual("avc1", AVCC, box("colr", b"nclx" + bytes(7))), "vide"),
    (visual("hvc1", box("hvcC", b"\1" + bytes(20) + b"\xff\1\x21\0\1\0\2ab")), "vide"),
    (visual("encv", box("sinf", box("frma", b"avc1"), full("schm", bytes(8)), box("schi", full("tenc", bytes(20))))),
     "vide"),
    (sound("mp4a", esds(0x40, bytes.fromhex("131056e59d4880"))), "soun"),
    (sound("mp4a", box("wave", esds(0x40, b"\x12\x10")), version=1, extra=bytes(16)), "soun"),
    (sound("fLaC", full("dfLa", bytes(38))), "soun"),
    (sound("ec-3", box("dec3", bytes(5))), "soun"),
    (sound("alac", full("alac", bytes(24))), "soun"),
    (sound("lpcm", version=2, extra=bytes(36)), "soun"),
    (box("tmcd", bytes(30)), "tmcd"),
    (box("tx3g", bytes(38), box("ftab", bytes(5))), "sbtl"),
]  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(4, 300), st.integers(0, 255)), max_size=6),
    st.integers(0, 60),
)
def test_mutations_raise_nothing_but_invalid_data(
    seed: tuple[bytes, str], changes: list[tuple[int, int]], cut: int
) -> None:
    raw = bytearray(seed[0])
    for position, value in changes:
        raw[max(position % len(raw), 4)] = value
    raw = raw[: len(raw) - min(cut, len(raw) - 8)]
    raw[:4] = struct.pack(">I", len(raw))
    try:
        entry = parse_sample_entry(bytes(raw), seed[1])
    except InvalidDataError:
        return
    assert entry.raw == raw


def test_made_special_entries() -> None:
    by_code = {entry.fourcc: entry for name in MADE for entry in _entries(made(name).read_bytes())}
    assert by_code["alac"].frame_samples == 4096
    assert by_code["ac-3"].frame_samples == 1536
    assert by_code["tmcd"].timecode is not None
    assert by_code["encv"].encryption_scheme == "cenc"
    assert by_code["tx3g"].kind == "subtitle"
