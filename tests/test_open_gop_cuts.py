"""H.264 open groups of pictures without CABAC: what is cut and joined at them is exact, and no decoder complains."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

import ffzero
from support.media import ffmpeg_exe
from support.rendering import Picture, check_complaints, check_pictures, pictures

NOISE = "testsrc2=s=160x96:r=25:d=3,noise=alls=6:allf=t"
CAVLC = "cabac=0:open-gop=1:keyint=25:scenecut=0:b-adapt=0:"
KINDS = {
    "plain": CAVLC + "bframes=3",
    "slices": CAVLC + "bframes=3:ref=4:slices=3",
    "deep": CAVLC + "bframes=5:b-pyramid=strict:ref=6",
    "seven": CAVLC.replace("cabac=0", "cabac=1") + "bframes=7:b-pyramid=normal:ref=8",
}
CUTS = [[(0.92, 1.06)], [(0.5, 2.3)], [(0.3, 1.5), (0.7, 2.2)], [(1.04, 3)], [(0.96, 2.96)]]


@pytest.mark.parametrize("kind", KINDS)
def test_cuts_and_joins_are_exact(tmp_path: Path, kind: str) -> None:
    source, output = tmp_path / "in.mp4", tmp_path / "out.mp4"
    codec = ["-c:v", "libx264", "-preset", "fast", "-pix_fmt", "yuv420p", "-x264-params", KINDS[kind]]
    argv = [ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", NOISE, *codec, str(source)]
    subprocess.run(argv, check=True, timeout=60)
    shown = list(pictures(source))
    for ranges in CUTS:
        clip = ffzero.concat([ffzero.open(source)[start:end] for start, end in ranges])
        result = clip.write(output, boundary="render", overwrite=True)
        wanted: list[Picture] = []
        at = Fraction(0)
        for start, end in ranges:
            part = [one for one in shown if Fraction(start) <= one.time + Fraction(1, 10**6) < Fraction(end)]
            wanted += [Picture(time=at + one.time - part[0].time, planes=one.planes) for one in part]
            at += Fraction(end).limit_denominator(1000) - part[0].time
        problems = check_pictures(wanted, pictures(output), peak=255, rendered=result.frames_rendered)
        assert [*problems, *check_complaints([(source, None)], output)] == [], f"{ranges}\n{clip.plan('render')}"
