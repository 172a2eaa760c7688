"""Sound at joints and under effects: FFmpeg decodes what is written, the source's own samples are the oracle.

Sources are made from a real recording and from two tones, in each codec that can be coded anew. Where copied packets
stand on a grid, a piece's sound may be off by up to half a packet: that lag is measured and bounded, then allowed for.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, reduce
from operator import add
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import ffzero
from ffzero.errors import UnsupportedError, UsageError
from ffzero.frames.sound.aac_windows import falling_of, folded_fall, folded_rise, with_shape
from support import oracle
from support.joins import GOP, check_join, clip_of, made, sections
from support.media import ffmpeg_exe

Array = np.ndarray[Any, Any]

RATE = 48000
CUTS = [("1.0", "2.2"), ("3.3337", "4.7"), ("0.777", "1.5"), ("5.0101", "6")]
"""Joints that fall nowhere in particular on anyone's grid."""
EDGE_S = 0.005


@dataclass(frozen=True)
class Codec:
    """FFmpeg's arguments, packet length in samples, and how close (dB) what is coded anew comes to the source."""

    suffix: str
    arguments: tuple[str, ...]
    packet: int
    close_db: float


CODECS = {
    "aac": Codec("mp4", ("-c:a", "aac", "-b:a", "128k"), 1024, -24),
    "opus": Codec("mp4", ("-c:a", "libopus", "-b:a", "96k"), 960, -18),
    "ac3": Codec("mp4", ("-c:a", "ac3", "-b:a", "192k"), 1536, -30),
    "eac3": Codec("mp4", ("-c:a", "eac3", "-b:a", "192k"), 1536, -30),
    "mp3": Codec("mp4", ("-c:a", "libmp3lame", "-b:a", "128k"), 1152, -16),
    "flac": Codec("mp4", ("-c:a", "flac", "-sample_fmt", "s16"), 1, -90),
    "flac24": Codec("mp4", ("-c:a", "flac", "-sample_fmt", "s32"), 1, -90),
    "alac": Codec("mov", ("-c:a", "alac"), 1, -90),
    "pcm": Codec("mov", ("-c:a", "pcm_s16le"), 1, -90),
    "pcm24": Codec("mov", ("-c:a", "pcm_s24be"), 1, -90),
}
LOSSY = ["aac", "opus", "ac3", "eac3", "mp3"]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[[str, str], Path]:
    """Return a maker of files: of ``real`` sound or ``tones``, in a codec."""
    folder = tmp_path_factory.mktemp("sound")
    media: Path = request.getfixturevalue("ffzero_media")

    @cache
    def make(kind: str, name: str) -> Path:
        codec = CODECS[name]
        path = folder / f"{kind}_{name}.{codec.suffix}"
        inputs = {
            "real": ("-ss", "5", "-t", "7", "-i", str(media / "real" / "example.mp4"), "-vn"),
            "tones": ("-f", "lavfi", "-i", "aevalsrc=0.3*sin(2*PI*997*t)|0.3*sin(2*PI*1499*t):d=7:s=48000"),
        }[kind]
        run(*inputs, *codec.arguments, str(path))
        return path

    return make


def run(*arguments: str) -> str:
    """Run FFmpeg; return its complaints."""
    found = subprocess.run(
        [ffmpeg_exe(), "-v", "warning", "-y", *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return found.stderr


def samples(path: Path) -> Array:
    """Return the sound that FFmpeg shows, float64 of shape (samples, channels)."""
    argv = [ffmpeg_exe(), "-v", "error", "-i", str(path), "-f", "f32le", "-c:a", "pcm_f32le", "-"]
    data = subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout
    return np.frombuffer(data, "<f4").reshape(-1, 2).astype(np.float64)


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]


def joined(path: Path, cuts: list[tuple[Any, Any]]) -> ffzero.Clip:
    movie = ffzero.open(path)
    return reduce(add, [movie[Fraction(start) : Fraction(end)] for start, end in cuts])


def db(error: Array, against: Array) -> float:
    return float(10 * np.log10((np.mean(error**2) + 1e-14) / (np.mean(against**2) + 1e-14)))


def lag(own: Array, found: Array, most: int) -> int:
    """Return by how many samples ``found`` is later than ``own``."""
    size = 1 << (2 * len(own)).bit_length()
    spectrum = np.conj(np.fft.rfft(own[:, 0], size)) * np.fft.rfft(found[:, 0], size)
    likeness = np.fft.irfft(spectrum, size)
    places = list(range(-most, most + 1))
    return places[int(np.argmax(likeness[places]))]


@dataclass(frozen=True)
class Piece:
    own: Array
    at: int

    def lag_in(self, got: Array, most: int) -> int:
        middle = len(self.own) // 2
        low, high = middle - 6000, middle + 6000
        return lag(self.own[low:high], got[self.at + low : self.at + high], most)


def pieces(whole: Array, cuts: list[tuple[Any, Any]]) -> list[Piece]:
    found, at = [], Fraction(0)
    for start, end in cuts:
        begin, stop = round(Fraction(start) * RATE), round(Fraction(end) * RATE)
        found.append(Piece(whole[begin:stop], round(at * RATE)))
        at += Fraction(end) - Fraction(start)
    return found


def check_near_joints(path: Path, got: Array, codec: Codec, cuts: list[tuple[Any, Any]], most: int) -> None:
    """Each piece's sound is its own up to both of its joints, shifted by one lag of at most ``most`` samples."""
    edge, window = int(EDGE_S * RATE), RATE // 20
    parts = pieces(samples(path), cuts)
    for number, part in enumerate(parts):
        late = part.lag_in(got, 2 * codec.packet)
        assert abs(late) <= (0 if number == 0 else most), number
        length = len(part.own)
        for low in range(edge, 4 * window, window // 4):
            for begin in (low, length - low - window // 4):
                end = begin + window // 4
                is_outer = (number == 0 and begin == low) or (number == len(parts) - 1 and begin != low)
                if is_outer or begin + late < edge or end + late > length - edge or end > length:
                    continue
                have = got[part.at + begin + late : part.at + end + late]
                assert db(have - part.own[begin:end], part.own) < codec.close_db, (number, begin)


class TestJoints:
    @pytest.mark.parametrize("name", CODECS)
    def test_pieces_sound_like_themselves_up_to_the_joint(
        self, name: str, source: Callable[[str, str], Path], tmp_path: Path
    ) -> None:
        path, output = source("real", name), tmp_path / f"out.{CODECS[name].suffix}"
        assert joined(path, CUTS).write(output, audio="joint").warnings == ()
        half = CODECS[name].packet // 2
        check_near_joints(path, samples(output), CODECS[name], CUTS, half + 1 if half else 0)
        assert run("-i", str(output), "-f", "null", "-") == ""

    @pytest.mark.parametrize("name", LOSSY)
    def test_only_the_packets_that_the_plan_names_are_not_the_sources(
        self, name: str, source: Callable[[str, str], Path], tmp_path: Path
    ) -> None:
        path, output = source("real", name), tmp_path / "out.mp4"
        clip = joined(path, CUTS)
        result = clip.write(output, audio="joint")
        own, got = set(packets(path)), packets(output)
        renders = clip.plan(audio="joint").renders
        assert [render.kind for render in renders] == ["audio"] * 3
        assert all(render.reason.startswith("a joint") for render in renders)
        coded = sum(packet not in own for packet in got)
        # AAC and MP3 may take a few packets more, to meet windows of one kind.
        most = sum(render.frames + (12 if name in ("aac", "mp3") else 0) for render in renders)
        assert 0 < coded <= most < len(got) / 3
        assert result.bytes_rendered >= sum(len(packet) for packet in got if packet not in own)
        told = [(part["action"], part.get("frames", part.get("samples"))) for part in result.segments]
        assert sum(count for action, count in told if action == "render") == coded
        assert sum(count for _, count in told) == len(got)

    @pytest.mark.parametrize("name", CODECS)
    def test_no_click_between_tones(self, name: str, source: Callable[[str, str], Path], tmp_path: Path) -> None:
        output = tmp_path / f"out.{CODECS[name].suffix}"
        joined(source("tones", name), CUTS).write(output, audio="joint")
        got = samples(output)
        spectrum = np.fft.rfft(got, axis=0)
        spectrum[: len(got) * 3000 // RATE] = 0
        high, loud = np.fft.irfft(spectrum, len(got), axis=0), np.mean(got**2)
        for part in pieces(got, CUTS)[1:]:
            burst = high[part.at - 3000 : part.at + 3000].reshape(-1, 250, 2)
            assert 10 * np.log10(np.max(np.mean(burst**2, axis=(1, 2))) / loud) < -55

    @pytest.mark.parametrize("name", ["aac", "ac3", "flac"])
    def test_a_hundred_joints_do_not_drift(self, name: str, source: Callable[[str, str], Path], tmp_path: Path) -> None:
        path, output = source("real", name), tmp_path / "out.mp4"
        cuts = [(Fraction(n % 40, 10) + Fraction(n, 7919), Fraction(n % 40, 10) + Fraction(3, 10)) for n in range(101)]
        joined(path, cuts).write(output, audio="joint")
        got = samples(output)
        total = sum(end - start for start, end in cuts)
        most = 2 * CODECS[name].packet
        assert abs(len(got) - total * RATE) <= most
        for part in (part for n, part in enumerate(pieces(samples(path), cuts)) if n % 10 == 0):
            assert abs(part.lag_in(got, 2 * most)) <= CODECS[name].packet // 2 + 1
        assert run("-i", str(output), "-f", "null", "-") == ""

    def test_windows_of_another_shape_are_met(self, ffzero_media: Path, tmp_path: Path) -> None:
        # An iPhone's AAC: sine windows, where FFmpeg codes Kaiser-Bessel derived ones.
        path, output = tmp_path / "in.mp4", tmp_path / "out.mp4"
        run("-i", str(ffzero_media / "real" / "sample_edit_list.mp4"), "-vn", "-map", "0:a:0", "-c", "copy", str(path))
        (first,) = {falling.shape for packet in packets(path)[5:30] if (falling := falling_of(packet)) is not None}
        assert first == 0
        joined(path, [("0.25", "1.15"), ("1.43", "2.3")]).write(output, audio="joint")
        rate = 44100
        own, got = samples(path), samples(output)
        piece, joint = own[round(0.25 * rate) : round(1.15 * rate)], round(0.9 * rate)
        for at in range(joint - 3000, joint - 200, 200):
            assert db(got[at : at + 100] - piece[at : at + 100], piece) < -32

    @pytest.mark.parametrize("name", ["a.mp4", "a_opus.mp4", "a_mp3.mp4", "a_ac3.mp4", "a_441.mp4"])
    def test_with_pictures(self, name: str, tmp_path: Path) -> None:
        ranges = [(n * 7 % 9 * GOP, (n * 7 % 9 + 1) * GOP) for n in range(30)]
        parts = sections(*[(made(name), start, end) for start, end in ranges])
        output = tmp_path / "out.mp4"
        clip_of(ffzero, parts).write(output, audio="joint")
        assert check_join(output, parts, time_slack=Fraction(0), sound=0) == []
        sound = oracle.decode_audio_pcm(output)
        assert sound is not None and not sound.gaps
        assert abs(sound.start_s) < Fraction(1, 1000)
        assert abs(sound.start_s + Fraction(len(sound.samples), sound.rate) - 30 * GOP) < Fraction(1536 * 2, sound.rate)


class TestModes:
    @pytest.mark.parametrize(
        ("name", "coded"),
        [("aac", False), ("ac3", False), ("pcm", False), ("opus", True), ("mp3", True), ("flac", True), ("alac", True)],
    )
    def test_the_default_codes_joints_that_would_be_heard(
        self, name: str, coded: bool, source: Callable[[str, str], Path]
    ) -> None:
        path = source("real", name)
        assert joined(path, CUTS).plan().needs_render is coded
        assert not ffzero.concat([path, path]).plan().needs_render, "whole files"
        assert not joined(path, CUTS).plan(audio="copy").needs_render

    @pytest.mark.parametrize("name", CODECS)
    def test_coding_all_is_exact_at_every_joint(
        self, name: str, source: Callable[[str, str], Path], tmp_path: Path
    ) -> None:
        path, output = source("real", name), tmp_path / f"out.{CODECS[name].suffix}"
        joined(path, CUTS).write(output, audio="encode")
        check_near_joints(path, samples(output), CODECS[name], CUTS, 0)

    def test_a_codec_that_cannot_be_coded_is_copied_and_said(
        self, source: Callable[[str, str], Path], tmp_path: Path
    ) -> None:
        path = tmp_path / "mp2.mp4"
        run("-i", str(source("real", "pcm")), "-c:a", "mp2", str(path))
        plan = joined(path, CUTS).plan(audio="joint")
        assert not plan.needs_render
        assert any("layer III" in warning for warning in plan.warnings)
        assert all("layer III" in segment.reason for segment in plan.segments)
        with pytest.raises(UnsupportedError, match="layer III"):
            ffzero.open(path)[:].apply_audio("volume=0", 1, 2).plan()

    def test_unknown(self, source: Callable[[str, str], Path]) -> None:
        with pytest.raises(UsageError, match="audio mode"):
            joined(source("real", "aac"), CUTS).plan(audio="fade")


class TestEffects:
    @pytest.mark.parametrize("name", CODECS)
    @pytest.mark.parametrize("form", ["filter", "function"])
    def test_only_the_range_changes(
        self, name: str, form: str, source: Callable[[str, str], Path], tmp_path: Path
    ) -> None:
        path, output, codec = source("real", name), tmp_path / f"out.{CODECS[name].suffix}", CODECS[name]
        effect = "volume=0.25" if form == "filter" else lambda sound: sound * 0.25
        ffzero.open(path)[1:6].apply_audio(effect, 2, "3.5").write(output)
        own, got = samples(path)[RATE : 6 * RATE], samples(output)
        low, high, edge = 2 * RATE, 7 * RATE // 2, int(EDGE_S * RATE)
        inside = slice(low + edge, high - edge)
        assert db(got[inside] - 0.25 * own[inside], own) < max(codec.close_db, -70), "16 bits round a quarter"
        for outside in (slice(0, low - 1), slice(high + 1, 5 * RATE)):
            assert db(got[outside] - own[outside], own) < codec.close_db - 6
        if codec.packet > 1:
            known = set(packets(path))
            coded = sum(packet not in known for packet in packets(output))
            extra = coded - 1.5 * RATE / codec.packet
            assert 0 <= extra <= (16 if name in ("aac", "mp3") else 7)

    def test_a_bleep(self, source: Callable[[str, str], Path], tmp_path: Path) -> None:
        chain = "volume=0[a];sine=f=1000:r=48000[b];[a][b]amix=duration=first:normalize=0"
        ffzero.open(source("real", "aac"))[:].apply_audio(chain, 2, 3).write(tmp_path / "out.mp4")
        got = samples(tmp_path / "out.mp4")[2 * RATE + 2400 : 3 * RATE - 2400, 0]
        spectrum = np.abs(np.fft.rfft(got * np.hanning(len(got))))
        assert abs(np.argmax(spectrum) * RATE / len(got) - 1000) < 2

    def test_an_effect_goes_on_across_a_joint(self, source: Callable[[str, str], Path], tmp_path: Path) -> None:
        clip = joined(source("real", "aac"), [(1, 2), (3, 4)]).apply_audio("volume=0", "0.5", "1.5")
        clip.write(tmp_path / "out.mp4", audio="joint")
        got = samples(tmp_path / "out.mp4")
        assert np.max(np.abs(got[RATE // 2 + 300 : RATE * 3 // 2 - 300])) < 1e-3
        assert np.max(np.abs(got[: RATE // 2])) > 0.01

    @pytest.mark.parametrize(
        ("effect", "match"),
        [("atempo=2", "samples of"), ("nosuchfilter", "nosuchfilter"), (lambda sound: sound[:5], "as much as")],
    )
    def test_what_changes_the_length_is_refused(
        self, effect: Any, match: str, source: Callable[[str, str], Path], tmp_path: Path
    ) -> None:
        with pytest.raises(UsageError, match=match):
            ffzero.open(source("real", "aac"))[:].apply_audio(effect, 1, 2).write(tmp_path / "out.mp4")
        assert not (tmp_path / "out.mp4").exists()


class TestWindows:
    def test_what_is_fed_folds_to_what_is_wanted(self) -> None:
        signal = np.random.default_rng(1).normal(size=(1024, 2)).astype(np.float32)
        sine = np.sin(np.pi / 4096 * (2 * np.arange(1024) + 1)).reshape(-1, 1)
        total = np.cumsum(np.kaiser(1025, 4 * np.pi))
        kaiser = np.sqrt(total[:-1] / total[-1]).reshape(-1, 1)
        rising, fed = sine * signal, kaiser * folded_rise(signal, 0, 1)
        np.testing.assert_allclose(fed - fed[::-1], rising - rising[::-1], atol=1e-5)
        falling, fed = kaiser[::-1] * signal, sine[::-1] * folded_fall(signal, 1, 0)
        np.testing.assert_allclose(fed + fed[::-1], falling + falling[::-1], atol=1e-5)

    def test_the_shape_can_be_restated(self, source: Callable[[str, str], Path]) -> None:
        packet = packets(source("real", "aac"))[20]
        falling = falling_of(packet)
        assert falling is not None and falling.shape_bit is not None
        other = with_shape(packet, falling, 1 - falling.shape)
        assert sum(a != b for a, b in zip(packet, other, strict=True)) == 1
        again = falling_of(other)
        assert again is not None and again.shape == 1 - falling.shape and not again.meets(falling)

    @pytest.mark.parametrize("data", [b"", b"\xff", b"\xe0\0", b"\xc0\xff\xff"])
    def test_what_is_no_packet_tells_nothing(self, data: bytes) -> None:
        assert falling_of(data) is None
