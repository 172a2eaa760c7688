"""Encoders count when they encoded: listed ones that fail are told, and why."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ffzero.ffmpeg import hardware
from ffzero.ffmpeg.binary import FFmpegBinary, find_ffmpeg
from ffzero.ffmpeg.hardware import EncoderProbe, probe_encoders
from support.media import ffmpeg_exe


@pytest.fixture
def binary() -> FFmpegBinary:
    return find_ffmpeg(ffmpeg_exe())


def test_software_encoders_encode(binary: FFmpegBinary) -> None:
    names = ["libx264", "libsvtav1", "libaom-av1", "libvpx-vp9", "aac", "libopus", "flac"]
    probes = probe_encoders(binary, names)
    assert [(probe.name, probe.works, probe.reason) for probe in probes] == [(name, True, "") for name in names]
    assert all(0 < probe.elapsed_s < 10 for probe in probes)


def test_what_is_not_listed_does_not_work(binary: FFmpegBinary) -> None:
    (probe,) = probe_encoders(binary, ["libnothing"])
    assert not probe.works
    assert probe.reason == "this FFmpeg was built without it"


@pytest.mark.skipif(os.path.exists("/dev/dri") or os.path.exists("/dev/nvidiactl"), reason="there is hardware")
def test_listed_hardware_that_is_not_there(binary: FFmpegBinary) -> None:
    names = [name for name in ("h264_nvenc", "h264_vaapi", "h264_qsv", "av1_vulkan") if name in binary.encoders]
    for probe in probe_encoders(binary, names):
        assert not probe.works
        assert "hardware" in probe.reason
        assert probe.hardware == probe.name.rpartition("_")[2]


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands in for FFmpeg")
class TestStandIn:
    def make(self, folder: Path, encode: str) -> FFmpegBinary:
        program = folder / "ffmpeg"
        program.write_text(
            f"#!/bin/sh\necho run >>{folder}/runs\n"
            'case "$*" in\n*-version*) echo "ffmpeg version 9.0";;\n*-encoders*) echo " V....D libx264  words";;\n'
            f"*) {encode};;\nesac\n"
        )
        program.chmod(0o755)
        return find_ffmpeg(program)

    def test_success_without_a_frame_is_none(self, tmp_path: Path) -> None:
        (probe,) = probe_encoders(self.make(tmp_path, 'echo "0, 0, 0, 1, 0, 0x00000000"'), ["libx264"])
        assert (probe.works, probe.reason) == (False, "it gave no frame")

    def test_one_that_hangs_is_given_up(self, tmp_path: Path) -> None:
        began = time.monotonic()
        (probe,) = probe_encoders(self.make(tmp_path, "sleep 60"), ["libx264"], timeout_s=0.3)
        assert time.monotonic() - began < 5
        assert (probe.works, probe.reason) == (False, "it did not end within 0.3 s")

    def test_each_program_is_asked_once(self, tmp_path: Path) -> None:
        binary = self.make(tmp_path, 'echo "0, 0, 0, 1, 500, 0x00000000"')
        first = probe_encoders(binary, ["libx264"])
        runs = (tmp_path / "runs").read_text()
        assert first[0].works
        assert probe_encoders(binary, ["libx264"]) == first
        assert (tmp_path / "runs").read_text() == runs


def test_families() -> None:
    assert EncoderProbe(name="hevc_nvenc", works=True).hardware == "nvenc"
    assert EncoderProbe(name="prores_ks", works=True).hardware is None
    assert set(hardware.PROBED_ENCODERS) >= {"libx264", "av1_qsv", "h264_videotoolbox", "libopus"}
