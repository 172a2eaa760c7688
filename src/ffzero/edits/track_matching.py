"""Which tracks of several movies continue each other when the movies are joined. Pure data."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from ffzero.values import dataclass

__all__ = ["Leftover", "TrackKey", "TrackMatch", "TrackRow", "match_tracks"]

_ANY_LANGUAGE = frozenset({"", "und", "mul", "zxx", "mis"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackKey:
    """What pairing looks at: ``id`` is the caller's, ``kind`` as in ``TrackInfo``, ``language`` ISO 639-2/T."""

    id: int
    kind: str
    language: str = "und"
    codec: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRow:
    """One track of the joined movie: its part in each movie, ``None`` where a movie has none."""

    tracks: tuple[TrackKey | None, ...]

    @property
    def is_complete(self) -> bool:
        return None not in self.tracks


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A track of movie number ``movie`` (the first is 0) that continues no track of the first movie."""

    movie: int
    track: TrackKey


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackMatch:
    """The pairing: one row for each track of the first movie, in its order, and what is left of the others."""

    rows: tuple[TrackRow, ...]
    leftovers: tuple[Leftover, ...]


def match_tracks(first: Sequence[TrackKey], *others: Sequence[TrackKey]) -> TrackMatch:
    """Pair the tracks of ``others`` with those of ``first`` by kind, then language and codec, then order.

    Video tracks pair by order, timecode, chapter and data tracks by codec and order. Audio and subtitles pair within
    one language, best with the same codec; a track without language pairs with what is left; and if each side has a
    single audio track, those pair whatever their languages.
    """
    pairings = [_pair(first, other) for other in others]
    rows = tuple(
        TrackRow(tracks=(track, *(pairing.get(index) for pairing in pairings))) for index, track in enumerate(first)
    )
    leftovers = []
    for number, (other, pairing) in enumerate(zip(others, pairings, strict=True), start=1):
        used = list(map(id, pairing.values()))
        leftovers += [Leftover(movie=number, track=track) for track in other if id(track) not in used]
    return TrackMatch(rows=rows, leftovers=tuple(leftovers))


def _pair(first: Sequence[TrackKey], second: Sequence[TrackKey]) -> dict[int, TrackKey]:
    """Return, by index in ``first``, the track of ``second`` that continues it."""
    pairs: dict[int, TrackKey] = {}
    for kind in dict.fromkeys(track.kind for track in first):
        mine = [index for index, track in enumerate(first) if track.kind == kind]
        yours = [track for track in second if track.kind == kind]
        for test in _tests(kind, len(mine) == len(yours) == 1):
            _take(first, mine, yours, pairs, test)
    return pairs


Test = Callable[[TrackKey, TrackKey], bool]


def _tests(kind: str, single: bool) -> Iterable[Test]:
    """Return the ways to pair tracks of one kind, the surest first."""
    if kind == "video":
        return (_always,)
    if kind not in ("audio", "subtitle"):
        return (_same(lambda track: track.codec),)
    tests: tuple[Test, ...] = (
        _same(lambda track: (track.language, track.codec)),
        _same(lambda track: track.language),
        lambda a, b: a.language in _ANY_LANGUAGE or b.language in _ANY_LANGUAGE,
    )
    return (*tests, _always) if single and kind == "audio" else tests


def _always(_first: TrackKey, _second: TrackKey) -> bool:
    return True


def _same(key: Callable[[TrackKey], Hashable]) -> Test:
    return lambda a, b: key(a) == key(b)


def _take(
    first: Sequence[TrackKey], mine: list[int], yours: list[TrackKey], pairs: dict[int, TrackKey], test: Test
) -> None:
    """Move into ``pairs`` each of ``mine`` with the first of ``yours`` that passes."""
    for index in list(mine):
        found = next((track for track in yours if test(first[index], track)), None)
        if found is not None:
            pairs[index] = found
            mine.remove(index)
            yours[:] = [track for track in yours if track is not found]
