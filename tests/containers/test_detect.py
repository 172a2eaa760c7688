"""Containers told by their first bytes, and by an output's name."""

from __future__ import annotations

import pytest

from ffzero.containers.detect import HEAD_BYTES, container_for_output, detect, detect_file
from ffzero.errors import UsageError
from support import remux


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\0\0\0\x18ftypisom\0\0\2\0", "isobmff"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "isobmff"),  # QuickTime without ftyp
        (b"\0\0\0\x01mdat\0\0\0\0\0\0\1\0", "isobmff"),  # 64-bit size
        (b"\0\0\0\0mdat", "isobmff"),  # to the end of the file
        (b"\0\0\0\x14pnot" + bytes(12), "isobmff"),
        (b"\0\0\0\x04ftypisom", "unknown"),  # smaller than its own header
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01", "matroska"),
        (b"RIFF\0\0\0\0AVI LIST", "avi"),
        (b"RIFF\0\0\0\0WAVEfmt ", "wav"),
        (b"RF64\xff\xff\xff\xffWAVEds64", "wav"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "unknown"),
        (b"FLV\x01\x05\0\0\0\x09", "flv"),
        (b"OggS\0\2", "ogg"),
        (b"fLaC\0\0\0\x22", "flac"),
        (b"ID3\x04\0\0\0\0\0\0", "mp3"),
        (b"\xff\xfb\x90\x64", "mp3"),
        (b"\xff\xf1\x50\x80", "aac"),
        (b"\0\0\x01\xba\x44", "mpegps"),
        (b"", "unknown"),
        (b"#EXTM3U\n", "unknown"),
        (bytes(4096), "unknown"),
    ],
)
def test_signature(head: bytes, expected: str) -> None:
    assert detect(head) == expected


@pytest.mark.parametrize(("size", "prefix"), [(188, 0), (192, 4), (204, 0)])
@pytest.mark.parametrize("lost", [0, 1, 100])
def test_transport_stream_packets_of_each_size(size: int, prefix: int, lost: int) -> None:
    packet = (bytes(prefix) + b"\x47" + bytes(size)).ljust(size, b"\xff")[:size]
    assert detect((packet * 30)[lost:][:HEAD_BYTES]) == "mpegts"


def test_one_sync_byte_is_no_transport_stream() -> None:
    assert detect(b"\x47" + bytes(3000)) == "unknown"


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("h264_aac.mkv", "matroska"),
        ("vp9_opus.webm", "matroska"),
        ("h264_aac.ts", "mpegts"),
        ("mpeg2.m2ts", "mpegts"),
        ("asp.avi", "avi"),
        ("h264_aac.flv", "flv"),
        ("sound.mp3", "mp3"),
        ("sound.wav", "wav"),
        ("sound.ogg", "ogg"),
        ("multi.mp4", "isobmff"),
    ],
)
def test_files_as_ffmpeg_writes_them(name: str, family: str) -> None:
    assert detect_file(remux.made(name)) == family
    assert container_for_output(name) == family


def test_an_output_without_a_known_extension_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"no container is known for \.xyz.*mkv"):
        container_for_output("a.xyz")
    with pytest.raises(UsageError, match="no extension"):
        container_for_output("folder.mp4/a")
    assert container_for_output("A.M4V") == "isobmff"
