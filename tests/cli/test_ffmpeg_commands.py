"""``transcode``, ``thumbnail``, ``gif`` and ``audio``: what comes out, decoded, and what is refused and how."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import av
import pytest

from support.command_line import call
from support.media import ffmpeg_exe
from support.ramp import RAMP_FRAMES, lumas, make_ramp, picture, tone_hz
from support.samples import plain_sample

QUICK = ["--preset", "ultrafast", "--crf", "10"]
ODD_NAMES = ["-a b.mp4", 'it\'s "q".mp4', "🎬.mp4", "two\nlines.mp4", "concat:x.mp4", "%03d|.mp4", "http:..x.mp4"]


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ramp") / "in.mp4"
    make_ramp(path)
    return path


@pytest.fixture
def folder(ramp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copyfile(ramp, tmp_path / "in.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def succeed(*argv: object) -> str:
    outcome = call(*argv)
    assert (outcome.err, outcome.status) == ("", 0)
    return outcome.out


def codecs(path: str) -> dict[str, str]:
    with open(path, "rb") as file, av.open(file) as container:
        return {stream.type: stream.codec_context.codec.canonical_name for stream in container.streams}


def numbers(path: str) -> list[int]:
    """Return which pictures of the source these are."""
    return [round((luma - 20) / 2) for luma in lumas(path)]


def test_transcode_keeps_every_picture_of_a_changing_rate(ffzero_media: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    succeed("transcode", ffzero_media / "real" / "cursed-vfr.mp4", "-o", out, *QUICK, "--width", "160")
    with av.open(str(out)) as container:
        assert container.streams.video[0].frames == 63


class TestTranscode:
    @pytest.mark.parametrize(
        ("name", "video", "audio"),
        [("o.mp4", "h264", "aac"), ("o.webm", "vp9", "opus"), ("o.mkv", "h264", "aac"), ("o.avi", "h264", "mp3")],
    )
    def test_the_name_chooses_the_codecs(self, folder: Path, name: str, video: str, audio: str) -> None:
        assert name in succeed("transcode", "in.mp4", "-o", name, *QUICK)
        assert codecs(name) == {"video": video, "audio": audio}
        assert len(lumas(name)) == RAMP_FRAMES

    def test_options_reach_the_encoder(self, folder: Path) -> None:
        options = ["--codec", "h265", "--audio-codec", "flac", "--width", "80", "--fps", "5", *QUICK]
        report = json.loads(succeed("transcode", "in.mp4", "-o", "o.mkv", *options, "--json"))
        assert codecs("o.mkv") == {"video": "hevc", "audio": "flac"}
        with av.open("o.mkv") as container:
            stream = container.streams.video[0]
            assert (stream.width, stream.height, stream.average_rate) == (80, 60, 5)
        assert report["output"] == "o.mkv"
        assert report["bytes_rendered"] == (folder / "o.mkv").stat().st_size
        assert report["frames_rendered"] == 20

    @pytest.mark.parametrize("options", [["-s", "1", "-e", "2"], ["-s", "0:01", "-d", "1"]])
    def test_a_range_is_exact(self, folder: Path, options: list[str]) -> None:
        succeed("transcode", "in.mp4", "-o", "o.mp4", *options, *QUICK)
        assert numbers("o.mp4") == list(range(25, 50))

    def test_a_stream_can_be_left_out(self, folder: Path) -> None:
        succeed("transcode", "in.mp4", "-o", "o.mp4", "--audio-codec", "none", "--size", "64x48", *QUICK)
        assert set(codecs("o.mp4")) == {"video"}
        succeed("transcode", "in.mp4", "-o", "o.flac")
        assert codecs("o.flac") == {"audio": "flac"}

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["--crf", "52"], ["crf 52", "from 0", "51"]),
            (["--crf", "good"], ["--crf", "'good'"]),
            (["--preset", "fastest"], ["unknown preset 'fastest'", "Did you mean fast"]),
            (["--codec", "h262"], ["'h262'", "Choose one of", "H264"]),
            (["--codec", "aac"], ["not a codec of this kind"]),
            (["--width", "81"], ["odd"]),
            (["--size", "big"], ["--size", "'big'", "1280x720"]),
            (["--size", "64x48", "--width", "64"], ["--size", "Give one of them"]),
            (["--fps", "0"], ["frame rate", "30000/1001"]),
            (["--audio-bitrate", "loud"], ["audio_bitrate", "192k"]),
            (["--codec", "copy", "-s", "1"], ["ffzero cut"]),
            (["-s", "4"], ["not before the file's end"]),
            (["-s", "2", "-e", "1"], ["not after the start"]),
        ],
    )
    def test_nonsense_is_refused(self, folder: Path, options: list[str], words: list[str]) -> None:
        outcome = call("transcode", "in.mp4", "-o", "o.mp4", *options)
        assert (outcome.status, outcome.out) == (2, "")
        assert all(word in outcome.message for word in words), outcome.message
        assert {path.name for path in folder.iterdir()} == {"in.mp4"}

    def test_names_that_tell_no_codec(self, folder: Path) -> None:
        outcome = call("transcode", "in.mp4", "-o", "o.xyz")
        assert outcome.status == 2
        assert "no codecs are known for .xyz" in outcome.message
        assert ".webm" in outcome.message

    def test_what_is_left_out_is_told(self, folder: Path) -> None:
        (folder / "s.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nHello\n")
        command = [ffmpeg_exe(), "-v", "error", "-i", "in.mp4", "-i", "s.srt", "-c", "copy", "sub.mkv"]
        subprocess.run(command, check=True, timeout=60)
        out = succeed("transcode", "sub.mkv", "-o", "o.mp4", *QUICK)
        assert "warning: left out: 1 subtitle track" in out


class TestThumbnail:
    @pytest.mark.parametrize("name", ["o.jpg", "o.png", "o.webp", "o.bmp", "o%d.jpg"])
    def test_the_picture_of_a_time(self, folder: Path, name: str) -> None:
        assert succeed("thumbnail", "in.mp4", "-o", name, "--at", "2").startswith(f"{name}: ")
        found = picture(name)
        assert found.shape == (120, 160)
        assert {path.name for path in folder.iterdir()} == {"in.mp4", name}

    @pytest.mark.parametrize(
        ("options", "number"), [([], 10), (["--at", "0"], 0), (["--at", "2"], 50), (["--at", "3.99"], 99)]
    )
    def test_is_the_right_picture(self, folder: Path, options: list[str], number: int) -> None:
        succeed("thumbnail", "in.mp4", "-o", "o.png", *options)
        with av.open("o.png") as container:
            grey = next(container.decode(video=0)).to_ndarray(format="rgb24").mean()
        luma = 16 + grey * 219 / 255
        assert abs((luma - 20) / 2 - number) <= 1

    def test_width_keeps_the_aspect(self, folder: Path) -> None:
        succeed("thumbnail", "in.mp4", "-o", "o.png", "--width", "80")
        assert picture("o.png").shape == (60, 80)

    def test_pixels_become_square(self, folder: Path) -> None:
        command = [ffmpeg_exe(), "-v", "error", "-i", "in.mp4", "-vf", "setsar=2", "-t", "1", "wide.mp4"]
        subprocess.run(command, check=True, timeout=60)
        for options in ([], ["--width", "320"]):
            succeed("thumbnail", "wide.mp4", "-o", "o.png", *options, "-y")
            assert picture("o.png").shape == (120, 320)
        succeed("gif", "wide.mp4", "-o", "o.gif", "--width", "160")
        with av.open("o.gif") as container:
            assert (container.streams.video[0].width, container.streams.video[0].height) == (160, 60)

    @pytest.mark.parametrize("seconds", [4, 0.2])
    def test_a_sheet_is_spread_over_the_whole(self, folder: Path, seconds: float) -> None:
        command = [ffmpeg_exe(), "-v", "error", "-i", "in.mp4", "-t", str(seconds), "-c:v", "libx264", "part.mp4"]
        subprocess.run(command, check=True, timeout=60)
        succeed("thumbnail", "part.mp4", "-o", "o.png", "--sheet", "4x2", "--width", "80")
        sheet = picture("o.png")
        assert sheet.shape == (2 * 60 + 3 * 4, 4 * 80 + 5 * 4)
        tiles = [
            sheet[4 + 64 * row : 64 + 64 * row, 4 + 84 * column : 84 + 84 * column]
            for row in (0, 1)
            for column in range(4)
        ]
        means = [tile.mean() for tile in tiles]
        assert means == sorted(means)
        steps = [after - before for before, after in pairwise(means)]
        assert max(steps) - min(steps) < 6 if seconds == 4 else max(steps) < 6
        assert all(tile.std() < 3 for tile in tiles)  # each is one picture, nowhere black

    def test_a_sheet_of_a_long_file_shows_the_same_pictures(self, folder: Path) -> None:
        source = plain_sample()
        succeed("thumbnail", source, "-o", "o.png", "--sheet", "2x2", "--width", "80")
        sheet = picture("o.png")
        height = (sheet.shape[0] - 12) // 2
        for number, time in enumerate((10, 30, 50, 70)):
            succeed("thumbnail", source, "-o", "one.png", "--at", time, "--width", "80", "-y")
            top, left = 4 + (number // 2) * (height + 4), 4 + (number % 2) * 84
            tile = sheet[top : top + height, left : left + 80]
            assert abs(tile - picture("one.png")).mean() < 4

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["-o", "o.mp4"], ["no kind of picture", ".png"]),
            (["-o", "o.png", "--at", "9"], ["not before the file's end"]),
            (["-o", "o.png", "--at", "soon"], ["--at", "'soon'"]),
            (["-o", "o.png", "--sheet", "4"], ["--sheet", "4x3"]),
            (["-o", "o.png", "--sheet", "0x3"], ["columns"]),
            (["-o", "o.png", "--sheet", "2x2", "--at", "1"], ["Give one of them"]),
            (["-o", "o.png", "--width", "1"], ["size", "from 2"]),
            ([], ["-o OUTPUT"]),
        ],
    )
    def test_nonsense_is_refused(self, folder: Path, options: list[str], words: list[str]) -> None:
        outcome = call("thumbnail", "in.mp4", *options)
        assert (outcome.status, outcome.out) == (2, "")
        assert all(word in outcome.message for word in words), outcome.message

    def test_sound_alone_has_no_picture(self, folder: Path) -> None:
        succeed("audio", "in.mp4", "-o", "o.m4a")
        outcome = call("thumbnail", "o.m4a", "-o", "o.png")
        assert outcome.status == 1
        assert "holds no pictures" in outcome.message


class TestGif:
    def test_range_rate_and_width(self, folder: Path) -> None:
        succeed("gif", "in.mp4", "-o", "o.gif", "-s", "1", "-d", "2", "--fps", "10", "--width", "80")
        with av.open("o.gif") as container:
            frames = list(container.decode(video=0))
        assert len(frames) == 20
        assert (frames[0].width, frames[0].height) == (80, 60)
        grey = [frame.to_ndarray(format="rgb24").mean() for frame in frames]
        wanted = [(20 + 2 * number - 16) * 255 / 219 for number in (25, 72)]
        assert [grey[0], grey[-1]] == pytest.approx(wanted, abs=8)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["-o", "o.mp4"], [".gif"]),
            (["-o", "o.gif", "--fps", "500"], ["fps", "100"]),
            (["-o", "o.gif", "--width", "1"], ["width", "from 2"]),
        ],
    )
    def test_nonsense_is_refused(self, folder: Path, options: list[str], words: list[str]) -> None:
        outcome = call("gif", "in.mp4", *options)
        assert outcome.status == 2
        assert all(word in outcome.message for word in words), outcome.message


def packets(path: str) -> list[bytes]:
    with av.open(path) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


class TestAudio:
    def test_is_copied_where_it_fits(self, folder: Path) -> None:
        report = json.loads(succeed("audio", "in.mp4", "-o", "o.m4a", "--json"))
        assert packets("o.m4a") == packets("in.mp4")
        assert report["bytes_rendered"] == 0
        assert report["bytes_copied"] == (folder / "o.m4a").stat().st_size

    @pytest.mark.parametrize(
        ("name", "codec"),
        [("o.mp3", "mp3"), ("o.opus", "opus"), ("o.flac", "flac"), ("o.wav", "pcm_s16le"), ("o.ogg", "vorbis")],
    )
    def test_is_coded_as_the_name_says(self, folder: Path, name: str, codec: str) -> None:
        succeed("audio", "in.mp4", "-o", name)
        assert codecs(name) == {"audio": codec}
        hz, seconds = tone_hz(name)
        assert hz == pytest.approx(440, abs=1)
        assert seconds == pytest.approx(4, abs=0.1)

    def test_track_codec_and_range(self, folder: Path) -> None:
        options = ["--track", "2", "--codec", "flac", "-s", "1", "-e", "2.5"]
        succeed("audio", "in.mp4", "-o", "o.mka", *options)
        assert codecs("o.mka") == {"audio": "flac"}
        hz, seconds = tone_hz("o.mka")
        assert hz == pytest.approx(880, abs=1)
        assert seconds == pytest.approx(1.5, abs=0.001)

    def test_a_bitrate_codes_anew(self, folder: Path) -> None:
        succeed("audio", "in.mp4", "-o", "low.m4a", "--bitrate", "24k")
        assert (folder / "low.m4a").stat().st_size < 20_000
        succeed("audio", "in.mp4", "-o", "low.mka", "--bitrate", "24k")
        assert codecs("low.mka") == {"audio": "aac"}

    @pytest.mark.parametrize(("words", "lufs"), [(["--loudness"], -16), (["--loudness", "-23"], -23)])
    @pytest.mark.parametrize("name", ["o.wav", "o.mka"])
    def test_loudness_is_reached(self, folder: Path, words: list[str], lufs: float, name: str) -> None:
        succeed("audio", *words, "in.mp4", "-o", name)
        measure = [ffmpeg_exe(), "-hide_banner", "-nostats", "-i", name, "-af", "ebur128", "-f", "null", "-"]
        said = subprocess.run(measure, check=True, timeout=60, capture_output=True, text=True).stderr
        found = float(said.rpartition("I:")[2].split()[0])
        assert found == pytest.approx(lufs, abs=0.6)

    def test_a_range_of_a_track_is_brought_to_its_loudness(self, folder: Path) -> None:
        succeed("audio", "in.mp4", "-o", "o.flac", "--loudness=-20", "--track", "2", "-s", "1", "-d", "2")
        hz, seconds = tone_hz("o.flac")
        assert hz == pytest.approx(880, abs=1)
        assert seconds == pytest.approx(2, abs=0.01)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["-o", "o.m4a", "--track", "3"], ["no sound track 3", "1 to 2"]),
            (["-o", "o.m4a", "--track", "0"], ["no sound track 0"]),
            (["-o", "o.xyz"], ["no codecs are known for .xyz"]),
            (["-o", "o.m4a", "--codec", "mp9"], ["'mp9'"]),
            (["-o", "o.m4a", "--bitrate", "x"], ["audio_bitrate"]),
            (["-o", "o.m4a", "--loudness", "-99"], ["target_lufs", "-70"]),
            (["-o", "o.m4a", "--loudness", "--codec", "copy"], ["keeps its loudness"]),
            (["-o", "o.m4a", "-s", "5"], ["not before the file's end"]),
        ],
    )
    def test_nonsense_is_refused(self, folder: Path, options: list[str], words: list[str]) -> None:
        outcome = call("audio", "in.mp4", *options)
        assert (outcome.status, outcome.out) == (2, "")
        assert all(word in outcome.message for word in words), outcome.message

    def test_a_video_without_sound(self, folder: Path) -> None:
        succeed("transcode", "in.mp4", "-o", "mute.mp4", "--audio-codec", "none", *QUICK)
        outcome = call("audio", "mute.mp4", "-o", "o.m4a")
        assert outcome.status == 1
        assert "holds no sound" in outcome.message


COMMANDS = [("transcode", "o.mkv", QUICK), ("thumbnail", "o.png", []), ("gif", "o.gif", []), ("audio", "o.wav", [])]


@pytest.mark.parametrize(("command", "output", "options"), COMMANDS)
class TestAll:
    def test_an_existing_output_is_refused(self, folder: Path, command: str, output: str, options: list[str]) -> None:
        (folder / output).write_text("mine")
        outcome = call(command, "in.mp4", "-o", output, *options)
        assert outcome.status == 2
        assert "exists already" in outcome.message
        assert (folder / output).read_text() == "mine"
        succeed(command, "in.mp4", "-o", output, *options, "-y")
        assert (folder / output).stat().st_size > 100

    def test_the_input_is_no_output(self, folder: Path, command: str, output: str, options: list[str]) -> None:
        (folder / output).symlink_to("in.mp4")
        outcome = call(command, "in.mp4", "-o", output, *options, "-y")
        assert outcome.status == 2
        assert "the output is the input" in outcome.message
        assert (folder / output).is_symlink()

    def test_a_missing_input(self, folder: Path, command: str, output: str, options: list[str]) -> None:
        outcome = call(command, "no.mp4", "-o", output, *options)
        assert outcome.status == 1
        assert "no.mp4: no such file" in outcome.message

    def test_damage_is_told(self, folder: Path, command: str, output: str, options: list[str]) -> None:
        (folder / "bad.mp4").write_bytes(b"no media" * 99)
        outcome = call(command, "bad.mp4", "-o", output, *options, "--json")
        assert outcome.status == 1
        assert outcome.object["error"]["path"] == "bad.mp4"

    def test_a_dry_run_shows_a_command_that_runs(
        self, folder: Path, command: str, output: str, options: list[str]
    ) -> None:
        line = succeed(command, "in.mp4", "-o", output, *options, "--dry-run").strip()
        assert not (folder / output).exists()
        subprocess.run([*shlex.split(line), "-loglevel", "error"], check=True, timeout=60)
        assert (folder / output).stat().st_size > 100
        plan = json.loads(succeed(command, "in.mp4", "-o", output, *options, "--dry-run", "--json"))
        assert plan["dry_run"] is True
        assert plan["argv"] == shlex.split(line)

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_odd_names(self, folder: Path, command: str, output: str, options: list[str], name: str) -> None:
        (folder / "in.mp4").rename(folder / name)
        written = f"-o {name}{output[1:]}"
        succeed(command, "-o", written, *options, "--", name)
        assert {path.name for path in folder.iterdir()} == {name, written}
        assert (folder / written).stat().st_size > 100


def test_loudness_shows_how_it_measures(folder: Path) -> None:
    first, note = succeed("audio", "in.mp4", "-o", "o.wav", "--loudness", "--dry-run").splitlines()
    assert "print_format=json" in first
    assert note.startswith("# ")


def test_control_characters_of_names_are_written_as_a_shell_reads_them(folder: Path) -> None:
    line = succeed("gif", "in.mp4", "-o", "a\x1b[2J\nb'.gif", "--dry-run")
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    if shutil.which("bash"):
        shown = subprocess.run(["bash", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True)
        assert "a\x1b[2J\nb'.gif" in shown.stdout
