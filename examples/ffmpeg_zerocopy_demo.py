"""The FFmpeg integration at work: python examples/ffmpeg_zerocopy_demo.py [cut] [concat] [stream] [factory] [quality]

It makes a sample of 80 s in a new temporary folder, does the jobs that are named (all of them, where none is), prints
what each cost, and removes the folder; --keep leaves it. In the checkout's root, the same names can also be imported
from src.exporters.ffmpeg_zerocopy.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imageio_ffmpeg

from ffzero import (
    FFmpegCodec,
    FFmpegPreset,
    FFmpegSettings,
    VideoCutProcessor,
    concat_videos,
    create_ffmpeg_pipeline,
    create_streaming_ffmpeg_pipeline,
    cut_video,
    generate_video_segments,
)

SECONDS = 80


def make_sample(path: Path) -> None:
    """Code 80 s of a test picture and a tone, with a keyframe every 2 s."""
    picture = f"testsrc2=size=640x360:rate=25:duration={SECONDS}"
    tone = f"sine=frequency=440:sample_rate=48000:duration={SECONDS}"
    coding = (
        "-c:v libx264 -preset ultrafast -crf 18 -bf 2 -g 50 -keyint_min 50 -sc_threshold 0 -pix_fmt yuv420p -c:a aac"
    )
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-f", "lavfi", "-i", picture]
    subprocess.run([*command, "-f", "lavfi", "-i", tone, *coding.split(), str(path)], check=True)


def tell(what: str, result: object, began_s: float) -> None:
    """Print one line: the work, its time, and where the output's bytes come from."""
    elapsed_ms = (time.perf_counter() - began_s) * 1000
    parts = (("shared", result.bytes_shared), ("copied", result.bytes_copied), ("coded", result.bytes_rendered))
    bytes_of = ", ".join(f"{count:,} {name}" for name, count in parts if count)
    print(f"  {what:<34} {elapsed_ms:8.1f} ms  {result.bytes_total:>10,} bytes: {bytes_of}  {Path(result).name}")


def demo_cut(folder: Path, sample: Path) -> None:
    """A cut copies; with settings it is coded."""
    with create_ffmpeg_pipeline() as pipeline:
        began_s = time.perf_counter()
        tell("cut 10.5 s to 40.5 s, copied", pipeline.cut_video(sample, folder / "cut.mp4", 10.5, 30.0), began_s)

        pipeline.set_settings(FFmpegSettings(video_codec=FFmpegCodec.H264, preset=FFmpegPreset.VERYFAST, crf=23))
        began_s = time.perf_counter()
        tell("the same, coded with x264", pipeline.cut_video(sample, folder / "coded.mp4", 10.5, 30.0), began_s)


def demo_concat(folder: Path, sample: Path) -> None:
    """Parts that begin at keyframes join by copying."""
    parts = [cut_video(sample, folder / f"part{number}.mp4", 20 * number, 10) for number in range(3)]
    with create_ffmpeg_pipeline() as pipeline:
        began_s = time.perf_counter()
        tell("join three parts of 10 s, copied", pipeline.concat_videos(parts, folder / "combined.mp4"), began_s)


def demo_stream(folder: Path, sample: Path) -> None:
    """Segments are plans: thousands of them flow through the stages while nothing is read."""
    pipeline = create_streaming_ffmpeg_pipeline(chunk_size=20)
    pipeline.add_stage(VideoCutProcessor(start_time=0, duration=10))
    for segment in pipeline.process_stream(generate_video_segments(sample, chunk_size=20)):
        began_s = time.perf_counter()
        result = segment.write(folder / f"segment{segment.index}.mp4")
        tell(f"segment {segment.index}: its first 10 s", result, began_s)

    plans = create_streaming_ffmpeg_pipeline()
    plans.add_stage(VideoCutProcessor(0, 0.04)).add_stage(VideoCutProcessor(0, 0.02)).add_stage(length_of)
    began_s = time.perf_counter()
    count = sum(1 for _ in plans.process_stream(generate_video_segments(sample, chunk_size=0.04)))
    elapsed_s = time.perf_counter() - began_s
    print(f"  {count:,} segments through three stages, none written: {count / elapsed_s:,.0f} segments/s")


def length_of(segment: object) -> float:
    return float(segment.end - segment.start)


def demo_factory(folder: Path, sample: Path) -> None:
    """The same jobs as single calls."""
    began_s = time.perf_counter()
    first = cut_video(input_path=sample, output_path=folder / "first.mp4", start_time="0:10", duration=20)
    tell("cut_video", first, began_s)
    second = cut_video(input_path=sample, output_path=folder / "second.mp4", start_time="0:40", duration=20)
    began_s = time.perf_counter()
    tell("concat_videos", concat_videos([first, second], folder / "both.mp4"), began_s)


def demo_quality(folder: Path, sample: Path) -> None:
    """Quality against size: a lower crf keeps more."""
    for crf in (18, 23, 28):
        settings = FFmpegSettings(video_codec=FFmpegCodec.H264, preset=FFmpegPreset.VERYFAST, crf=crf)
        began_s = time.perf_counter()
        tell(f"10 s with crf {crf}", cut_video(sample, folder / f"crf{crf}.mp4", 0, 10, settings=settings), began_s)


DEMOS = {
    "cut": demo_cut,
    "concat": demo_concat,
    "stream": demo_stream,
    "factory": demo_factory,
    "quality": demo_quality,
}


def main(*names: str) -> None:
    keep = "--keep" in names
    chosen = [name for name in names if name != "--keep"] or list(DEMOS)
    unknown = [name for name in chosen if name not in DEMOS]
    if unknown:
        sys.exit(f"no demo {unknown[0]!r}; there are {', '.join(DEMOS)}")
    folder = Path(tempfile.mkdtemp(prefix="ffzero-demo-"))
    try:
        sample = folder / "sample.mp4"
        make_sample(sample)
        print(f"sample: {SECONDS} s, {sample.stat().st_size:,} bytes")
        for name in chosen:
            print(f"{name}: {DEMOS[name].__doc__}")
            DEMOS[name](folder, sample)
        if keep:
            print(f"the files are in {folder}")
    finally:
        if not keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
