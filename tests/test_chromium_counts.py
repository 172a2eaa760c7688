"""Chromium decodes rendered cuts, joins and removals whole: all of libavcodec's pictures, bit for bit and on time.

Played fast, its decoder counts all pictures of a file. Played slowly, the planes of each picture on the screen are held
against those of libavcodec. An output may cause no complaint that its source does not: the source is the control.

By default made files of H.264, VP9 and AV1; ``--exhaustive`` plays what ``test_render_cuts`` writes of every file, and
looks at the pictures of a cut, a join and a removal of each.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import pytest

import ffzero
from support import media
from support.chromium import Chromium, Played
from support.encoding import ffmpeg
from support.players import CHROMIUM, need
from support.rendering import drawn_ranges, pictures

RATES = (1, 0.5, 0.25)
"""Each slower one is for the pictures that a busy browser passed over at the one before; a wrong file stays wrong."""
PLANAR = frozenset({"I420", "I422", "I444", "I420P10", "I422P10", "I444P10", "I420P12", "I422P12", "I444P12"})
"""Pixel formats whose bytes lie as in libavcodec's planes."""
SLACK_US = 2
MOST_SOUGHT = 60
LOOKED_AT = ("cut-0", "join-0", "removal")
FILES = ("h264_one_gop.mp4", "h264_open_gop.mp4", "av1_10bit.mp4")
VP9 = "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -g 25 -b:v 600k -pix_fmt"
X264 = "-c:v libx264 -preset veryfast -g 25 -pix_fmt"
CODED = {
    "vp9": f"{VP9} yuv420p",
    "vp9 4:4:4": f"{VP9} yuv444p",
    "vp9 10 bits": f"{VP9} yuv420p10le",
    "vp9 4:2:2, 12 bits": f"{VP9} yuv422p12le",
    "av1": "-c:v libsvtav1 -preset 12 -g 25 -svtav1-params log-level=1 -pix_fmt yuv420p",
    "h264, deep": f"{X264} yuv420p -bf 7 -b_strategy 0 -x264-params b-pyramid=normal:open-gop=1",
    "h264 4:2:2, 10 bits": f"{X264} yuv422p10le",
    "h264 baseline": f"{X264} yuv420p -profile:v baseline",
}
"""Coded for this test, the first of them by default."""
SHORT = {
    "cut": [(Fraction(13, 10), Fraction(21, 10))],
    "join": [(Fraction(13, 10), Fraction(2)), (Fraction(13, 25), Fraction(6, 5))],
    "removal": [(Fraction(0), Fraction(33, 50)), (Fraction(27, 10), Fraction(17, 5))],
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    need(CHROMIUM)
    with Chromium() as chromium:
        yield chromium


@functools.cache
def control(browser: Chromium, path: Path) -> Played:
    """What the source does: the first answer that is no error, for a busy browser's sake."""
    length_s = float(times_of(path)[-1])
    for _ in RATES:
        played = browser.play(path, length_s=length_s)
        if not played.error:
            break
    return played


@functools.cache
def times_of(path: Path) -> tuple[Fraction, ...]:
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic)
        stream.thread_type = "AUTO"
        return tuple(sorted(frame.pts * frame.time_base for frame in container.decode(stream)))


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    @functools.cache
    def make(name: str) -> Path:
        path = tmp_path_factory.mktemp("coded") / "source.mp4"
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=192x108:r=25:d=4", *CODED[name].split(), path)
        return path

    return make


@pytest.mark.timeout(300)
def test_chromium_shows_every_picture(
    name: str, kind: str, browser: Chromium, tmp_path: Path, coded: Callable[[str], Path]
) -> None:
    source = coded(name) if name in CODED else media.Media(name=name).path()
    output = written(source, SHORT[kind], tmp_path)
    assert control(browser, source).decoded == len(times_of(source))
    assert problems(browser, source, output, look=True) == []


def test_what_is_not_a_whole_video_is_found_out(
    browser: Chromium, coded: Callable[[str], Path], tmp_path: Path
) -> None:
    vp9 = coded("vp9")
    output = written(vp9, SHORT["cut"], tmp_path)
    data = bytearray(output.read_bytes())
    data[-2000:] = bytes(2000)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    assert problems(browser, vp9, damaged, look=False, truth=output, rates=(1,))
    other = written(vp9, [(Fraction(7, 5), Fraction(11, 5))], tmp_path)
    assert problems(browser, vp9, other, look=True, truth=output, rates=(1,))


def test_pictures_are_held_against_those_wanted() -> None:
    wanted = {0: "a", 40_000: "b"}
    assert not list(picture_problems(wanted, {0: "a", 40_001: "b"}, planar=True))
    assert not list(picture_problems(wanted, {0: "a", 40_001: "c"}, planar=False))
    for wrong in ({0: "a"}, {0: "a", 40_003: "b"}, {0: "a", 40_000: "c"}, {0: "a", 20_000: "a", 40_000: "b"}):
        assert list(picture_problems(wanted, wrong, planar=True)), wrong


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    whole = metafunc.config.getoption("--exhaustive")
    if {"name", "kind"} <= set(metafunc.fixturenames):
        names = [*FILES, *(list(CODED) if whole else list(CODED)[:1])]
        metafunc.parametrize(("name", "kind"), [(name, kind) for name in names for kind in SHORT])
    if "item" in metafunc.fixturenames:
        kinds = [*(f"cut-{n}" for n in range(10)), *(f"join-{n}" for n in range(3)), "removal"]
        params = [
            pytest.param(item, kind, id=f"{item.name}-{kind}", marks=pytest.mark.xdist_group(item.name))
            for item in (media.playable() if whole else ())
            for kind in kinds
            if not item.key
        ]
        metafunc.parametrize(("item", "kind"), params)


@pytest.mark.timeout(600)
def test_chromium_shows_every_picture_of_every_file(
    item: media.Media, kind: str, browser: Chromium, tmp_path: Path
) -> None:
    known = control(browser, item.path())
    if not known.decoded and "DECODE" not in (known.error or ""):  # some it can, but not by the source's edits
        pytest.skip(f"Chromium cannot play the source either: {known.error or 'no picture'}")
    output = written(item.path(), drawn_ranges(item, kind, times_of(item.path())), tmp_path)
    assert problems(browser, item.path(), output, look=kind in LOOKED_AT) == []


def written(source: Path, ranges: list[tuple[Fraction, Fraction]], folder: Path) -> Path:
    """Write ``ranges`` of ``source`` one after another, nothing of them hidden."""
    output = folder / f"out-{ranges[0][0].numerator}{source.suffix}"
    with ffzero.open(source) as movie:
        ffzero.concat([movie[start:end] for start, end in ranges]).write(output, boundary="render")
    return output


def problems(
    browser: Chromium,
    source: Path,
    output: Path,
    *,
    look: bool,
    truth: Path | None = None,
    rates: Sequence[float] = RATES,
) -> list[str]:
    """Return where Chromium's ``output`` differs from libavcodec's ``truth``, the same file unless given."""
    wanted = dict(wanted_pictures(truth or output))
    length_s = max(wanted) / 1_000_000
    seen: dict[int, str] = {}
    found: list[str] = []
    for rate in rates:
        played = browser.play(output, look=look, rate=rate if look else 16, length_s=length_s)
        seen.update(played.pictures)
        found = list(played_problems(played, control(browser, source).complaints, len(wanted)))
        if look and not played.error:
            seen.update(sought(browser, output, wanted, seen))
            found += picture_problems(wanted, seen, planar=played.pixel_format in PLANAR)
        if not found:
            break
    return found


def sought(browser: Chromium, output: Path, wanted: dict[int, str], seen: dict[int, str]) -> Iterator[tuple[int, str]]:
    """Seek to the pictures passed over in playing, some of which last a fraction of a millisecond."""
    times = sorted(wanted)
    shown = {near for time in seen for near in range(time - SLACK_US, time + SLACK_US + 1)}
    missed = [n for n, time in enumerate(times) if time not in shown]
    ends = {n: times[n + 1] if n + 1 < len(times) else times[n] + 1000 for n in missed}
    spots = [Fraction(times[n] + ends[n], 2_000_000) for n in missed[:MOST_SOUGHT]]
    found = browser.visit(output, spots) if spots else {}
    for time, digest in found.items():
        if any(digest == wanted[times[n]] and abs(time - times[n]) <= SLACK_US for n in missed):
            yield time, digest


def wanted_pictures(path: Path) -> Iterator[tuple[int, str]]:
    """Yield time (µs) and digest of each picture, as libavcodec decodes them."""
    for picture in pictures(path):
        yield round(picture.time * 1_000_000), hashlib.sha1(b"".join(map(bytes, picture.planes))).hexdigest()


def played_problems(played: Played, known: frozenset[str], count: int) -> Iterator[str]:
    if played.error:
        yield played.error
    elif played.decoded != count:
        yield f"{played.decoded} pictures decoded, {count} by libavcodec"
    yield from sorted(played.complaints - known)


def picture_problems(wanted: dict[int, str], seen: dict[int, str], *, planar: bool) -> Iterator[str]:
    """Yield where ``seen`` differs from ``wanted``: times, and pictures where their bytes can be compared."""
    if len(wanted) != len(seen):
        yield f"{len(seen)} pictures shown, {len(wanted)} by libavcodec"
        return
    for (time, digest), (shown, shown_digest) in zip(sorted(wanted.items()), sorted(seen.items()), strict=True):
        if abs(shown - time) > SLACK_US:
            yield f"the picture at {time} µs is shown at {shown} µs"
        elif planar and digest != shown_digest:
            yield f"at {time} µs there is another picture"
