"""The sample entries of an output track: pooled from its inputs where a decoder can switch between them."""

from __future__ import annotations

from collections.abc import Sequence

from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.edits.compatibility import Difference, Outcome, compare_entries
from ffzero.edits.takes import Take

__all__ = ["EntryPool"]


class EntryPool:
    """The sample entries of an output track, and how those of each input map onto them."""

    def __init__(self, model: Track) -> None:
        self.model = model
        self.raw: list[bytes] = []
        self._entries: list[SampleEntry] = []

    def mapping(self, track: Track, takes: Sequence[Take]) -> tuple[dict[int, int], tuple[Difference, ...]]:
        """Return track description -> output description for what is used, or why there is none."""
        used = sorted({number for take in takes for number in take.descriptions()})
        mapping: dict[int, int] = {}
        rotation = _rotation_difference(self.model, track)
        if rotation and takes:
            return {}, (rotation,)
        for number in used:
            entry = track.entries[number]
            place, differences = self._place(entry)
            if place is None:
                return {}, differences
            mapping[number] = place
        return mapping, ()

    def _place(self, entry: SampleEntry) -> tuple[int | None, tuple[Difference, ...]]:
        for place, known in enumerate(self._entries):
            verdict = compare_entries(known, entry)
            if verdict.outcome is Outcome.SAME:
                return place, ()
            if verdict.outcome is Outcome.DIFFERENT and place == 0:
                return None, verdict.differences
        self._entries.append(entry)
        self.raw.append(entry.raw[:14] + b"\0\1" + entry.raw[16:])  # the output has one data reference: itself
        return len(self.raw) - 1, ()


def _rotation_difference(model: Track, track: Track) -> Difference | None:
    if model.handler != "vide" or model.header.matrix[:6] == track.header.matrix[:6]:
        return None
    return Difference(what="rotation or flip", first=str(model.header.matrix[:5]), second=str(track.header.matrix[:5]))
