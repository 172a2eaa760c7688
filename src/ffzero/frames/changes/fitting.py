"""Pictures made like those of another track: turned, scaled into its size, in its pixel format, colour and rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from av.video.frame import VideoFrame

from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.edits.coding_facts import coding_facts
from ffzero.edits.rendering import PictureJob
from ffzero.frames.changes.graphs import UNSPECIFIED, Filter, FrameGraph, matrix_of, range_of
from ffzero.frames.changes.orientation import turn_between, turning_filters
from ffzero.frames.changes.pacing import paced
from ffzero.frames.changes.targets import Model

__all__ = ["converted", "fitted"]

_SCALER = "flags=lanczos+accurate_rnd+full_chroma_int+full_chroma_inp"
_HIGH_DYNAMIC_RANGE = {16: "smpte2084", 18: "arib-std-b67"}
_WIDE = {9: "bt2020", 11: "smpte431", 12: "smpte432"}
_EXACT_FILL = Fraction(1, 200)
"""A picture this near to the target's shape fills it: a bar of a few lines would only be seen as a fault."""

Pictures = Iterator[tuple[SampleEntry, VideoFrame]]


def fitted(job: PictureJob, frames: Pictures, model: Model) -> Pictures:
    """Yield the pictures of a job as those of its target would be, each with the target's sample entry.

    Their ``pts`` are in ticks of ``pacing.timescale_of(job)``. Colours are converted where the two say different
    things: what does not say counts as what is usual for its size.
    """
    yield from paced(job, converted(job, frames, model))


def converted(job: PictureJob, frames: Pictures, model: Model) -> Pictures:
    """Yield the pictures of a job as those of its target would be, at their own times."""
    graph, form = None, ""
    for entry, frame in frames:
        if graph is None or form != _form(entry, frame):
            if graph is not None:
                yield from _finished(graph, model)
            graph, form = _graph(job, entry, frame, model), _form(entry, frame)
        for done in graph.push(frame):
            yield model.entry, done
    if graph is not None:
        yield from _finished(graph, model)


def _finished(graph: FrameGraph, model: Model) -> Pictures:
    for done in graph.push(None):
        yield model.entry, done


def _form(entry: SampleEntry, frame: VideoFrame) -> str:
    shape = f"{frame.format.name} {frame.width}×{frame.height} {frame.interlaced_frame} {pixel_aspect(entry)}"
    return f"{shape} {frame.colorspace} {frame.color_range} {frame.color_trc} {frame.color_primaries}"


def _graph(job: PictureJob, entry: SampleEntry, frame: VideoFrame, model: Model) -> FrameGraph:
    assert job.target is not None
    like = model.frame
    turn = turn_between(job.track.header.matrix, job.target.track.header.matrix)
    filters: list[Filter] = []
    if frame.interlaced_frame and not like.interlaced_frame:
        filters.append(("bwdif", "mode=send_frame:deint=interlaced"))
    filters += turning_filters(turn)
    width, height, aspect = frame.width, frame.height, pixel_aspect(entry)
    if turn[0] == 0:
        width, height, aspect = height, width, 1 / aspect
    inner = _inner_size(Fraction(width, height) * aspect, like, pixel_aspect(model.entry))
    filters.append(("scale", ":".join((_SCALER, f"w={inner[0]}", f"h={inner[1]}", *_colours(frame, like)))))
    plain = like.format.name.replace("yuvj", "yuv")
    if inner != (like.width, like.height):
        x, y = (_even((outer - part) // 2) for outer, part in zip((like.width, like.height), inner, strict=True))
        filters += [
            ("format", f"pix_fmts={plain}"),
            ("pad", f"w={like.width}:h={like.height}:x={x}:y={y}:color=black"),
        ]
    filters.append(("setparams", _parameters(like)))
    return FrameGraph(frame, filters, like.format.name)


def pixel_aspect(entry: SampleEntry) -> Fraction:
    """Return a pixel's width over its height, as the entry says."""
    fact = coding_facts(entry).get("pixel aspect")
    value = fact.value if fact is not None else None
    return Fraction(*value) if isinstance(value, tuple) else Fraction(1)


def _inner_size(shape: Fraction, like: VideoFrame, aspect: Fraction) -> tuple[int, int]:
    """Return the pixels that a picture of a shape (width over height, as shown) takes inside the target's."""
    whole = Fraction(like.width, like.height) * aspect
    if abs(shape / whole - 1) <= _EXACT_FILL:
        return like.width, like.height
    if shape > whole:
        return like.width, _even(min(like.height, round(like.width * aspect / shape)))
    return _even(min(like.width, round(like.height * shape / aspect))), like.height


def _even(number: int) -> int:
    return max(0, number - number % 2)


def _colours(frame: VideoFrame, like: VideoFrame) -> Sequence[str]:
    found = [] if frame.format.is_rgb else [f"in_color_matrix={matrix_of(frame)}", f"in_range={range_of(frame)}"]
    found += [f"out_color_matrix={matrix_of(like)}", f"out_range={range_of(like)}"]
    if _kind_of_light(frame) != _kind_of_light(like):
        # Building the table for this takes seconds, so it is left to colours that would look wrong without.
        found += [f"{side}_{what}" for side, of in (("in", frame), ("out", like)) for what in _light(of)]
    return found


def _kind_of_light(frame: VideoFrame) -> tuple[str, str]:
    return (
        _HIGH_DYNAMIC_RANGE.get(int(frame.color_trc), "standard"),
        _WIDE.get(int(frame.color_primaries), "standard"),
    )


def _light(frame: VideoFrame) -> Sequence[str]:
    transfer, primaries = (name if name != "standard" else "bt709" for name in _kind_of_light(frame))
    return (f"transfer={transfer}", f"primaries={primaries}")


def _parameters(like: VideoFrame) -> str:
    pairs = (
        ("color_primaries", like.color_primaries),
        ("color_trc", like.color_trc),
        ("colorspace", like.colorspace),
    )
    known = [f"{name}={'unknown' if int(value) == UNSPECIFIED else int(value)}" for name, value in pairs]
    return ":".join(("field_mode=prog", f"range={range_of(like)}", *known))
