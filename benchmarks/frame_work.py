"""One contestant of ``benchmarks.frames`` in a process of its own: ``python frame_work.py WAY FILE [JSON [...]]``.

It runs in the contestant's own environment, so it imports nothing but what the way needs. Prints one JSON object.
"""

import importlib
import json
import os
import resource
import subprocess
import sys
import time

MARK_BITS = 16
"""The number of a picture stands in it as so many squares, white for 1, along its upper edge."""


def number_in(luma):
    """Return the number that a picture (height × width, of luma or any colour) carries."""
    side = luma.shape[1] // MARK_BITS
    row = luma[side // 2, side // 2 :: side][:MARK_BITS]
    return sum(1 << place for place, value in enumerate(row.reshape(len(row), -1)[:, 0].tolist()) if value > 127)


# Every frame: each takes the frame as an array and reads one sample of it.


def pyav_decode(path):
    import av

    count = 0
    with av.open(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        for _ in container.decode(video=0):
            count += 1
    return count


def ffzero_yuv(path):
    import ffzero

    return sum(1 for frame in ffzero.open(path).frames(format="yuv") if frame.planes[0][0, 0] >= 0)


def ffzero_rgb(path):
    import ffzero

    return sum(1 for frame in ffzero.open(path).frames() if frame.array[0, 0, 0] >= 0)


def ffzero_rgb_one_thread(path):
    import ffzero

    return sum(1 for frame in ffzero.open(path).frames(threads=1) if frame.array[0, 0, 0] >= 0)


def piped(path, form, samples):
    import av
    import imageio_ffmpeg
    import numpy as np

    with av.open(path) as container:
        stream = container.streams.video[0]
        size = int(stream.width * stream.height * samples)
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-i", path, "-f", "rawvideo"]
    buffer, count = np.empty(size, np.uint8), 0
    with subprocess.Popen([*argv, "-pix_fmt", form, "-"], stdout=subprocess.PIPE, bufsize=0) as process:
        view = memoryview(buffer)
        while True:
            got = 0
            while got < size and (more := process.stdout.readinto(view[got:])):
                got += more
            if got < size:
                return count
            count += 1


def pipe_yuv(path):
    return piped(path, "yuv420p", 1.5)


def pipe_rgb(path):
    return piped(path, "rgb24", 3)


def imageio_rgb(path):
    import imageio

    with imageio.get_reader(path, "ffmpeg") as reader:
        return sum(1 for frame in reader if frame[0, 0, 0] >= 0)


def moviepy_rgb(path):
    from moviepy import VideoFileClip

    with VideoFileClip(path, audio=False) as clip:
        return sum(1 for frame in clip.iter_frames() if frame[0, 0, 0] >= 0)


def opencv_rgb(path):
    import cv2

    capture, count = cv2.VideoCapture(path), 0
    while capture.read()[0]:
        count += 1
    return count


def decord_rgb(path):
    import decord

    reader = decord.VideoReader(path)
    return sum(1 for _ in range(len(reader)) if reader.next().asnumpy()[0, 0, 0] >= 0)


def torchcodec_rgb(path):
    from torchcodec.decoders import VideoDecoder

    return sum(1 for frame in VideoDecoder(path, dimension_order="NHWC") if int(frame[0, 0, 0]) >= 0)


def torchcodec_rgb_threads(path):
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(path, dimension_order="NHWC", num_ffmpeg_threads=0)
    return sum(1 for frame in decoder if int(frame[0, 0, 0]) >= 0)


def torchcodec_ranges(path):
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(path, dimension_order="NHWC")
    length = len(decoder)
    return sum(len(decoder.get_frames_in_range(at, min(at + 16, length)).data) for at in range(0, length, 16))


# Round trip: decode, invert the luma, x264 veryfast.


def ffzero_round(path, output):
    import numpy as np

    import ffzero

    settings = ffzero.FFmpegSettings(preset=ffzero.FFmpegPreset.VERYFAST, crf=23)
    count = 0
    with ffzero.open(path) as movie, ffzero.Writer(output, like=movie, settings=settings, overwrite=True) as writer:
        for frame in movie.frames(format="yuv", writable=True):
            np.subtract(255, frame.y, out=frame.y)
            writer.write(frame)
            count += 1
    return count


def ffmpeg_round(path, output):
    import imageio_ffmpeg

    coding = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-an", "-y", output]
    said = ["-nostdin", "-v", "error", "-i", path, "-vf", "negate=components=y"]
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), *said, *coding]
    subprocess.run(argv, check=True)
    return counted(output)


def counted(path):
    """Return how many packets a file has, from outside, so that nothing is decoded."""
    import imageio_ffmpeg

    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-stats", "-i", path, "-map", "0:v", "-c", "copy"]
    said = subprocess.run([*argv, "-f", "null", "-"], capture_output=True, text=True, check=True).stderr
    return int(said.rpartition("frame=")[2].split()[0])


def inverted(frame):
    """Return an RGB picture with its values inverted: what users of RGB do, as they have no luma."""
    import numpy as np

    return np.subtract(255, frame)


def imageio_round(path, output):
    import imageio

    reader = imageio.get_reader(path, "ffmpeg")
    rate = reader.get_meta_data()["fps"]
    options = ["-preset", "veryfast", "-crf", "23"]
    count = 0
    coding = {"fps": rate, "codec": "libx264", "output_params": options, "macro_block_size": 1}
    with imageio.get_writer(output, "ffmpeg", **coding) as to:
        for frame in reader:
            to.append_data(inverted(frame))
            count += 1
    return count


def moviepy_round(path, output):
    from moviepy import VideoFileClip

    options = ["-crf", "23"]
    with VideoFileClip(path, audio=False) as clip:
        made = clip.image_transform(inverted)
        made.write_videofile(output, codec="libx264", preset="veryfast", ffmpeg_params=options, logger=None)
        return clip.n_frames


def ffmpeg_python_round(path, output):
    import imageio_ffmpeg
    import numpy as np

    import ffmpeg

    program = imageio_ffmpeg.get_ffmpeg_exe()
    width, height, rate = sys.argv[4:7]  # pipes of raw pictures say none of these
    width, height = int(width), int(height)
    source = ffmpeg.input(path).output("pipe:", format="rawvideo", pix_fmt="rgb24", loglevel="error")
    shape = {"format": "rawvideo", "pix_fmt": "rgb24", "s": f"{width}x{height}", "r": rate}
    coding = {"vcodec": "libx264", "preset": "veryfast", "crf": 23, "pix_fmt": "yuv420p", "loglevel": "error"}
    reading = source.run_async(cmd=program, pipe_stdout=True)
    writing = ffmpeg.input("pipe:", **shape).output(output, **coding).overwrite_output().run_async(
        cmd=program, pipe_stdin=True
    )  # fmt: skip
    count = 0
    while data := reading.stdout.read(width * height * 3):
        frame = np.frombuffer(data, np.uint8).reshape(height, width, 3)
        writing.stdin.write(inverted(frame).tobytes())
        count += 1
    writing.stdin.close()
    reading.wait()
    writing.wait()
    return count


# Frames at random times, one request after another, as a data loader asks for them.


def random_numbers(times, get):
    return [number_in(get(time)) for time in times]


def ffzero_random(path, times):
    import ffzero

    movie = ffzero.open(path)
    return random_numbers(times, lambda time: movie.frame_at(time).array)


def ffzero_random_together(path, times):
    import ffzero

    return [number_in(frame.array) for frame in ffzero.open(path).frames_at(times)]


def decord_random(path, times):
    import decord

    reader = decord.VideoReader(path)
    rate = reader.get_avg_fps()
    return random_numbers(times, lambda time: reader[int(time * rate)].asnumpy())


def opencv_random(path, times):
    import cv2

    capture = cv2.VideoCapture(path)
    rate = capture.get(cv2.CAP_PROP_FPS)

    def get(time):
        capture.set(cv2.CAP_PROP_POS_FRAMES, int(time * rate))
        return capture.read()[1]

    return random_numbers(times, get)


def torchcodec_random(path, times):
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(path, dimension_order="NHWC")
    return random_numbers(times, lambda time: decoder.get_frame_played_at(time).data.numpy())


# A slow operation on every frame, in one process and in two.


def slow(frame):
    """Work for about 12 ms on one core."""
    import numpy as np

    until = time.thread_time() + 0.012
    values = np.asarray(frame)[::8, ::8].astype(np.float32)
    while time.thread_time() < until:
        values = np.sqrt(values * values + 1)
    return float(values.ravel()[0])


def part(job):
    import ffzero

    path, start, end = job
    return sum(1 for frame in ffzero.open(path).frames(start, end, format="yuv") if slow(frame.y) >= 0)


def ffzero_one_core(path, length_s):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    return part((path, 0, length_s))


def ffzero_one(path, length_s):
    return part((path, 0, length_s))


def ffzero_two(path, length_s):
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    half = length_s / 2
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        list(pool.map(part, [(path, 0, 0.2)] * 4))  # imports are not counted, here as elsewhere
        started = time.perf_counter()
        count = sum(pool.map(part, [(path, 0, half), (path, half, None)]))
        wall_s = time.perf_counter() - started
    return {"found": count, "wall_s": wall_s}


NEEDED = {
    "pyav": ("av",),
    "ffzero": ("ffzero.api", "ffzero.frames.reading.points", "ffzero.frames.writing.writer"),
    "pipe": ("av", "imageio_ffmpeg", "numpy"),
    "ffmpeg": ("imageio_ffmpeg",),
    "ffmpeg_python": ("ffmpeg", "imageio_ffmpeg", "numpy"),
    "imageio": ("imageio", "imageio.plugins.ffmpeg", "imageio_ffmpeg"),
    "moviepy": ("moviepy",),
    "opencv": ("cv2",),
    "decord": ("decord",),
    "torchcodec": ("torch", "torchcodec.decoders"),
}  # fmt: skip
"""What is imported before the clock starts, by the first words of a way."""


def cpu_s():
    """Return the CPU time of this process and of those that it started and waited for."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def main(way, path, more):
    library = max((name for name in NEEDED if way.startswith(name + "_")), key=len)
    for module in NEEDED[library]:
        importlib.import_module(module)
    started, spent = time.perf_counter(), cpu_s()
    found = globals()[way](path, *([json.loads(more)] if more else []))
    facts = {"wall_s": time.perf_counter() - started, "cpu_s": cpu_s() - spent}
    facts |= found if isinstance(found, dict) else {"found": found}
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "")
