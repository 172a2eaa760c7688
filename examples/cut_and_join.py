"""Cut two ranges out of a movie and join them: python cut_and_join.py in.mp4 out.mp4

The second range begins at the keyframe before 60 % of the movie, so that nothing has to be coded anew at the joint.
"""

import sys

import ffzero


def main(source: str, output: str) -> None:
    with ffzero.open(source) as movie:
        joint = max(time for time in movie.keyframes() if time <= movie.duration * 3 / 5)
        clip = movie[movie.duration / 10 : movie.duration / 5] + movie[joint : joint + movie.duration / 10]
        print(clip.plan(output=output))
        result = clip.write(output)
    print(f"{result}: {result.bytes_shared} bytes shared, {result.bytes_copied} copied, {result.bytes_header} new")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
