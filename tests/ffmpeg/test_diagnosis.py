"""From what FFmpeg says to the cause in words, for texts of several versions and for any text at all."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffzero.ffmpeg.diagnosis import _RULES, diagnose, noticed


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("Unknown encoder 'libfdk_aac'", "this FFmpeg has no encoder 'libfdk_aac'"),  # FFmpeg 4 to 9
        ("av_interleaved_write_frame(): No space left on device", "the disk is full"),
        ("[h264_nvenc @ 0x5] Cannot load libcuda.so.1", "the hardware encoder or device cannot be used here"),
        ("[h264_nvenc @ 0x5] OpenEncodeSessionEx failed: unsupported device (2)", "the hardware encoder or device"),
        ("Device creation failed: -542398533.", "the hardware encoder or device cannot be used here"),
        (
            "Stream map '0:a' matches no streams.\nTo ignore this, add a trailing '?' to the map.",
            "stream in the input: 0:a",
        ),
        ("Output file #0 does not contain any stream", "nothing is left for the output"),
        ("[in#0 @ 0x1] moov atom not found\nInvalid data found when processing input", "its index (moov) is missing"),
        ("out.mp4: Permission denied", "permission was denied"),
        ("x.mp4: Invalid data found when processing input", "the input is damaged, or no media file"),
        ("[file @ 0x1] Protocol 'file' not on whitelist 'crypto,data'!", "the protocol 'file' is not allowed"),
        ("Cannot allocate memory", "there was not enough memory"),
        ("nope.mp4: No such file or directory", "a file or folder does not exist"),
        ("[libx264 @ 0x1] height not divisible by 2 (64x63)", "the picture's height is not divisible by 2 (64x63)"),
        ("[webm @ 0x1] Only VP8 or VP9 or AV1 video and Vorbis or Opus audio are supported for WebM.", "cannot hold"),
        (
            "[mp4 @ 0x1] Could not find tag for codec pcm_s16le in stream #0, codec not currently supported",
            "cannot hold",
        ),
        (
            "Output file is empty, nothing was encoded(check -ss / -t / -frames parameters if used)\n"
            "Error muxing a packet: Invalid argument",
            "no picture or sound reached the output",
        ),
        ("No such filter: 'drawtext'", "this FFmpeg has no filter 'drawtext'"),
        ("Unrecognized option 'foo'.", "FFmpeg knows no option 'foo'"),
        ("something new\nConversion failed!", "something new"),
        ("", "it said nothing about why"),
    ],
)
def test_causes(said: str, cause: str) -> None:
    assert cause in diagnose(said, 1).cause


def test_what_a_run_that_ended_well_said() -> None:
    said = (
        "[mpegts @ 0x5] Stream 0, codec vp8, is muxed as a private data stream and may not be recognized upon it\n"
        "[mpegts @ 0x5] Stream 1, codec vorbis, is muxed as a private data stream and may not be recognized\n"
        "[in#0/matroska,webm @ 0x1] File ended prematurely\n" * 2
    )
    assert noticed(said) == (
        "MPEG transport streams know no vp8: players will not find it",
        "MPEG transport streams know no vorbis: players will not find it",
        "the input ends too early: what there is was used",
    )
    assert noticed("[swscaler @ 0x7] deprecated pixel format used, make sure you did set range correctly") == ()


def test_signals_and_what_they_mean() -> None:
    killed = diagnose("", -9)
    assert killed.cause == "it was ended by SIGKILL"
    assert killed.hint is not None and "memory" in killed.hint
    assert "SIGSEGV" in diagnose("frame= 10", -11).cause
    assert diagnose("", -200).cause == "it was ended by signal 200"


def test_the_first_reason_counts_and_not_its_aftermath() -> None:
    said = (
        "[libx264 @ 0x5] Error setting preset/tune bogus/(null).\n"
        "[vost#0:0/libx264 @ 0x5] [enc:libx264 @ 0x5] Error while opening encoder - maybe incorrect parameters\n"
        "[vf#0:0 @ 0x5] Error sending frames to consumers: Invalid argument\n"
        "[vf#0:0 @ 0x5] Terminating thread with return code -22 (Invalid argument)\n"
    )
    found = diagnose(said, 234)
    assert found.cause == "the encoder has no such preset"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400), st.integers(-300, 300))
def test_any_text_gives_a_cause(text: str, returncode: int) -> None:
    found = diagnose(text, returncode)
    assert found.cause
    assert len(found.cause) < 1000
    assert found.cause.isprintable() or "\n" not in found.cause


@pytest.mark.parametrize(
    "unit", ["Option '", "[a] ", "matches no streams", "'", "a", "Error opening input", "\n", "{0}", "%s"]
)
def test_hostile_text_is_read_in_time(unit: str) -> None:
    text = (unit * (1 << 16))[: 1 << 16]
    began = time.process_time()
    diagnose(text, 1)
    assert time.process_time() - began < 2


def test_every_rule_can_be_filled() -> None:
    for rule in _RULES:
        groups = [""] * rule.pattern.groups
        assert rule.cause.format("", *groups)
