"""One small picture a second of a video, as a numpy array for a model: python frames_to_tensors.py in.mp4 [SIZE]"""

import sys

import numpy as np

import ffzero


def main(path: str, size: str = "64x36") -> None:
    with ffzero.open(path) as movie:
        width, height = map(int, size.split("x"))
        batch = np.empty((16, height, width, 3), np.uint8)  # filled in place again and again
        for frames in movie.frames(step="1s", size=size, out=batch):
            mean = frames.array.mean(axis=(1, 2)).round().astype(int)
            for time, colour in zip(frames.times, mean, strict=True):
                print(f"{time:7.2f} s  mean colour {colour.tolist()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
