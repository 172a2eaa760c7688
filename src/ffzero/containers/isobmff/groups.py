"""Sample groups: which description of a kind each sample belongs to (ISO/IEC 14496-12 §8.9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ffzero.containers.runs import Runs
from ffzero.values import dataclass

__all__ = ["SampleGroup", "concat_groups"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleGroup:
    """A sample group (§8.9): which description (0 = none, else from 1) each sample belongs to.

    ``descriptions`` are the ``sgpd`` entries verbatim; ``version`` and ``default_index`` are those of the ``sgpd``.
    """

    grouping_type: str
    parameter: int | None
    indices: Runs
    descriptions: tuple[bytes, ...]
    version: int = 1
    default_index: int = 0

    def key(self) -> tuple[str, int | None]:
        return self.grouping_type, self.parameter


def concat_groups(spans: Sequence[tuple[int, tuple[SampleGroup, ...]]]) -> tuple[SampleGroup, ...]:
    """Join the groups of neighbouring (sample count, groups) spans."""
    keys = list(dict.fromkeys(group.key() for _, groups in spans for group in groups))
    return tuple(_concat_group(spans, key) for key in keys)


def _concat_group(spans: Sequence[tuple[int, tuple[SampleGroup, ...]]], key: tuple[str, int | None]) -> SampleGroup:
    """Join one grouping: descriptions are pooled, indices renumbered, spans without it belong to no group."""
    pool: dict[bytes, int] = {}
    parts: list[Runs] = []
    model: SampleGroup | None = None
    for count, groups in spans:
        group = next((group for group in groups if group.key() == key), None)
        if group is None:
            parts.append(Runs.constant(count, 0))
            continue
        model = model or group
        renumber = np.zeros(len(group.descriptions) + 1, dtype=np.int64)
        for index, description in enumerate(group.descriptions, start=1):
            renumber[index] = pool.setdefault(description, len(pool) + 1)
        values = np.where(group.indices.values == 0, group.default_index, group.indices.values)
        parts.append(Runs(group.indices.counts, renumber[np.clip(values, 0, len(group.descriptions))]))
    assert model is not None
    return replace(model, indices=Runs.concat(parts), descriptions=tuple(pool), default_index=0)
