"""``ffzero frames``: which frames, what files, and what is left where it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

import ffzero
from ffzero.cli.frame_files import FrameNames, time_in_name
from support.command_line import Terminal, call
from support.media import ffmpeg_exe
from support.samples import copy_sample


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_sample(tmp_path, "in.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pixels(path: Path | str) -> np.ndarray:
    with av.open(str(path)) as container:
        (frame,) = container.decode(video=0)
    deep = len(frame.format.components) and frame.format.components[0].bits > 8
    return frame.to_ndarray(format="rgb48le" if deep else "rgb24")


def source_frames(start: int, stop: int, **look: object) -> list[np.ndarray]:
    with ffzero.open("in.mp4") as movie:
        return [frame.array.copy() for frame in movie.frames(start, stop, **look)]  # type: ignore[call-overload]


class TestWhich:
    def test_png_by_time_is_exact(self, folder: Path) -> None:
        outcome = call("frames", "in.mp4", "-o", "out/%03d.png", "-s", 10, "-d", 3, "--every", "1s", "--json")
        assert outcome.status == 0, outcome.err
        files = outcome.object["frames"]
        assert [(file["output"], file["time_s"], file["index"]) for file in files] == [
            ("out/001.png", 10, 250), ("out/002.png", 11, 275), ("out/003.png", 12, 300),
        ]  # fmt: skip
        assert [file["keyframe"] for file in files] == [True, False, True]
        wanted = source_frames(10, 13)[::25]
        for file, frame in zip(files, wanted, strict=True):
            assert np.array_equal(pixels(file["output"]), frame)

    @pytest.mark.parametrize("suffix", ["png", "webp", "npy", "npz"])
    def test_two_times_may_show_the_same_picture(self, folder: Path, suffix: str) -> None:
        outcome = call("frames", "in.mp4", "-o", f"%d.{suffix}", "--at", "1,1", "--at", "1.01", "--json")
        assert outcome.status == 0, outcome.err
        assert [file["index"] for file in outcome.object["frames"]] == [25, 25, 25]
        assert Path(f"1.{suffix}").read_bytes() == Path(f"2.{suffix}").read_bytes() == Path(f"3.{suffix}").read_bytes()

    def test_every_so_many_frames(self, folder: Path) -> None:
        outcome = call("frames", "in.mp4", "-o", "%d.npy", "-s", 1, "-e", 2, "--every", 10)
        assert outcome.status == 0, outcome.err
        assert outcome.out.startswith("1.npy to 3.npy: 3 frames")
        for number, frame in enumerate(source_frames(1, 2)[::10], 1):
            assert np.array_equal(np.load(f"{number}.npy"), frame)

    def test_at_times_in_the_order_asked(self, folder: Path) -> None:
        outcome = call("frames", "in.mp4", "-o", "{time}_{index}.webp", "--at", "5.01,0:01", "--at", "3")
        assert outcome.status == 0, outcome.err
        names = sorted(path.name for path in folder.glob("*.webp"))
        assert names == ["0-00-01.000_25.webp", "0-00-03.000_75.webp", "0-00-05.000_125.webp"]

    def test_key_frames(self, folder: Path) -> None:
        outcome = call("frames", "in.mp4", "-o", "%d.jpg", "--keyframes", "-s", 1, "-e", 7, "--json")
        assert [file["time_s"] for file in outcome.object["frames"]] == [2, 4, 6]
        assert all(file["keyframe"] for file in outcome.object["frames"])

    def test_one_frame_needs_no_number(self, folder: Path) -> None:
        assert call("frames", "in.mp4", "-o", "one.png", "--at", 1).status == 0
        assert np.array_equal(pixels("one.png"), source_frames(1, 2)[0])

    def test_turned_as_it_is_shown(self, folder: Path) -> None:
        turned = folder / "turned.mp4"
        argv = [ffmpeg_exe(), "-v", "error", "-display_rotation", "90", "-i", "in.mp4", "-c", "copy", "-t", "2", turned]
        subprocess.run(argv, check=True, timeout=60)
        assert call("frames", turned, "-o", "one.png", "--at", 1).status == 0
        assert np.array_equal(pixels("one.png"), np.rot90(source_frames(1, 2)[0], 1))


class TestFiles:
    def test_one_array_of_all(self, folder: Path) -> None:
        outcome = call("frames", "in.mp4", "-o", "all.npy", "-d", 2, "--format", "gray", "--size", "96x54")
        assert outcome.status == 0, outcome.err
        array = np.load("all.npy", mmap_mode="r")
        assert (array.shape, array.dtype) == ((50, 54, 96), np.uint8)
        assert np.array_equal(array[7], source_frames(0, 1, format="gray", size=(96, 54))[7])

    def test_npz_has_the_time(self, folder: Path) -> None:
        assert call("frames", "in.mp4", "-o", "%d.npz", "--at", "1.5").status == 0
        with np.load("1.npz") as data:
            assert (float(data["time"]), int(data["index"])) == (1.48, 37)
            assert data["frame"].shape == (108, 192, 3)

    @pytest.mark.parametrize("suffix", ["jpg", "webp"])
    def test_lossy_pictures_are_near(self, folder: Path, suffix: str) -> None:
        assert call("frames", "in.mp4", "-o", f"%d.{suffix}", "-d", "0.2", "--quality", 95).status == 0
        wanted = source_frames(0, 1)
        for number in (1, 5):
            difference = np.abs(pixels(f"{number}.{suffix}").astype(int) - wanted[number - 1])
            assert difference.mean() < 8  # saturated edges, at half the colour's resolution

    def test_quality_counts(self, folder: Path) -> None:
        for quality in (10, 100):
            assert call("frames", "in.mp4", "-o", f"{quality}_%d.jpg", "--at", 1, "--quality", quality).status == 0
        assert os.path.getsize("10_1.jpg") * 2 < os.path.getsize("100_1.jpg")

    def test_sixteen_bits(self, folder: Path) -> None:
        deep = folder / "deep.mp4"
        coding = ["-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=none"]
        argv = [ffmpeg_exe(), "-v", "error", "-i", "in.mp4", "-frames:v", "5", *coding, deep]
        subprocess.run(argv, check=True, timeout=60)
        assert call("frames", deep, "-o", "%d.png", "--at", 0, "--format", "rgb48").status == 0
        with ffzero.open(deep) as movie:
            wanted = movie.frame_at(0, format="rgb48").array
        found = pixels("1.png")
        assert found.dtype == np.uint16
        assert np.array_equal(found, wanted)
        assert len(np.unique(found & 0xFF)) > 50  # more than eight bits, repeated

    def test_existing_files_are_refused_before_anything(self, folder: Path) -> None:
        (folder / "0002.png").write_bytes(b"mine")
        outcome = call("frames", "in.mp4", "-o", "%04d.png", "-d", 1)
        assert outcome.status == 2
        assert "0002.png: exists already" in outcome.message
        assert sorted(path.name for path in folder.glob("*.png")) == ["0002.png"]
        assert call("frames", "in.mp4", "-o", "%04d.png", "-d", 1, "-y").status == 0
        assert len(pixels("0002.png")) == 108

    def test_times_in_names(self) -> None:
        from fractions import Fraction

        assert time_in_name(Fraction(3_723_999, 1000)) == "1-02-03.999"
        assert time_in_name(Fraction(1001, 30_000)) == "0-00-00.033"
        assert FrameNames("a%d/100%%_%3d.png").name(7) == "a%d/100%_007.png"


class TestSayings:
    def test_dry_run(self, folder: Path) -> None:
        outcome = call("frames", "in.mp4", "--every", "20s", "--dry-run")
        assert outcome.out == "4 frames: 0:00:00.000, 0:00:20.000, 0:00:40.000, 0:01:00.000\n"
        outcome = call("frames", "in.mp4", "-o", "x/%d.png", "--at", 1, "--dry-run", "--json")
        assert outcome.object["times_s"] == [1]
        assert not (folder / "x").exists()

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["-o", "x.jpg"], "one name for many frames"),
            (["-o", "%d.xyz"], "no kind of picture or array"),
            (["-o", "%d.png", "--quality", "9"], "--quality is for JPEG and WebP"),
            (["-o", "%d.jpg", "--format", "rgb48"], "holds 8 bits"),
            (["-o", "%d.jpg", "--every", "0"], "at least each frame"),
            (["-o", "%d.jpg", "--every", "0s"], "the time is zero"),
            (["-o", "%d.jpg", "--every", "1s", "--keyframes"], "exclude each other"),
            (["-o", "%d.jpg", "--at", "1", "-s", "1"], "names the frames"),
            (["-o", "%d.jpg", "--size", "huge"], "not a size"),
            (["-o", "%d.jpg", "--at", "100"], ""),
            (["-o", "{title}.jpg"], "one name for many frames"),
        ],
    )
    def test_wrong_usage(self, folder: Path, words: list[str], said: str) -> None:
        outcome = call("frames", "in.mp4", *words)
        assert outcome.status == 2
        assert said in outcome.message
        assert not list(folder.glob("*.jpg"))

    def test_progress_tells_of_memory(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import io

        from ffzero.cli import progress, run

        monkeypatch.setattr(progress, "_PATIENCE_S", 0.0)
        monkeypatch.setattr(progress.TerminalProgress.__init__, "__kwdefaults__", {"patience_s": 0.0})
        monkeypatch.setenv("COLUMNS", "100")
        screen = Terminal()
        assert run(["frames", "in.mp4", "-o", "%d.jpg", "-d", "4"], io.StringIO(), screen) == 0
        assert "of memory" in screen.getvalue()
        assert "fps" in screen.getvalue()


class TestFailures:
    def test_a_damaged_picture_leaves_the_ones_before_it(self, folder: Path) -> None:
        data = bytearray((folder / "in.mp4").read_bytes())
        with ffzero.open("in.mp4") as movie:
            index = movie.samples()
        offset, size = int(index.offset_bytes[75]), int(index.size_bytes[75])
        data[offset : offset + size] = bytes(size)
        (folder / "bad.mp4").write_bytes(data)
        outcome = call("frames", "bad.mp4", "-o", "%04d.png", "-d", 4)
        assert outcome.status == 1
        assert "written before that" in outcome.err
        names = sorted(path.name for path in folder.glob("*.png"))
        assert 40 < len(names) < 80
        assert all(len(pixels(name)) == 108 for name in (names[0], names[-1]))
        assert call("frames", "bad.mp4", "-o", "all.npy", "-d", 4).status == 1
        assert not (folder / "all.npy").exists()

    @pytest.mark.skipif(not os.path.exists("/dev/full") or os.geteuid() != 0, reason="needs a small filesystem")
    def test_a_full_disk(self, folder: Path) -> None:
        small = folder / "small"
        small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", small], capture_output=True)
        if mounted.returncode:
            pytest.skip("tmpfs cannot be mounted here")
        try:
            outcome = call("frames", "in.mp4", "-o", "small/%d.npy", "-d", 1)
            assert outcome.status == 1
            assert "no space is left" in outcome.err
            assert "written before that: 3 frames" in outcome.err
            assert sorted(path.name for path in small.iterdir()) == ["1.npy", "2.npy", "3.npy"]
            outcome = call("frames", "in.mp4", "-o", "small/all.npy", "-d", 1)
            assert "no space is left" in outcome.message
            assert not (small / "all.npy").exists()
        finally:
            subprocess.run(["umount", "-l", small], check=True)

    def test_a_folder_that_is_a_file(self, folder: Path) -> None:
        outcome = call("frames", "in.mp4", "-o", "in.mp4/%d.png", "-d", 1)
        assert outcome.status in (1, 2)
        assert "in.mp4" in outcome.message

    @pytest.mark.skipif(sys.platform == "win32", reason="signals")
    def test_an_interrupt_leaves_whole_files_only(self, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        argv = [sys.executable, "-m", "ffzero", "frames", "in.mp4", "-o", "out/%04d.png", "--size", "1280x"]
        process = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (folder / "out/0003.png").exists():
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "interrupted" in said
        names = sorted(path.name for path in (folder / "out").iterdir())
        assert 3 <= len(names) < 2000
        assert names == [f"{number:04d}.png" for number in range(1, len(names) + 1)]
        assert pixels(folder / "out" / names[-1]).shape == (720, 1280, 3)
