"""Key pictures of a stream of packets, in the order in which they come: each once it is known to be a clean cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction

from ffzero.containers.libav.opening import Input, main_stream
from ffzero.errors import UnsupportedError

__all__ = ["LATE_S", "closed_keys", "scanned_keys"]

LATE_S = Fraction(10)
"""Sound that lies so far behind the pictures has ended, or has a gap."""


def scanned_keys(path: str) -> Iterator[tuple[Fraction, int]]:
    """Yield when the key pictures after the first begin that no picture crosses, with the bytes before each.

    Reads the file through. Raises like ``keyframes``.
    """
    with Input(path) as source:
        yield from closed_keys(source)


def closed_keys(source: Input) -> Iterator[tuple[Fraction, int]]:
    """Yield when the key pictures after the first begin that no picture crosses, with the bytes of packets before.

    One is told once a later one, or the sound up to it, has been read. Raises ``UnsupportedError``.
    """
    main = main_stream(source.streams)
    if main is None:
        raise UnsupportedError("no video, audio or subtitle stream", path=source.path)
    sound = {stream.index: Fraction(0) for stream in source.streams if stream.type == "audio"}
    known: deque[tuple[Fraction, int]] = deque()
    candidate: tuple[int, int] | None = None
    latest: int | None = None
    total, is_first = 0, True
    for packet in source.packets(source.streams):
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is not None and packet.stream.index in sound:
            sound[packet.stream.index] = source.clock_s(stamp + (packet.duration or 0), packet.stream)
        if packet.stream.index == main.index and packet.pts is not None:
            if packet.is_keyframe:
                if candidate is not None and not is_first:
                    known.append((source.clock_s(candidate[0], main), candidate[1]))
                is_first = is_first and candidate is None
                candidate = (packet.pts, total) if latest is None or packet.pts > latest else None
            elif candidate is not None and packet.pts < candidate[0]:
                candidate = None
            latest = packet.pts if latest is None else max(latest, packet.pts)
            reached = source.clock_s(latest, main)
            while known and all(end >= known[0][0] or end + LATE_S <= reached for end in sound.values()):
                yield known.popleft()
        total += packet.size
    yield from known
    if candidate is not None and not is_first:
        yield source.clock_s(candidate[0], main), candidate[1]
