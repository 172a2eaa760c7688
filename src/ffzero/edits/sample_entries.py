"""The sample entries of an output track: pooled from its inputs where a decoder can switch between them."""

from __future__ import annotations

from collections.abc import Sequence

from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.edits.compatibility import Difference, Outcome, compare_entries
from ffzero.edits.takes import Take

__all__ = ["EntryPool"]

_TEXT_HANDLERS = frozenset({"text", "sbtl", "subt"})
"""FFmpeg cannot read a text track of several sample entries; they hold no more than default styles."""


class EntryPool:
    """The sample entries of an output track, and how those of each input map onto them."""

    def __init__(self, model: Track) -> None:
        self.model = model
        self.raw: list[bytes] = []
        self._entries: list[SampleEntry] = []

    def reserve(self, description: int) -> None:
        """Let one of the model's own entries be the first, to which all others are compared."""
        self._place(self.model.entries[description])

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
        if self._entries and self.model.handler in _TEXT_HANDLERS:
            return 0, ()
        for place, known in enumerate(self._entries):
            verdict = compare_entries(known, entry)
            if verdict.outcome is Outcome.SAME or _is_another_name(entry, verdict.differences):
                return place, ()
            if verdict.outcome is Outcome.DIFFERENT and place == 0 and self.model.handler != "tmcd":  # written anew
                return None, verdict.differences
        name = self._entries[0].raw[4:8] if self._entries and entry.nal_length_size else entry.raw[4:8]
        self._entries.append(entry)
        # The output has one data reference: itself. FFmpeg skips entries that have another name than the first.
        self.raw.append(entry.raw[:4] + name + entry.raw[8:14] + b"\0\1" + entry.raw[16:])
        return len(self.raw) - 1, ()


def _is_another_name(entry: SampleEntry, differences: Sequence[Difference]) -> bool:
    """Whether entries differ in their four-character code alone, where that says nothing about the samples."""
    says_nothing = entry.kind == "audio" or entry.nal_length_size
    return bool(says_nothing and differences and all(found.what == "sample entry" for found in differences))


def _rotation_difference(model: Track, track: Track) -> Difference | None:
    if model.handler != "vide" or model.header.matrix[:6] == track.header.matrix[:6]:
        return None
    return Difference(what="rotation or flip", first=str(model.header.matrix[:5]), second=str(track.header.matrix[:5]))
