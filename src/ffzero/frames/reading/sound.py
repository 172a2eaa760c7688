"""Sound of movies and clips in blocks, exact to the sample at both ends."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from fractions import Fraction

import numpy as np

from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.presentation import Span
from ffzero.edits.frame_values import AudioBlock
from ffzero.edits.media import Media
from ffzero.edits.reading import SoundRequest
from ffzero.errors import UnsupportedError, UsageError
from ffzero.frames.reading.container_sound import ContainerSound
from ffzero.frames.reading.stretches import Stretch, stretches
from ffzero.frames.sound.conversion import ConvertedSound, mixing
from ffzero.frames.sound.decode import LAYOUTS, TrackSound
from ffzero.reporting import CancelToken
from ffzero.timebase import Rounding, rescale, to_ticks
from ffzero.values import dataclass

__all__ = ["sound"]

_MOST_CHANNELS = 64
_MOST_RATE = 768_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Sound of ``[start, end)``, seconds of a file's time; its sample 0 lies at ``zero`` there."""

    read: Callable[[int, int], np.ndarray]
    rate: int
    layout: Callable[[], str]
    zero: Fraction
    start: Fraction
    end: Fraction
    offset: Fraction
    track: int


def sound(request: SoundRequest) -> Generator[AudioBlock, None, None]:
    """Return a generator of blocks. Checks the request at once; see ``Readable.audio``."""
    for name, value, most in (
        ("rate", request.rate, _MOST_RATE),
        ("channels", request.channels, _MOST_CHANNELS),
        ("block", request.block, 1 << 28),
    ):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most):
            raise UsageError(f"{name}={value!r}", expected=f"a whole number from 1 to {most}")
    parts = list(stretches(request.pieces, request.whole, request.start, request.end))
    if any(stretch.piece.sound_effects for stretch in parts):
        raise UnsupportedError(
            "the sound of a clip is read without the effects that were put on it",
            hint="Write the clip and read the file, or read the movie",
        )
    if not any(_has_sound(stretch, request) for stretch in parts):
        raise UnsupportedError("there is no sound in it", path=request.pieces[0].input.path)
    return _blocks(request, parts)


def _has_sound(stretch: Stretch, request: SoundRequest) -> bool:
    media = stretch.piece.input.media
    if media is not None:
        return _chosen(media, request.track) is not None
    with closing(ContainerSound.open(stretch.piece.input, request.track, request.cancel)) as found:
        return found.rate > 0


def _chosen(media: Media, number: int | None) -> Track | None:
    tracks = [track for track in media.box.tracks if media.role(track) == "audio" and track.table.count]
    if number is not None:
        for track in tracks:
            if track.id == number:
                return track
        ids = sorted(track.id for track in tracks)
        raise UsageError(f"no sound track {number}", path=media.name, expected=f"one of {ids}")
    return min(tracks, key=lambda track: not track.header.enabled, default=None)


def _blocks(request: SoundRequest, parts: list[Stretch]) -> Generator[AudioBlock, None, None]:
    rate, layout = request.rate, None
    if request.channels is not None:
        layout = LAYOUTS.get(request.channels, f"{request.channels}c")
    for stretch in parts:
        for part in _parts(stretch, request):
            rate = rate or part.rate
            for block in _of_part(part, rate, layout, request):
                layout = layout or LAYOUTS.get(block.channels, f"{block.channels}c")
                yield block


def _of_part(part: _Part, rate: int, layout: str | None, request: SoundRequest) -> Iterator[AudioBlock]:
    first = to_ticks(part.start - part.zero, rate, Rounding.NEAREST)
    stop = to_ticks(part.end - part.zero, rate, Rounding.NEAREST)
    size = request.block or max(1, rate // 2)
    if first < stop:
        part.read(*(rescale(first, rate, part.rate, Rounding.FLOOR) + add for add in (0, 1)))  # now its layout is known
    converted = None
    own = part.layout()
    if rate != part.rate or (layout is not None and layout != own):
        converted = ConvertedSound(part.read, part.rate, rate, mixing(own, layout or own))
    for low in range(first, stop, size):
        if request.cancel is not None:
            request.cancel.check()
        high = min(stop, low + size)
        array = part.read(low, high) if converted is None else converted.read(low, high)
        time = part.zero + part.offset + Fraction(low, rate)
        yield AudioBlock(time=time, array=array, rate=rate, track=part.track)


def _parts(stretch: Stretch, request: SoundRequest) -> Iterator[_Part]:
    media = stretch.piece.input.media
    if media is None:
        yield from _of_container(stretch, request)
        return
    track = _chosen(media, request.track)
    if track is None:
        return
    if not _is_read_by_table(media, track, request.cancel):
        yield from _of_container(stretch, request, track.id)
        return
    source = TrackSound(media, track, 0, request.cancel)
    for span in media.spans(track):
        start, end = (Fraction(ticks, track.timescale) for ticks in (span.start, span.stop))
        low = start if stretch.start is None else max(start, stretch.start)
        high = end if stretch.end is None else min(end, stretch.end)
        if low < high:
            yield _of_span(source, span, low, high, stretch.offset)


def _is_read_by_table(media: Media, track: Track, cancel: CancelToken | None) -> bool:
    """Whether a track decodes to what its sample entry says; HE-AAC does not, and FFmpeg's demuxer knows how."""
    if len(track.entries) != 1 or not track.entries[0].sample_rate or not track.entries[0].channels:
        return False
    source = TrackSound(media, track, 0, cancel)
    try:
        source.read(0, 1)
    except UnsupportedError:
        return False
    return (source.rate, source.channels) == (source.entry.sample_rate, source.entry.channels)


def _of_span(source: TrackSound, span: Span, low: Fraction, high: Fraction, offset: Fraction) -> _Part:
    base, rate = _place(source, span.media_start), source.entry.sample_rate
    return _Part(
        read=lambda first, stop: source.read(first + base, stop + base),
        rate=rate,
        layout=lambda: source.layout,
        zero=Fraction(span.start, source.track.timescale),
        start=low,
        end=high,
        offset=offset,
        track=source.track.id,
    )


def _place(source: TrackSound, ticks: int) -> int:
    """Return a media time as a sample of the track, counted from its first packet's."""
    table, track, packet, rate = source.track.table, source.track, source.packet, source.entry.sample_rate
    if not packet:
        return rescale(ticks - table.start_dts, track.timescale, rate, Rounding.NEAREST)
    number = table.first_at_or_after_dts(ticks)
    if number == table.count or table.dts(number) > ticks:
        number = max(0, number - 1)
    return number * packet + rescale(ticks - table.dts(number), track.timescale, rate, Rounding.NEAREST)


def _of_container(stretch: Stretch, request: SoundRequest, number: int | None = None) -> Iterator[_Part]:
    source = ContainerSound.open(stretch.piece.input, number or request.track, request.cancel)
    with closing(source):
        if not source.rate:
            return
        start, end = source.range()
        low = start if stretch.start is None else max(start, stretch.start)
        high = end if stretch.end is None else min(end, stretch.end)
        if low < high:
            yield _Part(
                read=source.read,
                rate=source.rate,
                layout=lambda: source.layout,
                zero=Fraction(0),
                start=low,
                end=high,
                offset=stretch.offset,
                track=source.id,
            )
