"""Whether samples of two files can share a track, by what their sample entries mean and not by their bytes.

Pure: sample entries in, a verdict and its reasons in plain words out.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING

from ffzero.containers.isobmff.sample_entry import Colour, SampleEntry
from ffzero.edits.track_matching import TrackKey, TrackMatch, match_tracks
from ffzero.values import dataclass

if TYPE_CHECKING:
    from ffzero.edits.coding_facts import Fact

__all__ = [
    "Compatibility",
    "Difference",
    "Outcome",
    "TrackKey",
    "TrackMatch",
    "compare_entries",
    "explain",
    "match_tracks",
]

_COLOUR_PARTS = ("primaries", "transfer", "matrix")
_UNSPECIFIED = 2
_RANGES = {True: "full", False: "limited"}


class Outcome(enum.Enum):
    """What it takes to put the samples of two entries into one track."""

    SAME = "same"
    """One sample entry serves both."""
    SWITCHABLE = "switchable"
    """Two sample entries in one track: a decoder switches between them without a new track or coding anew."""
    DIFFERENT = "different"
    """One of them would have to be coded anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that differs, in words. ``is_fatal`` where it makes the entries ``DIFFERENT``."""

    what: str
    first: str
    second: str
    is_fatal: bool = True

    def __str__(self) -> str:
        return f"{self.what}: {self.first} and {self.second}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compatibility:
    """The verdict on two sample entries. ``differences`` may name harmless ones, too, when ``SWITCHABLE``."""

    outcome: Outcome
    differences: tuple[Difference, ...] = ()

    @property
    def can_share_track(self) -> bool:
        return self.outcome is not Outcome.DIFFERENT


def compare_entries(first: SampleEntry, second: SampleEntry) -> Compatibility:
    """Compare two sample entries. Raises nothing: what cannot be read in either makes them ``DIFFERENT``."""
    if first.raw == second.raw and first.kind == second.kind:
        return Compatibility(outcome=Outcome.SAME)
    for what, mine, yours in (("kind", first.kind, second.kind), ("codec", first.codec, second.codec)):
        if mine != yours:
            return Compatibility(
                outcome=Outcome.DIFFERENT, differences=(Difference(what=what, first=mine, second=yours),)
            )
    from ffzero.edits.coding_facts import coding_facts, colour_of  # parameter set parsers: not for a cut of one file

    differences = [
        *_fact_differences(coding_facts(first), coding_facts(second)),
        *(_colour_differences(colour_of(first), colour_of(second)) if first.kind == "video" else ()),
    ]
    differences.sort(key=lambda difference: not difference.is_fatal)
    if not differences:
        return Compatibility(outcome=Outcome.SAME)
    outcome = Outcome.DIFFERENT if differences[0].is_fatal else Outcome.SWITCHABLE
    return Compatibility(outcome=outcome, differences=tuple(differences))


def explain(differences: Iterable[Difference]) -> str:
    """Return the differences as one readable phrase: those that prevent a join if any do, else all of them."""
    known = tuple(differences)
    told = [difference for difference in known if difference.is_fatal] or known
    return "; ".join(f"{d.what} differs ({d.first} and {d.second})" for d in told)


def _fact_differences(first: Mapping[str, Fact], second: Mapping[str, Fact]) -> Iterable[Difference]:
    """Yield what differs. A fact that one side does not state is a difference only where it says so (``absent``)."""
    for what in dict.fromkeys((*first, *second)):
        mine, yours = first.get(what), second.get(what)
        known = mine or yours
        if known is None or _value(mine) == _value(yours):
            continue
        if (mine is None or yours is None) and known.absent is None:
            continue
        texts = [fact.text if fact else known.absent or "none" for fact in (mine, yours)]
        if texts[0] == texts[1]:
            texts = ["one", "another"]
        yield Difference(what=what, first=texts[0], second=texts[1], is_fatal=known.is_fatal)


def _value(fact: Fact | None) -> Hashable:
    return None if fact is None else fact.value


def _colour_differences(first: Colour, second: Colour) -> Iterable[Difference]:
    """Yield differences of colour. It prevents a join only where both say what they are, and say different things."""
    for part in _COLOUR_PARTS:
        mine, yours = getattr(first, part), getattr(second, part)
        if mine != yours:
            fatal = _UNSPECIFIED not in (mine, yours)
            yield Difference(what=f"colour {part}", first=_code_point(mine), second=_code_point(yours), is_fatal=fatal)
    if first.full_range is not second.full_range and None not in (first.full_range, second.full_range):
        texts = (_RANGES[bool(first.full_range)], _RANGES[bool(second.full_range)])
        yield Difference(what="colour range", first=texts[0], second=texts[1])


def _code_point(value: int) -> str:
    return "unspecified" if value == _UNSPECIFIED else str(value)
