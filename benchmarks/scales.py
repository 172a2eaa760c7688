"""How large the inputs are, and how often everything runs."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.media import Picture

__all__ = ["FULL", "QUICK", "Scale"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Sizes of one whole benchmark.

    A cut is made of a file of each of ``pictures``, a join of files of the first. ``hours`` are the lengths of the
    synthetic recordings; the last is the one that counts. ``render_minutes`` are the lengths of the files out of which
    cuts are made that code their ends. ``frames`` of the last of ``pictures`` are handed to Python, coded at each of
    ``frame_megabits`` a second.
    """

    name: str
    pictures: tuple[Picture, ...]
    long_bytes: int
    parts: int
    part_s: int
    hours: tuple[int, ...]
    repeats: int
    cold_repeats: int
    start_repeats: int
    render_minutes: tuple[int, ...]
    render_repeats: int
    frames: int
    frame_megabits: tuple[float, ...]
    frame_repeats: int

    @property
    def parts_bytes(self) -> int:
        return int(self.parts * self.part_s * (self.pictures[0].megabits + 0.2) * 1e6 / 8)

    @property
    def place_bytes(self) -> int:
        """Room that inputs and one output take, with a tenth to spare."""
        cutting = self.long_bytes + self.long_bytes * 0.7
        return int(1.1 * (max(cutting, 2 * self.parts_bytes) + 200e6))


FULL = Scale(
    name="full",
    pictures=(  # 3.6 GB are 23 minutes of a camera, two hours of a film, an hour of a stream
        Picture(size="1920x1080", megabits=20),
        Picture(size="1920x1080", megabits=4),
        Picture(size="1920x1080", megabits=8),
    ),
    long_bytes=3_600_000_000,
    parts=100,
    part_s=10,
    hours=(1, 10),
    repeats=5,
    cold_repeats=3,
    start_repeats=15,
    render_minutes=(1, 10, 120),
    render_repeats=3,
    frames=750,
    frame_megabits=(8, 12),
    frame_repeats=3,
)

QUICK = Scale(
    name="quick: sizes are a twentieth, ratios mean little",
    pictures=(Picture(size="640x360", megabits=4),),
    long_bytes=180_000_000,
    parts=20,
    part_s=4,
    hours=(1, 2),
    repeats=1,
    cold_repeats=1,
    start_repeats=3,
    render_minutes=(1,),
    render_repeats=1,
    frames=150,
    frame_megabits=(4,),
    frame_repeats=1,
)
