"""Which sample entries can share a track, and how that is said."""

from __future__ import annotations

import struct

import pytest

from ffzero.containers.isobmff.sample_entry import SampleEntry, parse_sample_entry
from ffzero.edits.compatibility import Difference, Outcome, compare_entries, explain
from support.boxes import Box, children, find
from support.media import made, media_folder


def box(kind: str, *parts: bytes) -> bytes:
    payload = b"".join(parts)
    return struct.pack(">I", len(payload) + 8) + kind.encode("latin-1") + payload


def bits(text: str) -> bytes:
    text = text.replace(" ", "") + "1"
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8)


def ue(value: int) -> str:
    code = f"{value + 1:b}"
    return "0" * (len(code) - 1) + code


def sps(
    *, profile: int = 77, level: int = 30, refs: int = 1, width: int = 640, number: int = 0, vui: str | None = None
) -> bytes:
    """An SPS without chroma fields (Main): poc type 2, progressive, no cropping, 480 lines."""
    text = ue(number) + ue(0) + ue(2) + ue(refs) + "0" + ue(width // 16 - 1) + ue(29) + "110"
    return b"\x67" + bytes([profile, 0, level]) + bits(text + ("0" if vui is None else "1" + vui))


def vui(*, aspect: str = "0", colour: int | None = None, timing: str = "0") -> str:
    signal = "0" if colour is None else "1 101 0 1" + f"{colour:08b}" * 3
    return aspect + "0" + signal + "0" + timing + "0" + "0" + "0" + "0"


TIMING = "1" + f"{1:032b}" + f"{50:032b}" + "1"
PPS = b"\x68\xce\x38\x80"


def avc(
    *sets: bytes, pps: bytes = PPS, kind: str = "avc1", width: int = 640, length: int = 4, extra: bytes = b""
) -> SampleEntry:
    units = sets or (sps(),)
    config = bytes([1, units[0][1], 0, units[0][3], 0xFC | length - 1, 0xE0 | len(units)])
    config += (
        b"".join(struct.pack(">H", len(unit)) + unit for unit in units) + b"\1" + struct.pack(">H", len(pps)) + pps
    )
    head = bytes(6) + b"\0\1" + bytes(16) + struct.pack(">HH", width, 480) + bytes(46) + b"\0\x18\xff\xff"
    return parse_sample_entry(box(kind, head, box("avcC", config), extra), "vide")


def sound(kind: str, *boxes: bytes, rate: int = 48000, channels: int = 2, size: int = 16) -> SampleEntry:
    head = bytes(6) + b"\0\1" + bytes(8) + struct.pack(">HHHHI", channels, size, 0, 0, rate << 16)
    return parse_sample_entry(box(kind, head, *boxes), "soun")


def aac(hexa: str, *, bit_rate: int = 0, **entry: int) -> SampleEntry:
    specific = bytes.fromhex(hexa)
    config = b"\x40\x15" + bytes(3) + struct.pack(">II", bit_rate, bit_rate) + bytes([5, len(specific)]) + specific
    stream = b"\0\1\0" + bytes([4, len(config)]) + config + b"\6\1\2"
    return sound("mp4a", box("esds", bytes(4), bytes([3, len(stream)]), stream), **entry)


def outcome(first: SampleEntry, second: SampleEntry) -> Outcome:
    there, back = compare_entries(first, second), compare_entries(second, first)
    assert there.outcome is back.outcome
    assert (there.outcome is Outcome.SAME) == (not there.differences)
    assert (there.outcome is Outcome.DIFFERENT) == any(d.is_fatal for d in there.differences)
    return there.outcome


NCLX = box("colr", b"nclx", struct.pack(">HHHB", 1, 1, 1, 0))
HDR = box("colr", b"nclx", struct.pack(">HHHB", 9, 16, 9, 0))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(avc(), avc(), Outcome.SAME, id="same bytes"),
        pytest.param(avc(), avc(sps() + b"\0\0"), Outcome.SAME, id="trailing zeros"),
        pytest.param(avc(), avc(extra=box("btrt", bytes(12))), Outcome.SAME, id="bit rate box"),
        pytest.param(
            avc(), avc(extra=box("pasp", bytes.fromhex("0000000100000001"))), Outcome.SAME, id="square pixels"
        ),
        pytest.param(avc(sps(vui=vui())), avc(sps(vui=vui(timing=TIMING))), Outcome.SAME, id="timing in VUI"),
        pytest.param(avc(sps(vui=vui())), avc(sps(vui=vui(aspect="1 00000001"))), Outcome.SAME, id="1:1 said in VUI"),
        pytest.param(avc(), avc(sps(refs=2)), Outcome.SWITCHABLE, id="reference count"),
        pytest.param(avc(), avc(sps(level=31)), Outcome.SWITCHABLE, id="level"),
        pytest.param(avc(), avc(sps(profile=66)), Outcome.SWITCHABLE, id="profile"),
        pytest.param(avc(), avc(sps(number=1)), Outcome.SWITCHABLE, id="parameter set id"),
        pytest.param(avc(), avc(pps=b"\x68\xee\x38\x80"), Outcome.SWITCHABLE, id="PPS"),
        pytest.param(avc(), avc(length=2), Outcome.SWITCHABLE, id="NAL length size"),
        pytest.param(avc(), avc(kind="avc3"), Outcome.SWITCHABLE, id="avc3"),
        pytest.param(avc(), avc(extra=NCLX), Outcome.SWITCHABLE, id="colour said once"),
        pytest.param(avc(), avc(extra=box("abcd")), Outcome.SWITCHABLE, id="unknown box"),
        pytest.param(avc(extra=NCLX), avc(extra=HDR), Outcome.DIFFERENT, id="colour"),
        pytest.param(avc(extra=NCLX), avc(sps(vui=vui(colour=9))), Outcome.DIFFERENT, id="colour in VUI"),
        pytest.param(avc(), avc(sps(width=320)), Outcome.DIFFERENT, id="coded size"),
        pytest.param(avc(), avc(extra=box("pasp", bytes.fromhex("0000000400000003"))), Outcome.DIFFERENT, id="aspect"),
        pytest.param(avc(), avc(sps()[:5]), Outcome.DIFFERENT, id="unreadable SPS"),
        pytest.param(avc(), avc(extra=box("dvcC", bytes(24))), Outcome.DIFFERENT, id="Dolby Vision once"),
        pytest.param(aac("1190"), aac("1190", bit_rate=64000), Outcome.SAME, id="AAC bit rate"),
        pytest.param(aac("1190"), aac("119056e500"), Outcome.SAME, id="SBR denied or not said"),
        pytest.param(aac("1190"), aac("1210"), Outcome.DIFFERENT, id="AAC sample rate"),
        pytest.param(aac("1190"), aac("1188"), Outcome.DIFFERENT, id="AAC channels"),
        pytest.param(aac("1190"), aac("0990"), Outcome.DIFFERENT, id="AAC object type"),
        pytest.param(aac("1190"), aac("1194"), Outcome.DIFFERENT, id="AAC frame length"),
        pytest.param(aac("1190"), sound("ac-3"), Outcome.DIFFERENT, id="codec"),
        pytest.param(sound("sowt"), sound("twos"), Outcome.DIFFERENT, id="byte order"),
        pytest.param(sound("sowt"), sound("sowt", channels=1), Outcome.DIFFERENT, id="PCM channels"),
        pytest.param(avc(), aac("1190"), Outcome.DIFFERENT, id="kind"),
    ],
)
def test_outcome(first: SampleEntry, second: SampleEntry, expected: Outcome) -> None:
    assert outcome(first, second) is expected


def test_opus_pre_skip_is_no_difference_but_gain_is() -> None:
    def opus(skip: int, gain: int) -> SampleEntry:
        return sound("Opus", box("dOps", b"\0\2", struct.pack(">HIhB", skip, 48000, gain, 0)))

    assert outcome(opus(312, 0), opus(3840, 0)) is Outcome.SAME
    assert outcome(opus(312, 0), opus(312, 256)) is Outcome.DIFFERENT


def test_timecode_formats() -> None:
    def timecode(frames: int, flags: int) -> SampleEntry:
        raw = box("tmcd", bytes(6), b"\0\1", bytes(4), struct.pack(">IIIBB", flags, 30000, 1001, frames, 0))
        return parse_sample_entry(raw, "tmcd")

    assert outcome(timecode(30, 0), timecode(30, 0)) is Outcome.SAME
    assert outcome(timecode(30, 0), timecode(30, 1)) is Outcome.DIFFERENT


def test_words() -> None:
    verdict = compare_entries(avc(), avc(sps(width=320, refs=2), width=320))
    assert "size differs (640×480 and 320×480)" in explain(verdict.differences)
    assert "references" not in explain(verdict.differences)  # what does not prevent the join is left out
    soft = compare_entries(avc(), avc(sps(refs=2)))
    assert soft.can_share_track
    assert explain(soft.differences) == "SPS 0 max num ref frames differs (1 and 2)"
    assert explain([]) == ""
    assert str(Difference(what="codec", first="h264", second="hevc")) == "codec: h264 and hevc"


def video(data: bytes) -> SampleEntry:
    for track in find(data, "moov/trak"):
        boxes: dict[str, Box] = {path: box for path in ("mdia/hdlr", "mdia/minf/stbl/stsd")
                                 for box in find(data, path, track.body, track.end)}  # fmt: skip
        if data[boxes["mdia/hdlr"].body + 8 :][:4] == b"vide":
            stsd = boxes["mdia/minf/stbl/stsd"]
            first = next(children(data, stsd.body + 8, stsd.end))
            return parse_sample_entry(data[first.start : first.end], "vide")
    raise AssertionError("no video track")


def test_made_files() -> None:
    names = ("h264_open_gop.mp4", "h264_intra_refresh.mp4", "h264_mbaff.mp4", "hdr10.mp4", "hevc_radl.mp4")
    open_gop, refresh, mbaff, hdr, radl = (video(made(name).read_bytes()) for name in names)
    assert outcome(open_gop, refresh) is Outcome.SWITCHABLE
    assert outcome(open_gop, mbaff) is Outcome.SWITCHABLE
    assert outcome(open_gop, radl) is Outcome.DIFFERENT
    verdict = compare_entries(hdr, radl)
    assert verdict.outcome is Outcome.DIFFERENT
    assert "bit depth differs (10 and 8)" in explain(verdict.differences)


@pytest.mark.skipif(media_folder() is None, reason="FFZERO_MEDIA names no media")
def test_a_set_that_people_join() -> None:
    folder = media_folder()
    assert folder is not None
    parts = [video((folder / "real" / f"append_v{number}.mp4").read_bytes()) for number in (1, 2, 3)]
    assert parts[0].raw != parts[1].raw
    assert outcome(parts[0], parts[1]) is Outcome.SAME
    assert outcome(parts[0], parts[2]) is Outcome.SAME
