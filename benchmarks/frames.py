"""Frames in Python: every frame, a round trip, random times and a slow function, beside seven other libraries.

Each has an environment of its own, made here with pinned versions; ``FFZERO_BENCH_ENVIRONMENTS`` names a folder where
they are kept for the next time. All run in turns. CPU and wall time are taken inside each process, once its imports are
done: importing torch takes longer than a short video.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import venv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.frame_work import MARK_BITS
from benchmarks.measure import environment
from benchmarks.media import ffmpeg
from benchmarks.places import Place
from benchmarks.report import Section, Target, megabytes, seconds
from benchmarks.scales import Scale

__all__ = ["measure_frames"]

_NUMPY = "numpy==2.4.6"
_FFMPEG = "imageio-ffmpeg==0.8.1"
_PEERS = {
    "imageio": ("imageio==2.38.1", _FFMPEG, _NUMPY),
    "moviepy": ("moviepy==2.2.1", _FFMPEG, _NUMPY),
    "opencv": ("opencv-python-headless==5.0.0.93", _NUMPY),
    "decord": ("decord==0.6.0", _NUMPY),
    "ffmpeg_python": ("ffmpeg-python==0.2.0", _FFMPEG, _NUMPY),
    "torchcodec": ("torchcodec==0.17.0", "torch==2.14.1", "av==18.1.0", _NUMPY),
}
_HUGE = {"torchcodec": "its environment takes five gigabytes"}
_WORK = Path(__file__).with_name("frame_work.py")
_RATE = 25
_TIMEOUT_S = 900
_SAMPLING_S = 0.03
_HEADER = ("", "CPU a frame", "frames/s", "× CPU", "× wall", "peak memory")

_DECODE = (
    "pyav_decode", "ffzero_yuv", "ffzero_rgb", "ffzero_rgb_one_thread", "pipe_yuv", "pipe_rgb", "imageio_rgb",
    "moviepy_rgb", "opencv_rgb", "decord_rgb", "torchcodec_rgb", "torchcodec_rgb_threads", "torchcodec_ranges",
)  # fmt: skip
_ROUND = ("ffmpeg_round", "ffzero_round", "imageio_round", "moviepy_round", "ffmpeg_python_round")
_RANDOM = ("ffzero_random", "ffzero_random_together", "decord_random", "opencv_random", "torchcodec_random")
_PARALLEL = ("ffzero_one_core", "ffzero_one", "ffzero_two")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The medians of a way's runs; ``found`` is what its first run said."""

    name: str
    cpu_s: float
    wall_s: float
    peak_bytes: int
    found: Any


class _Environments:
    """Makes the environments; ``missing`` says which could not be had, and why."""

    def __init__(self, folder: Path, tell: Callable[[str], None], *, small: bool) -> None:
        self._folder = Path(os.environ.get("FFZERO_BENCH_ENVIRONMENTS", folder / "environments"))
        self._programs: dict[str, str | None] = {}
        self._tell = tell
        self._small = small
        self.missing: dict[str, str] = {}

    def program(self, way: str) -> str | None:
        """Return the Python to run a way with; ``None`` where its library cannot be installed here."""
        library = next((name for name in _PEERS if way.startswith(name + "_")), None)
        if library is None:
            return sys.executable
        if library not in self._programs:
            self._programs[library] = self._made(library)
        return self._programs[library]

    def _made(self, library: str) -> str | None:
        wanted = " ".join(_PEERS[library])
        folder = self._folder / library
        python, stamp = folder / "bin" / "python", folder / "installed.txt"
        if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
            return str(python)
        if self._small and library in _HUGE:
            self.missing[library] = f"left out at this scale: {_HUGE[library]}"
            return None
        self._tell(f"installing {wanted}")
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
        done = subprocess.run([*pip, *_PEERS[library]], capture_output=True, text=True, check=False)
        if done.returncode:
            self.missing[library] = f"{wanted} cannot be installed: {done.stderr.strip()[-200:]}"
            return None
        if library == "torchcodec":
            _lend_libraries(folder)
        stamp.write_text(wanted, encoding="utf-8")
        return str(python)

    def libraries(self, program: str) -> Mapping[str, str]:
        """Return what else a way's environment variables say."""
        lent = Path(program).parents[1] / "lent"
        return {"LD_LIBRARY_PATH": str(lent)} if lent.is_dir() else {}


def _lend_libraries(folder: Path) -> None:
    """Give TorchCodec, which brings no FFmpeg, the one in PyAV's wheel, under the names that it looks for."""
    lent = folder / "lent"
    lent.mkdir()
    for library in folder.glob("lib/python*/site-packages/av.libs/*"):
        (lent / library.name).symlink_to(library)
        if library.name.startswith(("libav", "libsw")):
            stem, _, rest = library.name.partition("-")
            major = rest.partition(".so.")[2].partition(".")[0]
            with contextlib.suppress(FileExistsError):
                (lent / f"{stem}.so.{major}").symlink_to(library)


def measure_frames(scale: Scale, place: Place, tell: Callable[[str], None]) -> tuple[list[Section], list[str]]:
    """Return the sections, and what was not measured and why."""
    environments = _Environments(place.folder, tell, small=scale.frames < 500)
    bench = _Bench(scale, place, environments, tell)
    sections = [bench.decoding(megabits) for megabits in scale.frame_megabits]
    sections += [bench.round_trip(), bench.random_access(), bench.parallel()]
    return sections, [f"{name}: {why}" for name, why in environments.missing.items()]


class _Bench:
    def __init__(self, scale: Scale, place: Place, environments: _Environments, tell: Callable[[str], None]) -> None:
        self._scale, self._folder, self._tell = scale, place.folder, tell
        self._environments = environments
        self._size = scale.pictures[-1].size

    def _video(self, megabits: float) -> Path:
        video = self._folder / f"frames{megabits:g}.mp4"
        if not video.exists():
            self._tell(f"coding the video of the frames, {megabits:g} Mb/s")
            noise = f"testsrc2=size={self._size}:rate={_RATE},noise=alls=8:allf=t"
            _code(video, noise, self._scale.frames, f"-preset veryfast -b:v {megabits}M -g 50")
        return video

    def decoding(self, megabits: float) -> Section:
        results = self._in_turns(_DECODE, self._video(megabits))
        self._counted(results, self._scale.frames)
        limit = results["pyav_decode"]
        return Section(
            title=f"Every frame of {self._scale.frames} ({self._size} H.264, {megabits:g} Mb/s) to arrays",
            header=_HEADER,
            rows=[self._row(result, limit, self._scale.frames) for result in results.values()],
            notes=("× is against decoding alone (PyAV, AUTO threads): 1 is the limit, lower is dearer",),
            targets=_decode_targets(results, f" at {megabits:g} Mb/s"),
            data={"frames": _data(results)},
        )

    def round_trip(self) -> Section:
        frames = self._scale.frames // 3
        source = self._folder / "round.mp4"
        _code(source, f"testsrc2=size={self._size}:rate={_RATE}", frames, "-preset veryfast -crf 20 -g 50")
        output = self._folder / "turned.mp4"
        more = (json.dumps(str(output)), *self._size.split("x"), str(_RATE))
        results = self._in_turns(_ROUND, source, *more)
        self._counted(results, frames)
        peer, mine = results["ffmpeg_round"], results["ffzero_round"]
        targets = [
            Target(name="round trip: CPU", value=mine.cpu_s / peer.cpu_s, limit=1.05, unit="× ffmpeg"),
            Target(name="round trip: wall", value=mine.wall_s / peer.wall_s, limit=1.05, unit="× ffmpeg"),
        ]
        for name in ("moviepy", "imageio", "ffmpeg_python"):
            targets += _ahead(f"round trip beside {name}", mine, results.get(f"{name}_round"), 1.35)
        return Section(
            title=f"Decode, invert, code with x264 veryfast: {frames} frames of {self._size}",
            header=_HEADER,
            rows=[self._row(result, peer, frames) for result in results.values()],
            notes=("× is against FFmpeg's own filter; ffzero inverts luma in place, pipes of RGB invert RGB",),
            targets=targets,
            data={"round_trip": _data(results)},
        )

    def random_access(self) -> Section:
        source, length = self._folder / "marked.mp4", self._scale.frames
        _code(source, _marked(self._size), length, "-preset veryfast -crf 23 -g 250 -keyint_min 250 -sc_threshold 0")
        chosen = random.Random(5).sample(range(length), min(100, length))
        # The middle of each picture's time: no library's rounding is put to the test, only what it decodes.
        times = [(number + 0.5) / _RATE for number in chosen]
        results = self._in_turns(_RANDOM, source, json.dumps(times))
        wrong = {
            name: sum(1 for a, b in zip(result.found, chosen, strict=True) if a != b)
            for name, result in results.items()
        }
        mine = results["ffzero_random"]
        targets = [Target(name="random access: wrong frames", value=wrong["ffzero_random"], limit=0, unit="frames")]
        for name in ("decord", "opencv"):
            if (other := results.get(f"{name}_random")) is not None:
                ratio = other.wall_s / mine.wall_s
                targets.append(
                    Target(name=f"random access beside {name}", value=ratio, limit=1, unit="× wall", at_least=True)
                )
        return Section(
            title=f"{len(chosen)} frames at random times, one after another, {self._size}, GOP 250",
            header=_HEADER,
            rows=[self._row(result, mine, len(chosen)) for result in results.values()],
            notes=(
                *(f"{name}: {count} wrong of {len(chosen)}" for name, count in wrong.items()),
                "numbers are coded in the pictures and read from what came; 'together' asks for all at once",
            ),
            targets=targets,
            data={"random": _data(results), "wrong": wrong},
        )

    def parallel(self) -> Section:
        results = self._in_turns(
            _PARALLEL, self._video(self._scale.frame_megabits[0]), json.dumps(self._scale.frames / _RATE)
        )
        self._counted(results, self._scale.frames)
        one, two = results["ffzero_one_core"], results["ffzero_two"]
        return Section(
            title=f"12 ms of numpy on each of {self._scale.frames} frames, in one process and in two",
            header=_HEADER,
            rows=[self._row(result, one, self._scale.frames) for result in results.values()],
            notes=(
                "'one' decodes on all cores while the function runs on one; 'two' are given halves of the file by name,"
                " their start is not counted",
            ),
            targets=[
                Target(name="two processes", value=one.wall_s / two.wall_s, limit=1.8, unit="× one core", at_least=True)
            ],
            data={"parallel": _data(results)},
        )

    def _in_turns(self, ways: Sequence[str], source: Path, *more: str) -> dict[str, Result]:
        """Run the ways in turns; the first round does not count. A way that fails is told of and left out."""
        runs: dict[str, list[dict[str, Any]]] = {}
        for turn in range(self._scale.frame_repeats + 1):
            shift = turn % len(ways)
            for way in (*ways[shift:], *ways[:shift]):
                program = self._environments.program(way)
                if program is None or way in self._environments.missing:
                    continue
                self._tell(f"{way}, round {turn} of {self._scale.frame_repeats}")
                try:
                    runs.setdefault(way, []).append(self._run(program, way, source, *more))
                except RuntimeError as error:
                    self._environments.missing[way] = str(error)
                    runs.pop(way, None)
        ordered = {way: runs[way] for way in ways if way in runs}
        return {way: _median(way, done[1:] or done) for way, done in ordered.items()}

    def _run(self, program: str, way: str, source: Path, *more: str) -> dict[str, Any]:
        variables = {**environment(), **self._environments.libraries(program)}
        if program != sys.executable:
            variables.pop("PYTHONPATH", None)  # nothing of this environment
        argv = [program, str(_WORK), way, str(source), *more]
        with (
            subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables
            ) as process,
            _Memory(process.pid) as memory,
        ):
            try:
                said, complaint = process.communicate(timeout=_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise RuntimeError(f"took longer than {_TIMEOUT_S} s") from None
        if process.returncode:
            raise RuntimeError(f"failed with status {process.returncode}: {complaint.strip()[-300:]}")
        facts: dict[str, Any] = json.loads(said.splitlines()[-1])
        return {**facts, "peak_bytes": memory.peak_bytes}

    def _counted(self, results: Mapping[str, Result], frames: int) -> None:
        for name, result in results.items():
            if name.startswith(("ffzero_", "pyav_", "ffmpeg_round")) and result.found != frames:
                raise RuntimeError(f"{name} gave {result.found} frames, not {frames}")

    def _row(self, result: Result, peer: Result, frames: int) -> tuple[str, ...]:
        short = "" if not isinstance(result.found, int) or result.found == frames else f" ({result.found} frames)"
        return (
            result.name.replace("_", " ") + short,
            seconds(result.cpu_s / frames),
            f"{frames / result.wall_s:.0f}" if result.wall_s < frames else f"{frames / result.wall_s:.2g}",
            f"{peer.cpu_s / result.cpu_s:.2f}",
            f"{peer.wall_s / result.wall_s:.2f}",
            megabytes(result.peak_bytes),
        )


def _decode_targets(results: Mapping[str, Result], where: str) -> list[Target]:
    limit, yuv, rgb = (results[name] for name in ("pyav_decode", "ffzero_yuv", "ffzero_rgb"))
    targets = [
        Target(name=f"yuv{where}: CPU", value=yuv.cpu_s / limit.cpu_s, limit=1.03, unit="× decoding alone"),
        Target(name=f"rgb{where}: CPU", value=rgb.cpu_s / limit.cpu_s, limit=1.12, unit="× decoding alone"),
    ]
    for way, least in (
        ("torchcodec_rgb", 1.0), ("torchcodec_ranges", 1.2), ("decord_rgb", 1.2), ("imageio_rgb", 1.4),
        ("moviepy_rgb", 1.4),
    ):  # fmt: skip
        targets += _ahead(f"rgb{where} beside {way.removesuffix('_rgb')}", rgb, results.get(way), least)
    # TorchCodec decodes on one thread unless told, which takes less CPU and longer: like is held beside like too.
    one, many = results["ffzero_rgb_one_thread"], results.get("torchcodec_rgb_threads")
    targets += _ahead(f"rgb{where} on one thread beside torchcodec", one, results.get("torchcodec_rgb"), 1.0)
    return targets + _ahead(f"rgb{where} beside torchcodec on all threads", rgb, many, 1.0)


def _ahead(name: str, mine: Result, other: Result | None, least: float) -> list[Target]:
    """Return the targets of being so many times cheaper and quicker; none where the other was not measured."""
    if other is None:
        return []
    return [
        Target(name=f"{name}: CPU", value=other.cpu_s / mine.cpu_s, limit=least, unit="×", at_least=True),
        Target(name=f"{name}: wall", value=other.wall_s / mine.wall_s, limit=least, unit="×", at_least=True),
    ]


def _median(name: str, runs: Sequence[Mapping[str, Any]]) -> Result:
    return Result(
        name=name,
        cpu_s=statistics.median(run["cpu_s"] for run in runs),
        wall_s=statistics.median(run["wall_s"] for run in runs),
        peak_bytes=max(run["peak_bytes"] for run in runs),
        found=runs[0]["found"],
    )


def _data(results: Mapping[str, Result]) -> dict[str, Any]:
    names = ("cpu_s", "wall_s", "peak_bytes")
    return {way: {name: getattr(result, name) for name in names} for way, result in results.items()}


def _code(output: Path, picture: str, frames: int, coding: str) -> None:
    """Code ``frames`` generated pictures as H.264."""
    form = ("-frames:v", str(frames), "-c:v", "libx264", "-pix_fmt", "yuv420p")
    ffmpeg("-f", "lavfi", "-i", picture, *form, *coding.split(), output)


def _marked(size: str) -> str:
    """Return a source of moving pictures that carry their number as squares along the upper edge."""
    side = int(size.partition("x")[0]) // MARK_BITS
    bits = "".join(
        f",drawbox=x={side * place}:y=0:w={side}:h={side}:t=fill:color=white"
        f":enable='gte(mod(n,{2 << place}),{1 << place})'"
        for place in range(MARK_BITS)
    )
    return f"testsrc2=size={size}:rate={_RATE},drawbox=x=0:y=0:w=iw:h={side}:t=fill:color=black{bits}"


class _Memory:
    """Follows the resident memory of a process and all below it while it is entered (Linux)."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self.peak_bytes = 0

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _follow(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while not self._done.wait(_SAMPLING_S):
            self.peak_bytes = max(self.peak_bytes, self._pages(self._process) * page)

    def _pages(self, process: int) -> int:
        folder, pages = Path(f"/proc/{process}"), 0
        with contextlib.suppress(OSError, ValueError, IndexError):
            pages = int((folder / "statm").read_text().split()[1])
            for task in (folder / "task").iterdir():
                pages += sum(self._pages(int(child)) for child in (task / "children").read_text().split())
        return pages
