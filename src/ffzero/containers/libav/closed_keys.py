"""Key pictures at which a stream of packets can be cut with every picture on one side only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction

from ffzero.containers.libav.opening import Input, main_stream
from ffzero.errors import UnsupportedError

__all__ = ["closed_keyframes"]


def closed_keyframes(path: str | os.PathLike[str]) -> list[Fraction]:
    """Return when the main stream's key pictures begin that no picture crosses, in seconds of movie time, sorted.

    A key picture counts when all that is decoded before it is shown before it and all after it, after. Reads the file
    through, the packets of the main stream alone. Raises as ``keyframes`` does.
    """
    with Input(path) as source:
        stream = main_stream(source.streams)
        if stream is None:
            raise UnsupportedError("no video, audio or subtitle stream", path=path)
        return list(_closed(source, stream.index))


def _closed(source: Input, index: int) -> Iterator[Fraction]:
    from av.stream import Discard

    for other in source.streams:
        if other.index != index:
            other.discard = Discard.all
    waiting: int | None = None
    latest: int | None = None
    for packet in source.packets([source.container.streams[index]]):
        if packet.pts is None:
            continue
        if packet.is_keyframe:
            if waiting is not None:
                yield source.clock_s(waiting, packet.stream)
            waiting = packet.pts if latest is None or packet.pts > latest else None
        elif waiting is not None and packet.pts < waiting:
            waiting = None
        latest = packet.pts if latest is None else max(latest, packet.pts)
    if waiting is not None:
        yield source.clock_s(waiting, source.container.streams[index])
