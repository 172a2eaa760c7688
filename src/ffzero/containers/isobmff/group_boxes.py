"""The boxes of sample groups: ``sgpd`` and ``sbgp`` (ISO/IEC 14496-12 §8.9.2, §8.9.3)."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np

from ffzero.containers.isobmff.boxes import View, full_box
from ffzero.containers.isobmff.groups import SampleGroup
from ffzero.containers.runs import Runs

__all__ = ["group_boxes", "parse_groups"]

_GROUP_ENTRY_BYTES = {"rap ": 1, "roll": 2, "prol": 2, "sync": 1, "tele": 1}
"""Entry sizes of groupings that a version 0 ``sgpd`` leaves unsaid."""

_KEPT_GROUPS = frozenset({"rap ", "roll", "prol", "sync", "sap ", "tele", "tsas", "stsa", "seig"})


def parse_groups(children: Iterable[View]) -> list[SampleGroup]:
    """Return the sample groups of an ``stbl`` or ``traf`` (§8.9.2, §8.9.3), but those that no cut can keep."""
    described: dict[str, tuple[tuple[bytes, ...], int, int]] = {}
    mapped: dict[tuple[str, int | None], Runs] = {}
    for child in children:
        if child.fourcc == "sgpd" and len(child) >= 12:
            grouping = child.raw()[4:8].decode("latin-1")
            described[grouping] = _parse_sgpd(child, grouping)
        elif child.fourcc == "sbgp" and len(child) >= 12:
            grouping = child.raw()[4:8].decode("latin-1")
            at = 12 if child.u8(0) == 1 else 8
            parameter = child.u32(8) if child.u8(0) == 1 else None
            count = min(child.u32(at), (len(child) - at - 4) // 8)
            pairs = child.array(">u4", 2 * count, at + 4).astype(np.int64)
            mapped[grouping, parameter] = Runs(pairs[0::2], pairs[1::2])
    groups = []
    for (grouping, parameter), indices in mapped.items():
        if grouping in described and grouping in _KEPT_GROUPS:
            entries, version, default = described[grouping]
            groups.append(
                SampleGroup(
                    grouping_type=grouping,
                    parameter=parameter,
                    indices=indices,
                    descriptions=entries,
                    version=version,
                    default_index=default,
                )
            )
    return groups


def _parse_sgpd(view: View, grouping: str) -> tuple[tuple[bytes, ...], int, int]:
    version, at, default_length, default_index = view.u8(0), 8, 0, 0
    if version >= 1:
        default_length, at = view.u32(at), at + 4
    else:
        default_length = _GROUP_ENTRY_BYTES.get(grouping, 0)
    if version >= 2:
        default_index, at = view.u32(at), at + 4
    count, at = view.u32(at), at + 4
    if count > len(view):
        raise view.error("more group descriptions are declared than the box holds", at - 4, found=count)
    entries = []
    for _ in range(count):
        length = default_length
        if version >= 1 and default_length == 0:
            length, at = view.u32(at), at + 4
        elif version == 0 and default_length == 0:
            length = (len(view) - at) // count
        view.need(length, at)
        entries.append(bytes(view.data[at : at + length]))
        at += length
    return tuple(entries), max(version, 1), default_index


def group_boxes(group: SampleGroup) -> list[bytes]:
    """Return the two boxes of a grouping; none where no sample belongs to a group."""
    indices = group.indices
    if indices.extremes() == (0, 0) and not group.default_index:
        return []
    grouping = group.grouping_type.encode("latin-1")
    entries = [struct.pack(">I", len(entry)) + entry for entry in group.descriptions]
    lengths = {len(entry) for entry in group.descriptions}
    default = lengths.pop() if len(lengths) == 1 else 0
    if default:
        entries = list(group.descriptions)
    version = 2 if group.default_index else 1
    head = grouping + struct.pack(">I", default)
    if version == 2:
        head += struct.pack(">I", group.default_index)
    sgpd = full_box("sgpd", version, 0, head, struct.pack(">I", len(entries)), *entries)
    pairs = np.stack((indices.counts, indices.values), axis=1).astype(">u4")
    parameter = b"" if group.parameter is None else struct.pack(">I", group.parameter)
    version = 0 if group.parameter is None else 1
    sbgp = full_box("sbgp", version, 0, grouping, parameter, struct.pack(">I", len(pairs)), pairs.tobytes())
    return [sgpd, sbgp]
