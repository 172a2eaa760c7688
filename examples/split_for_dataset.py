"""Split a long recording into training clips: python split_for_dataset.py in.mp4 FOLDER SECONDS

Each clip begins at a keyframe, so that it holds no hidden frames. clips.jsonl says which is what. On a filesystem with
reflinks the clips take no space of their own.
"""

import json
import sys
from pathlib import Path

import ffzero


def main(source: str, folder: str, seconds: str) -> None:
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with ffzero.open(source) as movie, (target / "clips.jsonl").open("w") as index:
        starts = [movie.keyframes()[0]]
        for time in movie.keyframes():
            if time - starts[-1] >= float(seconds):
                starts.append(time)
        for number, (start, end) in enumerate(zip(starts, [*starts[1:], None], strict=True)):
            result = movie[start:end].write(target / f"clip_{number:05d}.mp4", overwrite=True)
            row = {"file": str(result), "start_s": float(start), "frames": result.frames_copied}
            index.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
