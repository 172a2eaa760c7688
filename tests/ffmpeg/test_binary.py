"""Finding FFmpeg: the order of places, what is not FFmpeg, and what a program says that it can do."""

from __future__ import annotations

import os
import pickle
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ffzero.errors import FFmpegNotFoundError
from ffzero.ffmpeg import asking, binary
from ffzero.ffmpeg.binary import ENVIRONMENT_VARIABLE, find_ffmpeg, names_in
from ffzero.ffmpeg.settings import FFmpegCodec

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-ins for FFmpeg are shell scripts")

LISTS = {
    "encoders": """Encoders:
 V..... = Video
 A..... = Audio
 .....D = Supports direct rendering method 1
 ------
 V....D libx264              libx264 H.264 / AVC (codec h264)
 VFS..D prores_ks            Apple ProRes (iCodec Pro) (codec prores)
 A....D aac                  AAC (Advanced Audio Coding)
 S..... = Subtitle
""",
    "muxers": """Formats:
 D.. = Demuxing supported
 .E. = Muxing supported
 ---
  E  mp4             MP4 (MPEG-4 Part 14)
  E  matroska,webm   Matroska / WebM
 DEd v4l2            Video4Linux2 output device
""",
    "demuxers": """File formats:
 D. = Demuxing supported
 --
 D  mov,mp4,m4a     QuickTime / MOV
 D d lavfi           Libavfilter virtual input device
""",
    "filters": """Filters:
  T.. = Timeline support
  | = Source or sink filter
 TSC overlay           VV->V      Overlay a video source on top of the input.
 .. anullsrc          |->A       Null audio source, return empty audio frames.
""",
    "protocols": """Supported file protocols:
Input:
  file
  pipe
Output:
  file
  tee
""",
    "hwaccels": "Hardware acceleration methods:\ncuda\nvaapi\n\n",
}
NAMES = {
    "encoders": {"libx264", "prores_ks", "aac"},
    "muxers": {"mp4", "matroska", "webm", "v4l2"},
    "demuxers": {"mov", "mp4", "m4a", "lavfi"},
    "filters": {"overlay", "anullsrc"},
    "protocols": {"file", "pipe", "tee"},
    "hwaccels": {"cuda", "vaapi"},
}


@pytest.mark.parametrize("what", LISTS)
def test_names_are_read_from_what_ffmpeg_prints(what: str) -> None:
    assert names_in(what, LISTS[what]) == NAMES[what]


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def stand_in(path: Path, version: str = "7.0.2-static") -> Path:
    """A script that answers as FFmpeg does and counts how often it is asked, in a file beside it."""
    encoders = path.with_suffix(".encoders")
    path.parent.mkdir(parents=True, exist_ok=True)
    encoders.write_text(LISTS["encoders"], encoding="utf-8")
    questions, listing = shlex.quote(f"{path}.asked"), shlex.quote(str(encoders))
    answer = f'echo "$*" >> {questions}; case "$*" in *-encoders*) cat {listing};; '
    return script(path, f"{answer}*) echo 'ffmpeg version {version} Copyright';; esac")


def asked(path: Path) -> int:
    return len(Path(f"{path}.asked").read_text(encoding="utf-8").splitlines())


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", "/nowhere")


class TestOrder:
    def test_explicit_then_environment_then_path_then_bundled(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(binary, "_bundled", lambda: str(stand_in(tmp_path / "bundled" / "ffmpeg", "6.0")))
        assert (find_ffmpeg().source, find_ffmpeg().version) == ("bundled", "6.0")
        stand_in(tmp_path / "path" / "ffmpeg", "5.0")
        monkeypatch.setenv("PATH", f"{tmp_path}/path:/bin:/usr/bin")
        assert (find_ffmpeg().source, find_ffmpeg().version) == ("path", "5.0")
        monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(stand_in(tmp_path / "environment")))
        assert find_ffmpeg().source == "environment"
        found = find_ffmpeg(stand_in(tmp_path / "it's mine"))
        assert (found.source, os.fspath(found)) == ("explicit", f"{tmp_path}/it's mine")

    def test_a_bare_name_is_looked_up(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        stand_in(tmp_path / "ffmpeg-8")
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
        assert find_ffmpeg("ffmpeg-8").path == f"{tmp_path}/ffmpeg-8"

    def test_a_broken_one_on_path_is_passed_over(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(binary, "_bundled", lambda: str(stand_in(tmp_path / "bundled" / "ffmpeg")))
        script(tmp_path / "path" / "ffmpeg", "exit 127")
        monkeypatch.setenv("PATH", f"{tmp_path}/path:/bin:/usr/bin")
        assert find_ffmpeg().source == "bundled"

    def test_none_at_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(binary, "_bundled", lambda: None)
        with pytest.raises(FFmpegNotFoundError, match=f"no FFmpeg program was found.*{ENVIRONMENT_VARIABLE}"):
            find_ffmpeg()

    def test_the_bundled_one_is_real(self) -> None:
        found = find_ffmpeg()
        assert found.source == "bundled"
        assert found.version_number is not None
        assert found.version_number >= (4, 0, 0)
        assert found.has_encoder(FFmpegCodec.H264)
        assert found.has_decoder("h264")
        assert found.has_muxer("mp4")
        assert found.has_demuxer("concat")
        assert found.has_filter("loudnorm")
        assert found.has_protocol("subfile")
        assert found.has_bsf("h264_mp4toannexb")
        assert not found.has_hwaccel("no such")
        assert len(found.filters) > 300


class TestNotFFmpeg:
    @pytest.mark.parametrize("named_by", ["argument", "environment"])
    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (None, "there is no such FFmpeg program"),
            ("echo hello", "is not FFmpeg"),
            ("echo ffprobe version 7.0", "is not FFmpeg"),
            ("exit 1", "is not FFmpeg"),
            ("printf '\\377\\000\\n'", "is not FFmpeg"),
        ],
    )
    def test_says_so(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named_by: str, body: str | None, words: str
    ) -> None:
        monkeypatch.setenv("PATH", "/bin:/usr/bin")
        path = tmp_path / "ffmpeg" if body is None else script(tmp_path / "ffmpeg", body)
        if named_by == "environment":
            monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(path))
        with pytest.raises(FFmpegNotFoundError, match=words) as caught:
            find_ffmpeg(path if named_by == "argument" else None)
        assert isinstance(caught.value, FileNotFoundError)
        assert caught.value.path == str(path)

    def test_no_program(self, tmp_path: Path) -> None:
        plain = tmp_path / "plain"
        plain.write_text("ffmpeg version 7.0")
        for path in (plain, tmp_path):
            with pytest.raises(FFmpegNotFoundError, match="not a program that may be run"):
                find_ffmpeg(path)
        plain.chmod(0o755)
        plain.write_bytes(b"\x7fELF rubbish")
        with pytest.raises(FFmpegNotFoundError, match="cannot be run"):
            find_ffmpeg(plain)

    def test_one_that_hangs_is_ended_with_its_children(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/bin:/usr/bin")
        path = script(tmp_path / "ffmpeg", f"echo $$ > '{tmp_path}/pid'; sleep 100 & sleep 100")
        began = time.monotonic()
        with pytest.raises(FFmpegNotFoundError, match=r"did not answer within 0\.5 s"):
            asking.ask(str(path), "-version", timeout_s=0.5)
        assert time.monotonic() - began < 5
        group = int((tmp_path / "pid").read_text())
        for _ in range(50):
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)
        if sys.platform == "linux":  # a group of nothing but zombies that init has not collected counts as gone
            pytest.fail("the group is still there")

    def test_one_that_prints_without_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/bin:/usr/bin")
        with pytest.raises(FFmpegNotFoundError, match="prints without end"):
            find_ffmpeg(script(tmp_path / "ffmpeg", "exec yes ffmpeg version 7.0"))


class TestAskedOnce:
    def test_until_the_file_changes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/bin:/usr/bin")
        path = stand_in(tmp_path / "ffmpeg")
        for _ in range(3):
            found = find_ffmpeg(path)
            assert found.encoders == NAMES["encoders"]
        assert asked(path) == 2  # its version and its encoders
        again = pickle.loads(pickle.dumps(found))
        assert (again, again.encoders) == (found, found.encoders)
        assert asked(path) == 2
        stand_in(path, "8.1")
        assert find_ffmpeg(path).version_number == (8, 1, 0)

    def test_one_that_vanished(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/bin:/usr/bin")
        found = find_ffmpeg(stand_in(tmp_path / "ffmpeg"))
        os.unlink(found)
        with pytest.raises(FFmpegNotFoundError, match="is gone"):
            found.has_filter("scale")


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("6.1.1-3ubuntu5", (6, 1, 1)),
        ("n9.0.2-17-g2a571b6068-20260930", (9, 0, 2)),
        ("7.1", (7, 1, 0)),
        ("5.1.6-0+deb12u1", (5, 1, 6)),
        ("N-112345-gabcdef", None),
        ("2024-01-01-git-abc", None),
        ("git-2020-02-02", None),
    ],
)
def test_version_numbers(tmp_path: Path, monkeypatch: Any, version: str, number: tuple[int, int, int] | None) -> None:
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    found = find_ffmpeg(stand_in(tmp_path / "ffmpeg", version))
    assert (found.version, found.version_number) == (version, number)
