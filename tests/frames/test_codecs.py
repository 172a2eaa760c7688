"""Each codec, bit depth and chroma format that can be coded anew: pictures made by FFmpeg, rendered, looked at."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ffzero.errors import UnsupportedError
from support.media import ffmpeg_exe
from support.renders import decode, entry_of_coded, job_at, opened, render, source_samples

NOISY = "testsrc2=s=192x108:r=25:d=1.4,noise=alls=10:allf=t"
X264 = "-c:v libx264 -preset veryfast -g 10 -bf 2"
X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=10:bframes=2"
BT2020 = "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc"
MPEG = "-g 10 -bf 2 -q:v 4"
KINDS = {
    **{f"h264 {p}.mp4": f"{X264} -pix_fmt {p}" for p in ("yuv420p", "yuv422p", "yuv444p", "gray")},
    **{f"h264 {p}.mp4": f"{X264} -pix_fmt {p}" for p in ("yuv420p10le", "yuv422p10le", "yuv444p10le")},
    "h264 baseline.mp4": f"{X264} -pix_fmt yuv420p -profile:v baseline",
    "h264 main.mp4": f"{X264} -pix_fmt yuv420p -profile:v main",
    "h264 full range anamorphic.mp4": f"{X264} -pix_fmt yuvj420p -vf setsar=4/3 {BT2020}",
    "h264 top field first.mp4": f"{X264} -pix_fmt yuv420p -flags +ildct+ilme -vf setfield=tff -x264-params tff=1",
    "h264 bottom field first.mp4": f"{X264} -pix_fmt yuv420p -flags +ildct+ilme -vf setfield=bff -x264-params bff=1",
    "h264 intra.mp4": "-c:v libx264 -preset veryfast -g 1 -pix_fmt yuv420p",
    "h264 rgb.mp4": "-c:v libx264rgb -preset veryfast -g 10 -pix_fmt rgb24",
    **{f"hevc {p}.mp4": f"{X265} -pix_fmt {p} -tag:v hvc1" for p in ("yuv420p", "yuv422p", "yuv444p")},
    **{f"hevc {p}.mp4": f"{X265} -pix_fmt {p} -tag:v hev1" for p in ("yuv420p10le", "yuv422p10le", "yuv444p10le")},
    "hevc 12 bit.mp4": f"{X265} -pix_fmt yuv420p12le -tag:v hvc1 {BT2020}",
    "vp9 profile 0.mp4": "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -g 10 -b:v 600k -pix_fmt yuv420p",
    "vp9 profile 1.mp4": "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -g 10 -b:v 600k -pix_fmt yuv444p",
    "vp9 profile 2.mp4": "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -g 10 -b:v 600k -pix_fmt yuv420p10le",
    "vp9 profile 3.mp4": "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -g 10 -b:v 600k -pix_fmt yuv422p12le",
    "av1 8 bit.mp4": "-c:v libsvtav1 -preset 12 -g 10 -pix_fmt yuv420p",
    "av1 10 bit.mp4": f"-c:v libsvtav1 -preset 12 -g 10 -pix_fmt yuv420p10le {BT2020}",
    "mpeg2.mp4": f"-c:v mpeg2video {MPEG} -pix_fmt yuv420p",
    "mpeg2 422.mov": f"-c:v mpeg2video {MPEG} -pix_fmt yuv422p",
    "mpeg2 interlaced.mov": f"-c:v mpeg2video {MPEG} -pix_fmt yuv420p -flags +ildct+ilme -vf setfield=tff",
    "mpeg4.mp4": f"-c:v mpeg4 {MPEG}",
    "prores proxy.mov": "-c:v prores_ks -profile:v 0",
    "prores hq.mov": "-c:v prores_ks -profile:v 3",
    "prores 4444.mov": "-c:v prores_ks -profile:v 4 -pix_fmt yuv444p10le",
    "mjpeg.mov": "-c:v mjpeg -q:v 3 -pix_fmt yuvj422p",
    "png.mov": "-c:v png",
}
REFUSED = {
    "cineform.mov": ("-c:v cfhd -pix_fmt yuv422p10le", "cfhd"),
    "ffv1.mp4": ("-c:v ffv1", "ffv1"),
}


def made(folder: Path, name: str, options: str) -> Path:
    path = folder / name
    filters = options.split("-vf ")[1].split()[0] if "-vf " in options else "null"
    options = options.replace(f"-vf {filters}", "")
    argv = [ffmpeg_exe(), "-nostdin", "-v", "error", "-f", "lavfi", "-i", f"{NOISY},{filters}", *options.split()]
    subprocess.run([*argv, str(path)], check=True, timeout=60, capture_output=True)
    return path


@pytest.mark.parametrize("name", KINDS)
def test_rendered_pictures_are_near_and_alike(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    media = opened(made(tmp_path, name, KINDS[name]))
    (track,) = media.box.tracks
    job = job_at(media, track, 0.5, 6)
    coded = render(job)
    assert capfd.readouterr() == ("", "")
    entry = track.entries[0]
    source = {p.pts: p for p in decode(entry, source_samples(job, job.decode_first, job.decode_stop))}
    got = decode(entry_of_coded(job, coded), list(zip(coded.pts, coded.samples, strict=True)))
    assert [picture.pts for picture in got] == list(coded.pts)
    assert len(got) == job.frames == len(coded.pts)
    assert [picture.kind for picture in got] == [source[pts].kind for pts in coded.pts]
    assert min(picture.psnr_db(source[picture.pts]) for picture in got) >= 45
    assert not coded.warnings
    if coded.entry is not None:
        assert coded.entry[4:8] == entry.raw[4:8]


@pytest.mark.parametrize("name", KINDS)
def test_another_encoder_takes_over(tmp_path: Path, name: str, poor: Callable[..., list[int]]) -> None:
    seen: list[int] = []
    begun = poor(lambda attempt, number: number == 3 and not seen and not seen.append(attempt))
    media = opened(made(tmp_path, name, KINDS[name]))
    job = job_at(media, media.box.tracks[0], 0.5, 6)
    coded = render(job)
    source = {p.pts: p for p in decode(job.track.entries[0], source_samples(job, job.decode_first, job.decode_stop))}
    got = decode(entry_of_coded(job, coded), list(zip(coded.pts, coded.samples, strict=True)))
    assert [picture.pts for picture in got] == list(coded.pts) and len(got) == job.frames
    assert min(picture.psnr_db(source[picture.pts]) for picture in got) >= 35
    assert begun == list(range(len(begun)))
    assert 3 in coded.sync or len(begun) == seen[0] + 1, "a picture was not coded anew"


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_matched_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    options, reason = REFUSED[name]
    media = opened(made(tmp_path, name, options))
    with pytest.raises(UnsupportedError, match=reason):
        render(job_at(media, media.box.tracks[0], 0.5, 3))
