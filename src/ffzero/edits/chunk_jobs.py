"""Long renders as several jobs that can be carried out anywhere, in any order, and joined to one.

Where a job is split depends on nothing but the job, so what comes of it is the same bytes whoever does the parts. Parts
begin at key pictures, which decode by themselves, and each is coded as a closed group of pictures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ffzero.containers.nal import RandomAccess
from ffzero.edits.coded_samples import CodedSamples
from ffzero.edits.rendering import CodedPictures, PictureEffect, PictureJob
from ffzero.extents.rope import Rope

__all__ = ["is_framewise", "joined_pictures", "split_job"]

PART_FRAMES = 120
"""About how many pictures a part has; a job of fewer than two such parts stays whole. Longer ones leave workers idle at
the end; files are as large, and take as long, with parts of 240."""

_FRAMEWISE = frozenset(
    {"avgblur", "boxblur", "chromahold", "chromakey", "colorbalance", "colorchannelmixer", "colorcontrast"}
    | {"colorcorrect", "colorhold", "colorize", "colorkey", "colorlevels", "colormatrix", "colorspace"}
    | {"colortemperature", "convolution", "crop", "curves", "delogo", "drawbox", "drawgrid", "drawtext"}
    | {"edgedetect", "eq", "exposure", "fillborders", "format", "gblur", "greyedge", "haldclut", "hflip", "histeq"}
    | {"hue", "lenscorrection", "lut", "lut1d", "lut3d", "lutrgb", "lutyuv", "median", "monochrome", "negate"}
    | {"null", "pad", "perspective", "pixelize", "pseudocolor", "removelogo", "rotate", "sab", "scale"}
    | {"setparams", "setrange", "setsar", "shear", "smartblur", "sobel", "swapuv", "tonemap", "transpose"}
    | {"unsharp", "vflip", "vibrance", "vignette", "yaepblur", "zscale"}
)
"""Filters that make each picture of that picture alone."""
_COUNTS = re.compile(r"(?<![\w.])(?:n|frame_num|pict_type|key)(?!\w)|random\(|%\{(?:n|frame)|reload|eval=init")
"""What in a filter's options would count pictures, or remember something of those before."""
_NAME = re.compile(r"\s*(?:\[[^\]]*\])*\s*([a-z0-9_]+)(?:@\w+)?")


def split_job(job: PictureJob, part_frames: int | None = None) -> list[PictureJob]:
    """Return the parts of a job in order; the job alone where it is short, or cannot be split.

    Not split are blends, filters that look at more than one picture, functions that see neighbours, and pictures that
    copied ones go on from.
    """
    least = part_frames or PART_FRAMES
    if job.frames < 2 * least or job.is_blank or job.continued or job.part_of is not None:
        return [job]
    if not all(_has_framewise(effect) for effect in job.effects):
        return [job]
    bounds = _bounds(job, least)
    if len(bounds) < 2:
        return [job]
    return _parts(job, bounds)


def _has_framewise(effect: PictureEffect) -> bool:
    if effect.blend is not None or (effect.map is not None and effect.map.has_window):
        return False
    if effect.function is not None or effect.map is not None:
        return True
    return is_framewise(effect.filter)


def is_framewise(chain: str) -> bool:
    """Whether an FFmpeg filter chain is known to make each picture of that picture and its time alone."""
    if any(mark in chain for mark in ";[\\") or _COUNTS.search(chain):
        return False
    names = [_NAME.match(one) for one in re.sub(r"'[^']*'", "", chain).split(",")]
    return all(name is not None and name[1] in _FRAMEWISE for name in names)


def _bounds(job: PictureJob, least: int) -> list[int]:
    """Return the samples with which parts begin, the job's first among them."""
    numbers = job.track.table.sync_candidates()
    if numbers is None:
        numbers = np.arange(job.decode_first, job.decode_stop)
    inside = numbers[(numbers > job.decode_first) & (numbers <= job.decode_stop - least)]
    column = job.track.table.pts_column(job.decode_first, job.decode_stop)
    bounds = [job.decode_first]
    for sample in inside.tolist():
        if sample - bounds[-1] >= least and _splits(job, column, sample):
            bounds.append(sample)
    return bounds


def _splits(job: PictureJob, column: np.ndarray, sample: int) -> bool:
    """Whether all pictures decoded before a sample are shown before it, and all others from it on."""
    at = sample - job.decode_first
    pts = int(column[at])
    if not job.pts_first < pts < job.pts_stop or column[:at].max() >= pts or column[at:].min() < pts:
        return False
    unit = job.media.peek(job.track, sample)
    return unit is None or unit.random_access is RandomAccess.CLOSED


def _parts(job: PictureJob, bounds: Sequence[int]) -> list[PictureJob]:
    table = job.track.table
    column = table.pts_column(job.decode_first, job.decode_stop)
    starts = [job.pts_first, *(table.pts(sample) for sample in bounds[1:])]
    stops = [*starts[1:], job.pts_stop]
    ends = [*bounds[1:], job.decode_stop]
    whole = replace(job, effects=(), target=None)
    return [
        replace(
            job,
            decode_first=first,
            decode_stop=stop,
            pts_first=low,
            pts_stop=high,
            frames=int(((column >= low) & (column < high)).sum()),
            part_of=whole,
        )
        for first, stop, low, high in zip(bounds, ends, starts, stops, strict=True)
    ]


def joined_pictures(parts: Sequence[CodedPictures]) -> CodedPictures | None:
    """Return the coded parts of a job, in order, as one; ``None`` where they do not decode by the same headers."""
    first = parts[0]
    alike = ("entry", "added_sets", "restore", "timescale", "skips_frame_numbers")
    if any(getattr(part, name) != getattr(first, name) for part in parts for name in alike):
        return None
    samples = [CodedSamples.of(part.samples) for part in parts]
    pts: list[int] = []
    sync: list[int] = []
    at = 0
    for part in parts:
        pts += part.pts
        sync += [at + number for number in part.sync]
        at += len(part.pts)
    known = [part.psnr_db for part in parts if part.psnr_db is not None]
    return replace(
        first,
        samples=CodedSamples(
            Rope.concat([one.rope for one in samples]), [size for one in samples for size in one.sizes]
        ),
        pts=tuple(pts),
        sync=tuple(sync),
        psnr_db=min(known, default=None),
        warnings=tuple(dict.fromkeys(warning for part in parts for warning in part.warnings)),
    )
