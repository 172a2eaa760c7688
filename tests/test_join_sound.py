"""The sound of joins and of effects at their edges: what it is made like, where it lies, and that no part lacks it.

Sources are sweeps made by FFmpeg in each codec, which is the judge, too: no two places of a sweep are alike.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import ffzero
from ffzero.errors import RenderRequiredError
from support import oracle
from support.encoding import ffmpeg
from support.media import ffmpeg_exe

Array = np.ndarray[Any, Any]

RATE = 48000
SECONDS = 2
MS = RATE // 1000
CODECS = {
    "aac": ("mp4", "-c:a aac -b:a 128k"),
    "opus": ("mp4", "-c:a libopus -b:a 96k"),
    "ac3": ("mp4", "-c:a ac3 -b:a 192k"),
    "mp3": ("mp4", "-c:a libmp3lame -b:a 160k"),
    "flac": ("mp4", "-c:a flac"),
    "alac": ("mov", "-c:a alac"),
    "pcm": ("mov", "-c:a pcm_s16le"),
}
SWEEP = "0.4*sin(2*PI*(200*t+{rise}*t*t))"
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Return a maker of files of two seconds: ``codec`` of its sound (empty: it has none), its channels and rate."""
    folder = tmp_path_factory.mktemp("sound")

    @cache
    def make(codec: str = "aac", channels: int = 2, rate: int = RATE, rise: int = 600, seconds: int = SECONDS) -> Path:
        suffix, arguments = CODECS[codec] if codec else ("mp4", "-an")
        path = folder / f"{codec or 'silent'}_{channels}_{rate}_{rise}_{seconds}.{suffix}"
        picture = ["-f", "lavfi", "-i", f"testsrc2=s=96x64:r=25:d={seconds}"]
        sweep = "|".join([SWEEP.format(rise=rise)] * channels)
        sound = ["-f", "lavfi", "-i", f"aevalsrc={sweep}:s={rate}:d={seconds}"]
        ffmpeg(*picture, *sound, "-c:v", "libx264", "-g", "25", "-bf", "0", *arguments.split(), path)
        return path

    return make


@dataclass(frozen=True)
class Heard:
    """The first channel of a file's sound at ``RATE``, as it is shown, and from when on it is."""

    codec: str
    rate: int
    channels: int
    samples: Array
    start_s: Fraction

    @classmethod
    def of(cls, path: Path) -> Heard:
        found = oracle.decode_audio_pcm(path)
        assert found is not None and not found.gaps
        with av.open(str(path)) as file:
            codec = file.streams.audio[0].codec_context
            name, rate, channels = codec.name, codec.sample_rate, codec.layout.nb_channels
        argv = [ffmpeg_exe(), "-v", "error", "-i", str(path), "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"]
        data = subprocess.run(argv, check=True, capture_output=True, timeout=60).stdout
        return cls(name, rate, channels, np.frombuffer(data, "<f4").astype(np.float64), found.start_s)

    def late(self, at_s: float, rise: int = 600) -> float:
        """Return by how many samples the sweep that began ``at_s`` is late, half a second into it."""
        begin = round((at_s + 0.5) * RATE)
        heard = self.samples[begin : begin + RATE // 2]
        reach = 2000
        t = (np.arange(-reach, RATE // 2 + reach) + RATE // 2) / RATE
        sweep = np.sin(2 * np.pi * (200 * t + rise * t * t))
        size = 1 << len(sweep).bit_length()
        spectrum = np.fft.rfft(sweep, size) * np.conj(np.fft.rfft(heard, size))
        likeness = np.fft.irfft(spectrum, size)[: 2 * reach + 1]
        best = int(np.argmax(likeness))
        near = sweep[best : best + len(heard)]
        assert np.dot(near, heard) > 0.98 * np.sqrt(np.dot(near, near) * np.dot(heard, heard)), "another sound"
        return reach - best


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.size]


def edits(path: Path) -> list[int]:
    """Return the media times of the edits of the first sound track."""
    media = ffzero.open(path).media
    assert media is not None
    track = next(track for track in media.box.tracks if media.role(track) == "audio")
    return [edit.media_time for edit in track.edits or ()]


class TestTarget:
    """The target is the sound of ``like``, else what most of the time is like."""

    @pytest.mark.parametrize("codec", CODECS)
    def test_what_most_is_like_is_copied_though_it_is_not_the_first(
        self, codec: str, made: Make, tmp_path: Path
    ) -> None:
        first = made("ac3" if codec == "aac" else "aac", 1, 44100, rise=900)
        second, output = made(codec, 2, RATE, seconds=3), tmp_path / f"out.{CODECS[codec][0]}"
        result = ffzero.concat([first, second]).write(output, verify=True)
        heard, own = Heard.of(output), Heard.of(second)
        assert (heard.codec, heard.rate, heard.channels) == (own.codec, RATE, 2)
        assert result.warnings == ()
        known = set(packets(second))
        kept = sum(packet in known for packet in packets(output))
        assert kept > 0.9 * len(packets(second)) - 8
        assert abs(heard.late(0, 900)) <= 1 and abs(heard.late(2)) <= 1
        assert heard.start_s == 0 and abs(len(heard.samples) - 5 * RATE) < 1600
        (media_time,) = edits(output)
        assert 0 <= media_time < 3 * 1152

    @pytest.mark.parametrize("order", ["like is first", "like is last", "like is elsewhere"])
    def test_like_is_followed_whatever_lasts_longer(self, order: str, made: Make, tmp_path: Path) -> None:
        like, other = made("aac", 1, 44100), made("ac3", 2, RATE, rise=900, seconds=3)
        items = {"like is first": [like, other], "like is last": [other, like], "like is elsewhere": [other, other]}
        output = tmp_path / "out.mp4"
        ffzero.concat(items[order], like=like).write(output, verify=True)
        heard = Heard.of(output)
        assert (heard.codec, heard.rate, heard.channels) == ("aac", 44100, 1)
        first, rises = items[order][0], [600 if item == like else 900 for item in items[order]]
        assert abs(heard.late(0, rises[0])) <= 2 and abs(heard.late(2 if first == like else 3, rises[1])) <= 2

    def test_that_which_can_be_coded_is_chosen(self, made: Make, tmp_path: Path) -> None:
        """FFmpeg has no encoder for the layer II of the longer one."""
        layer2 = tmp_path / "layer2.mp4"
        ffmpeg("-i", made("pcm", seconds=3), "-c:v", "copy", "-c:a", "mp2", layer2)
        for items in ([layer2, made("aac", 1)], [made("aac", 1), layer2]):
            ffzero.concat(items).write(tmp_path / "out.mp4", overwrite=True, verify=True)
            heard = Heard.of(tmp_path / "out.mp4")
            assert (heard.codec, heard.channels) == ("aac", 1)
            assert abs(heard.late(0)) <= 1 and abs(heard.late(3 if items[0] == layer2 else 2)) <= 1

    @pytest.mark.parametrize("is_first", [True, False])
    def test_he_aac_is_coded_like_the_rest(
        self, is_first: bool, made: Make, ffzero_media: Path, tmp_path: Path
    ) -> None:
        """Its sample entry states the rate of its core; FFmpeg can decode it, and not code it."""
        high, low, output = tmp_path / "high.m4a", made("aac"), tmp_path / "out.mp4"
        ffmpeg("-i", ffzero_media / "real" / "no-initial-keyframe.ts", "-map", "0:a", "-c", "copy", high)
        ffzero.concat([high, low] if is_first else [low, high]).write(output, verify=True)
        heard, own = Heard.of(output), Heard.of(high)
        assert (heard.codec, heard.rate, heard.channels) == ("aac", RATE, 2)
        at = RATE // 2 + (0 if is_first else SECONDS * RATE)
        wanted = own.samples[RATE // 2 - round(own.start_s * RATE) :][: RATE // 2]
        likeness = [np.dot(wanted, heard.samples[at + late :][: RATE // 2]) for late in range(-100, 101)]
        best = int(np.argmax(likeness)) - 100
        near = heard.samples[at + best :][: RATE // 2]
        assert abs(best) <= 2 and np.dot(near, wanted) > 0.95 * np.sqrt(np.dot(near, near) * np.dot(wanted, wanted))

    def test_what_most_packets_say_of_their_time_counts(self, made: Make, tmp_path: Path) -> None:
        """As a recorder's first two: the others come 189 samples earlier than counting from the first has it."""
        odd, output = tmp_path / "odd.mp4", tmp_path / "out.mp4"
        times = r"setts=ts=TS+eq(N\,1)*576-gt(N\,1)*189"
        ffmpeg("-i", made("aac", seconds=3), "-c", "copy", "-bsf:a", times, odd)
        result = ffzero.concat([ffzero.open(odd)[0.04:], made("ac3", 1, 44100)]).write(output, verify=True)
        assert result.warnings == ()
        heard = Heard.of(output)
        assert (heard.codec, heard.channels) == ("aac", 2)
        assert abs(heard.late(-0.04) + 189) < 24 and abs(heard.late(3 - 0.04)) <= 1

    def test_the_track_goes_on_being_the_first_files(self, made: Make, tmp_path: Path) -> None:
        first = tmp_path / "first.mp4"
        names = ["-metadata:s:a:0", "language=fra", "-metadata:s:a:0", "handler_name=Commentary"]
        ffmpeg("-i", made("ac3", 1, 44100), "-map", "0", "-c", "copy", *names, first)
        ffzero.concat([first, made("aac", seconds=3)]).write(tmp_path / "out.mp4", verify=True)
        with av.open(str(tmp_path / "out.mp4")) as file:
            sound = file.streams.audio[0]
            assert (sound.codec_context.name, sound.language) == ("aac", "fra")
            assert sound.metadata["handler_name"] == "Commentary"

    def test_copied_sound_that_differs_is_refused(self, made: Make, tmp_path: Path) -> None:
        with pytest.raises(RenderRequiredError, match="codec"):
            ffzero.concat([made("pcm", 1), made("aac", seconds=3)]).write(tmp_path / "out.mp4", audio="copy")


class TestSilence:
    """Where pieces have no sound, there is silence, also at the beginning and at the end."""

    @pytest.mark.parametrize("codec", CODECS)
    def test_first_and_last(self, codec: str, made: Make, tmp_path: Path) -> None:
        silent, loud, output = made(""), made(codec), tmp_path / f"out.{CODECS[codec][0]}"
        result = ffzero.concat([silent, loud, silent]).write(output, boundary="render", verify=True)
        assert result.warnings == ()
        heard = Heard.of(output)
        (media_time,) = edits(output)
        assert 0 <= media_time < 3 * 1152
        assert heard.start_s == 0 and abs(len(heard.samples) - 6 * RATE) < 100
        assert abs(heard.late(2)) <= 1
        for low, high in ((0, 2), (4, 6)):
            assert np.abs(heard.samples[int((low + 0.03) * RATE) : int((high - 0.03) * RATE)]).max() < 1e-3
        known = set(packets(loud))
        assert sum(packet in known for packet in packets(output)) > 0.8 * len(known)

    @pytest.mark.parametrize("boundary", ["auto", "keyframe"])
    def test_with_any_boundary(self, boundary: str, made: Make, tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        ffzero.concat([made(""), made("aac"), made("")]).write(output, boundary=boundary, verify=True)
        heard = Heard.of(output)
        assert heard.start_s == 0 and abs(len(heard.samples) - 6 * RATE) < 100 and abs(heard.late(2)) <= 1

    def test_where_all_is_coded(self, made: Make, tmp_path: Path) -> None:
        output = tmp_path / "out.mp4"
        ffzero.concat([made(""), made("aac"), made("")]).write(output, audio="encode", verify=True)
        heard = Heard.of(output)
        assert heard.start_s == 0 and abs(len(heard.samples) - 6 * RATE) < 100 and abs(heard.late(2)) <= 1

    def test_before_and_after_a_cross_fade(self, made: Make, tmp_path: Path) -> None:
        silent, loud = ffzero.open(made("")), ffzero.open(made("aac"))
        silent[:].crossfade(loud[:], 1).write(tmp_path / "after.mp4")
        loud[:].crossfade(silent[:], 1).write(tmp_path / "before.mp4")
        for name in ("after", "before"):
            heard = Heard.of(tmp_path / f"{name}.mp4")
            assert heard.start_s == 0 and abs(len(heard.samples) - 3 * RATE) < 100

    def test_packets_that_may_only_be_copied_begin_late(self, made: Make, tmp_path: Path) -> None:
        result = ffzero.concat([made(""), made("aac")]).write(tmp_path / "out.mp4", audio="copy")
        assert edits(tmp_path / "out.mp4")[0] == -1
        assert not any(part["action"] == "render" for part in result.segments)

    def test_sound_that_begins_late_has_no_empty_edit(self, made: Make, tmp_path: Path) -> None:
        source, output = tmp_path / "in.mp4", tmp_path / "out.mp4"
        ffmpeg(
            "-i", made(""), "-itsoffset", "0.5", "-i", made("aac"), "-map", "0:v", "-map", "1:a", "-c", "copy", source
        )
        assert edits(source)[0] == -1
        ffzero.open(source)[:].write(output, boundary="render", verify=True)
        heard = Heard.of(output)
        assert heard.start_s == 0 and len(edits(output)) == 1 and abs(heard.late(0.5)) <= 1


class TestEffectsAtTheEdges:
    """An effect is faded where the sound goes on without it, not where the sound begins or ends."""

    @pytest.mark.parametrize("codec", CODECS)
    def test_nothing_is_heard_of_what_is_muted_from_end_to_end(self, codec: str, made: Make, tmp_path: Path) -> None:
        output = tmp_path / f"out.{CODECS[codec][0]}"
        ffzero.open(made(codec))[:].apply_audio("volume=0").write(output)
        heard = Heard.of(output)
        assert abs(len(heard.samples) - SECONDS * RATE) < 1600 and np.abs(heard.samples).max() < 1e-4

    @pytest.mark.parametrize("codec", CODECS)
    @pytest.mark.parametrize("form", ["filter", "function"])
    def test_at_both_ends_of_a_cut(self, codec: str, form: str, made: Make, tmp_path: Path) -> None:
        effect: Any = "volume=0" if form == "filter" else np.zeros_like
        output = tmp_path / f"out.{CODECS[codec][0]}"
        piece = ffzero.open(made(codec))[Fraction("0.36") : Fraction("1.64")]
        piece.apply_audio(effect, 0, "0.4").apply_audio(effect, 0, "0.4").apply_audio(effect, 1, None).write(output)
        heard = np.abs(Heard.of(output).samples)
        assert max(heard[: 397 * MS].max(), heard[RATE + 3 * MS :].max()) < 3e-3
        assert 0.5 < heard[401 * MS : 999 * MS].max() < 0.7

    def test_what_is_left_of_the_sound_begins_and_ends_as_it_did(self, made: Make, tmp_path: Path) -> None:
        source, output = made("pcm"), tmp_path / "out.mov"
        ffzero.open(source)[:].apply_audio("volume=0.5").write(output)
        own, heard = Heard.of(source).samples, Heard.of(output).samples
        assert np.abs(heard - own / 2).max() < 1e-4

    def test_one_effect_goes_over_into_the_next(self, made: Make, tmp_path: Path) -> None:
        clip = ffzero.open(made("pcm"))[:].apply_audio("volume=0", "0.5", 1).apply_audio("volume=0", 1, "1.5")
        clip.write(tmp_path / "out.mov")
        heard = np.abs(Heard.of(tmp_path / "out.mov").samples)
        assert heard[503 * MS : 1497 * MS].max() < 1e-4 < heard[: 499 * MS].max()

    @pytest.mark.parametrize("muted", [0, 1])
    def test_at_a_joint_nothing_of_what_is_muted_comes_through(self, muted: int, made: Make, tmp_path: Path) -> None:
        pieces = [ffzero.open(made("pcm"))[0:1], ffzero.open(made("pcm", rise=900))[1:2]]
        low = ffzero.open(made("pcm"))[0:1].apply_audio("volume=0")
        other = pieces[1 - muted].apply_audio("volume=0") if muted else pieces[1].apply_audio("volume=0")
        (low + other).write(tmp_path / "out.mov", audio="joint")
        assert np.abs(Heard.of(tmp_path / "out.mov").samples).max() < 1e-4
