"""Whether pieces can follow each other in one stream: same kinds, codecs and parameters, compared by meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ffzero.containers.libav.opening import Input
from ffzero.containers.libav.parameter_sets import parameter_sets
from ffzero.containers.libav.targets import CARRIED, codec_name
from ffzero.errors import IncompatibleError

if TYPE_CHECKING:
    from av.stream import Stream

    from ffzero.containers.libav.plans import PiecePlan

__all__ = ["check_joinable", "differences", "stream_facts"]

_IN_BAND = frozenset(
    ("mpeg1video", "mpeg2video", "mpeg4", "mp2", "mp3", "ac3", "eac3", "vp8", "vp9", "mjpeg", "prores")
)
"""Codecs whose extradata, where a demuxer made one up, repeats what every key packet carries."""


def check_joinable(plans: Sequence[PiecePlan], muxer: str) -> None:
    """Raise ``IncompatibleError``, naming the file and what differs, unless all pieces carry alike streams.

    A transport stream repeats the parameter sets of H.264 and HEVC in the stream, so there they may differ.
    """
    in_stream = ("parameter sets", "profile") if muxer == "mpegts" else ()
    if len(plans) < 2:
        return
    first = _facts_of(plans[0])
    for plan in plans[1:]:
        other = first if plan.path == plans[0].path else _facts_of(plan)
        if len(other) != len(first):
            raise _incompatible(plan, f"{len(first)} streams", f"{len(other)} streams", plans[0])
        for number, (mine, theirs) in enumerate(zip(first, other, strict=True)):
            for name, wanted, found in differences(mine, theirs):
                kind = mine["kind"]
                if name in in_stream and mine["codec"] in ("h264", "hevc"):
                    continue
                raise _incompatible(plan, f"{kind} stream {number}: {name} {wanted}", f"{found}", plans[0])


def _incompatible(plan: PiecePlan, expected: str, found: str, first: PiecePlan) -> IncompatibleError:
    return IncompatibleError(
        f"cannot be joined to {first.path} without coding it anew",
        path=plan.path,
        expected=expected,
        found=found,
        hint="Code one of them like the other first",
    )


def _facts_of(plan: PiecePlan) -> list[dict[str, Any]]:
    kept = [choice.index for choice in plan.streams if choice.carry in CARRIED]
    with Input(plan.path) as source:
        return [stream_facts(source.container.streams[index]) for index in kept]


def differences(first: dict[str, Any], second: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return (name, first's value, second's) for every fact that differs; one that either lacks is no difference."""
    return [
        (name, value, second[name])
        for name, value in first.items()
        if name in second and value is not None and second[name] is not None and value != second[name]
    ]


def stream_facts(stream: Stream) -> dict[str, Any]:
    """Return what a decoder must know of a stream, by name: codec, size, rate, layout, parameter sets."""
    codec = codec_name(stream)
    facts: dict[str, Any] = {"kind": stream.type, "codec": codec}
    context: Any = stream.codec_context
    if context is None:
        return facts
    if stream.type == "video":
        facts |= {"width": context.width, "height": context.height, "pixel format": context.pix_fmt}
        facts |= {"profile": context.profile}
    elif stream.type == "audio":
        facts |= {"sample rate": context.sample_rate, "channels": context.layout.name if context.channels else None}
    if codec not in _IN_BAND and context.extradata:
        facts["parameter sets"] = _parameters(codec, bytes(context.extradata))
    return facts


def _parameters(codec: str, extradata: bytes) -> object:
    """H.264 and HEVC: the set of parameter-set NAL units, in whatever wrapping. Others: the bytes."""
    if codec in ("h264", "hevc"):
        return _Digest(frozenset(parameter_sets(codec, extradata)))
    if codec == "aac":
        return None if len(extradata) < 2 else _Digest(extradata[:2])  # the rest is signalling of SBR and padding
    return _Digest(extradata)


class _Digest:
    """Compares by value, prints short."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Digest) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __str__(self) -> str:
        return f"{hash(self.value) & 0xFFFFFFFF:08x}"

    __repr__ = __str__
