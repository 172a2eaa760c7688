"""Use a clip that is never written: python feed_ffmpeg.py in.mp4 START END

FFmpeg makes a small preview of it, and PyAV looks at the brightness of its frames. Both read the source's own bytes.
"""

import subprocess
import sys

import av
import imageio_ffmpeg

import ffzero


def main(source: str, start: str, end: str) -> None:
    with ffzero.open(source) as movie:
        clip = movie[start:end]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *clip.ffmpeg_input()]
        subprocess.run([*command, "-vf", "scale=160:-2", "preview.gif"], check=True)

        with clip.open() as file, av.open(file) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number % 25 == 0:
                    print(f"{frame.time:8.3f} s  mean luma {frame.to_ndarray(format='gray').mean():.1f}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
