"""The boxes of sample tables: byte by byte, there and back, and what damaged ones do."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero.containers.isobmff.chunk_boxes import ChunkOffsets, Part
from ffzero.containers.isobmff.chunks import Chunks, Sizes
from ffzero.containers.isobmff.groups import SampleGroup
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.isobmff.stbl import parse_sample_entries, parse_sample_table, table_boxes
from ffzero.containers.runs import Runs
from ffzero.errors import InvalidDataError, UnsupportedError
from ffzero.extents.rope import Extent, Literal, Rope
from support.tables import Sample, box, full, parsed, read_table, samples_of, tables

pytestmark = pytest.mark.usefixtures("blocks")

U32 = (1 << 32) - 1


def written(parts: Iterable[Part], base: int = 0) -> Rope:
    pieces = []
    for part in parts:
        for piece in part.pieces(base) if isinstance(part, ChunkOffsets) else [part]:
            pieces.append(piece if isinstance(piece, Extent) else Literal(piece))
    return Rope(pieces)


def data_of(table: SampleTable, *, wide: bool = False, base: int = 0) -> bytes:
    rope = written(table_boxes(table, wide_offsets=wide), base)
    return rope.read_at(0, rope.length)


def made(
    durations: Runs,
    *,
    sizes: Sizes | None = None,
    offsets: tuple[int, ...] = (64,),
    composition: Runs | None = None,
    sync: tuple[int, ...] | None = None,
) -> SampleTable:
    """Return a table of one sample for each offset but the last chunk's, which has the rest."""
    count, chunks = len(durations), len(offsets)
    return SampleTable(
        timescale=1000,
        durations=durations,
        sizes=sizes or Sizes(count=count, uniform=7),
        chunks=Chunks(
            offsets=np.array(offsets, np.int64),
            run_chunks=np.array([chunks - 1, 1]),
            run_samples=np.array([1, count - chunks + 1]),
            run_descriptions=np.array([0, 1]),
        ),
        composition=composition,
        sync=None if sync is None else np.array(sync, np.int64),
    )


# Byte vectors: ISO/IEC 14496-12, box by box.

VECTORS = {
    "stts": (
        "00000020 73747473"  # size 32, 'stts' (§8.6.1.2)
        "00000000"  # version 0, flags
        "00000002"  # entry_count
        "00000003 00000400"  # 3 samples of 1024 ticks
        "00000001 00000001"  # 1 sample of 1 tick
    ),
    "ctts": (
        "00000028 63747473"  # size 40, 'ctts' (§8.6.1.3)
        "01000000"  # version 1: signed offsets
        "00000003"  # entry_count
        "00000001 00000200"  # 1 sample, +512
        "00000002 fffffffe"  # 2 samples, -2
        "00000001 00000000"  # 1 sample, 0
    ),
    "stss": (
        "00000018 73747373 00000000"  # size 24, 'stss' (§8.6.2)
        "00000002"  # entry_count
        "00000001 00000003"  # samples 1 and 3
    ),
    "stsc": (
        "00000028 73747363 00000000"  # size 40, 'stsc' (§8.7.4)
        "00000002"  # entry_count
        "00000001 00000001 00000001"  # from chunk 1: 1 sample each, description 1
        "00000003 00000002 00000002"  # from chunk 3: 2 samples each, description 2
    ),
    "stsz": (
        "00000024 7374737a 00000000"  # size 36, 'stsz' (§8.7.3.2)
        "00000000 00000004"  # sample_size 0: each its own; sample_count
        "0000000a 0000000b 0000000c 0000000d"
    ),
    "stco": (
        "0000001c 7374636f 00000000"  # size 28, 'stco' (§8.7.5)
        "00000003"  # entry_count
        "00000040 00000080 00000100"
    ),
}


def vector_table() -> SampleTable:
    return made(
        Runs(np.array([3, 1]), np.array([1024, 1])),
        sizes=Sizes(count=4, column=np.array([10, 11, 12, 13])),
        offsets=(0x40, 0x80, 0x100),
        composition=Runs(np.array([1, 2, 1]), np.array([512, -2, 0])),
        sync=(0, 2),
    )


def test_boxes_are_laid_out_as_the_standard_says() -> None:
    expected = b"".join(bytes.fromhex(vector) for vector in VECTORS.values())
    assert data_of(vector_table()) == expected


def test_boxes_are_read_as_the_standard_says() -> None:
    table = read_table(b"".join(bytes.fromhex(vector) for vector in VECTORS.values()))
    assert samples_of(table) == samples_of(vector_table())
    assert [sample.offset for sample in samples_of(table)] == [0x40, 0x80, 0x100, 0x100 + 12]


def test_one_size_for_all() -> None:
    vector = bytes.fromhex(
        "00000014 7374737a 00000000"  # size 20, 'stsz'
        "00000007 00000003"  # sample_size 7 for each of 3
    )
    table = made(Runs.constant(3, 1))
    assert vector in data_of(table)
    assert read_table(data_of(table)).sizes == Sizes(count=3, uniform=7)


def test_wide_offsets_and_their_base() -> None:
    vector = bytes.fromhex(
        "00000020 636f3634 00000000"  # size 32, 'co64' (§8.7.5)
        "00000002"  # entry_count
        "0000000100000000 0000010000000005"
    )
    table = made(Runs.constant(2, 1), offsets=((1 << 32) - 16, (1 << 40) - 11))
    assert data_of(table, wide=True, base=16).endswith(vector)


@pytest.mark.parametrize(
    ("field", "packed"),
    [
        (4, "a1 f0"),  # two samples to a byte, the high nibble first
        (8, "0a 01 0f"),
        (16, "000a 0001 000f"),
    ],
)
def test_compact_sizes(field: int, packed: str) -> None:
    head = bytes.fromhex(f"000000 {field:02x} 00000003")  # reserved, field_size, sample_count (§8.7.3.3)
    others = data_of(made(Runs.constant(3, 1)))
    stz2 = full("stz2", 0, head, bytes.fromhex(packed))
    assert [sample.size for sample in samples_of(read_table(stz2 + others))] == [10, 1, 15]


def test_sample_groups_are_laid_out_as_the_standard_says() -> None:
    group = SampleGroup(
        grouping_type="roll",
        parameter=None,
        indices=Runs(np.array([1, 2]), np.array([0, 1])),
        descriptions=(b"\xff\xff",),
    )
    table = SampleTable(
        timescale=1000,
        durations=Runs.constant(3, 1),
        sizes=Sizes(count=3, uniform=1),
        chunks=made(Runs.constant(3, 1)).chunks,
        groups=(group,),
    )
    assert data_of(table).endswith(
        bytes.fromhex(
            "0000001a 73677064 01000000"  # size 26, 'sgpd', version 1 (§8.9.3)
            "726f6c6c"  # grouping_type 'roll'
            "00000002"  # default_length
            "00000001"  # entry_count
            "ffff"  # roll_distance -1 (§10.1)
            "00000024 73626770 00000000"  # size 36, 'sbgp', version 0 (§8.9.2)
            "726f6c6c"
            "00000002"  # entry_count
            "00000001 00000000"  # 1 sample of no group
            "00000002 00000001"  # 2 samples of description 1
        )
    )


def test_group_parameters_and_default_descriptions_survive() -> None:
    sgpd = full("sgpd", 2, b"seig", struct.pack(">III", 4, 1, 2), b"aaaabbbb")
    sbgp = full("sbgp", 1, b"seig", struct.pack(">IIIIII", 9, 2, 1, 2, 2, 0))
    table = read_table(data_of(made(Runs.constant(3, 1))) + sgpd + sbgp)
    (group,) = table.groups
    assert (group.parameter, group.default_index, group.version) == (9, 1, 2)
    assert data_of(table).endswith(sgpd + sbgp)


def test_descriptions_of_different_lengths_survive() -> None:
    entries = [struct.pack(">I", len(entry)) + entry for entry in (b"ab", b"cde")]
    sgpd = full("sgpd", 1, b"sync", struct.pack(">II", 0, 2), *entries)
    sbgp = full("sbgp", 0, b"sync", struct.pack(">III", 1, 3, 2))
    assert data_of(read_table(data_of(made(Runs.constant(3, 1))) + sgpd + sbgp)).endswith(sgpd + sbgp)


def test_old_groups_without_lengths_are_read() -> None:
    sgpd = full("sgpd", 0, b"rap ", struct.pack(">I", 2), b"\x01\x80")
    sbgp = full("sbgp", 0, b"rap ", struct.pack(">III", 1, 3, 2))
    (group,) = read_table(data_of(made(Runs.constant(3, 1), sync=(0,))) + sgpd + sbgp).groups
    assert group.descriptions == (b"\x01", b"\x80")


def test_sync_candidates_join_all_that_mark_one() -> None:
    stps = full("stps", 0, struct.pack(">II", 1, 2))
    sgpd = full("sgpd", 1, b"rap ", struct.pack(">II", 1, 1), b"\0")
    sbgp = full("sbgp", 0, b"rap ", struct.pack(">IIIII", 2, 3, 0, 2, 1))
    table = read_table(data_of(made(Runs.constant(6, 1), sync=(0,))) + stps + sgpd + sbgp)
    candidates = table.sync_candidates()
    assert candidates is not None
    assert candidates.tolist() == [0, 1, 3, 4]
    assert stps in data_of(table)


# There and back.


@given(tables(), st.booleans(), st.integers(0, 1 << 20))
def test_a_written_table_reads_as_it_was(drawn: tuple[SampleTable, list[Sample]], wide: bool, base: int) -> None:
    table, samples = drawn
    again = read_table(data_of(table, wide=wide, base=base))
    assert samples_of(again) == [sample._replace(offset=sample.offset + base) for sample in samples]


@given(tables(), tables(), st.data())
def test_an_edited_table_reads_as_it_was(
    one: tuple[SampleTable, list[Sample]], two: tuple[SampleTable, list[Sample]], data: st.DataObject
) -> None:
    stop = data.draw(st.integers(1, len(one[1])))
    table = SampleTable.concat([one[0].slice(0, stop), two[0]]).rescaled(3000)
    assert samples_of(read_table(data_of(table))) == samples_of(table)


def long_table() -> tuple[SampleTable, bytes]:
    """Return a table whose every column is longer than what is written anew, and its boxes."""
    count, number = 100_000, np.arange(100_000)
    table = SampleTable(
        timescale=1000,
        durations=Runs(np.ones(count, int), 1 + number % 3),
        sizes=Sizes(count=count, column=number % 1000 + 1),
        chunks=Chunks(
            offsets=number * 1001,
            run_chunks=np.array([count]),
            run_samples=np.array([1]),
            run_descriptions=np.array([0]),
        ),
        composition=Runs(np.ones(count, int), number % 5),
    )
    data = data_of(table)
    return parse_sample_table(parsed(data), 1000, 1 << 40), data


def test_long_tables_are_ranges_of_their_file() -> None:
    table, data = long_table()
    rope = written(table_boxes(table, wide_offsets=False))
    assert rope.literal_bytes < 300
    assert rope.read_at(0, rope.length) == data


@pytest.mark.parametrize("wide", [False, True])
def test_long_slices_are_ranges_of_their_file(wide: bool) -> None:
    table, _ = long_table()
    part = SampleTable.concat([table.slice(5, 6), table.slice(1000, 99_000)])
    rope = written(table_boxes(part, wide_offsets=wide), 12_345)
    assert rope.literal_bytes < 300
    again = read_table(rope.read_at(0, rope.length))
    assert again.durations == part.durations
    assert again.composition == part.composition
    assert again.sizes.column == part.sizes.column
    assert again.chunks.offsets == part.chunks.offsets.shifted(12_345)


def test_changed_values_are_written_anew() -> None:
    table, _ = long_table()
    changed = table.rescaled(2000)
    rope = written(table_boxes(changed, wide_offsets=False))
    again = read_table(rope.read_at(0, rope.length))
    assert again.durations == changed.durations
    assert again.durations != table.durations


# What real files get wrong, and what is refused.


def replaced(data: bytes, kind: str, *body: bytes) -> bytes:
    """Return the boxes with one of them made anew."""
    children = parsed(data).children()
    return b"".join(full(kind, 0, *body) if child.fourcc == kind else child.as_box() for child in children)


PLAIN = data_of(made(Runs.constant(4, 5), composition=Runs.constant(4, 2), sync=(0, 2), offsets=(100, 200)))


def test_a_short_stts_goes_on() -> None:
    table = read_table(replaced(PLAIN, "stts", struct.pack(">III", 1, 2, 5)))
    assert table.durations.expand().tolist() == [5] * 4


def test_a_short_ctts_goes_on_with_zero() -> None:
    table = read_table(replaced(PLAIN, "ctts", struct.pack(">III", 1, 2, 5)))
    assert table.composition is not None
    assert table.composition.expand().tolist() == [5, 5, 0, 0]


def test_negative_durations_become_one_tick() -> None:
    table = read_table(replaced(PLAIN, "stts", struct.pack(">IIiII", 2, 1, -9, 3, 5)))
    assert table.durations.expand().tolist() == [1, 5, 5, 5]


def test_runs_of_no_samples_are_passed_over() -> None:
    table = read_table(replaced(PLAIN, "stts", struct.pack(">IIIIIII", 3, 0, 7, 4, 5, 0, 9)))
    assert table.durations.expand().tolist() == [5] * 4


def test_counts_past_the_box_are_cut_to_it() -> None:
    table = read_table(replaced(PLAIN, "stts", struct.pack(">III", U32, 4, 5)))
    assert table.durations.expand().tolist() == [5] * 4


def test_sync_numbers_are_sorted_and_bounded() -> None:
    table = read_table(replaced(PLAIN, "stss", struct.pack(">IIIIII", 5, 3, 1, 0, 3, 99)))
    assert table.sync is not None
    assert table.sync.tolist() == [0, 2]


def test_an_empty_stss_leaves_the_first_sample() -> None:
    table = read_table(replaced(PLAIN, "stss", struct.pack(">I", 0)))
    assert table.sync is not None
    assert table.sync.tolist() == [0]


def test_chunks_without_samples_do_not_exist() -> None:
    rows = struct.pack(">I9I", 3, 1, 2, 1, 2, 0, 1, 3, 2, 1)
    data = replaced(replaced(PLAIN, "stsc", rows), "stco", struct.pack(">IIII", 3, 100, 200, 300))
    assert [sample.offset for sample in samples_of(read_table(data))] == [100, 107, 300, 307]


def test_samples_without_a_chunk_do_not_exist() -> None:
    data = replaced(PLAIN, "stsz", struct.pack(">II", 7, 1000))
    assert read_table(data).count == 4


def test_a_chunk_may_promise_more_samples_than_there_are() -> None:
    data = replaced(PLAIN, "stsc", struct.pack(">IIII", 1, 1, 500, 1))
    assert [sample.offset for sample in samples_of(read_table(data))] == [100, 107, 114, 121]


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("stts", struct.pack(">I6I", 3, *[U32, (1 << 31) - 1] * 3), "durations overflow"),
        ("stsz", struct.pack(">II", 1 << 20, U32), "more samples"),
        ("stsz", struct.pack(">II", 0, U32), "too short"),
        ("stsc", struct.pack(">IIII", 1, 2, 1, 1), "first run"),
        ("stsc", struct.pack(">I", 0), "first run"),
        ("stsc", struct.pack(">I9I", 3, 1, 1, 1, 2, 1, 1, 1, 1, 1), "not in order"),
    ],
)
def test_damage_is_refused_where_it_is(kind: str, body: bytes, message: str) -> None:
    data = replaced(PLAIN, "stsz", struct.pack(">II", 1, U32)) if kind == "stts" else PLAIN
    data = replaced(data, "stsc", struct.pack(">IIII", 1, 1, U32, 1)) if kind == "stts" else data
    with pytest.raises(InvalidDataError, match=message) as caught:
        read_table(replaced(data, kind, body))
    assert caught.value.box_path is not None
    assert caught.value.box_path.startswith("stbl")


@pytest.mark.parametrize("offset", [1 << 62, 1 << 63, (1 << 64) - 1])
def test_offsets_past_62_bits_are_refused(offset: int) -> None:
    co64 = full("co64", 0, struct.pack(">IQQ", 2, 100, offset))
    with pytest.raises(InvalidDataError, match="out of range"):
        read_table(PLAIN + co64)


def test_more_samples_than_any_file_holds_are_refused() -> None:
    stco = struct.pack(">I", 1 << 19) + bytes(4 << 19)
    with pytest.raises(InvalidDataError, match="any file holds"):
        read_table(replaced(replaced(PLAIN, "stco", stco), "stsc", struct.pack(">IIII", 1, 1, U32, 1)))


def test_samples_without_chunk_tables_are_refused() -> None:
    data = b"".join(child.as_box() for child in parsed(PLAIN).children() if child.fourcc != "stsc")
    with pytest.raises(InvalidDataError, match="no chunk table"):
        read_table(data)


@pytest.mark.parametrize(
    ("durations", "composition"),
    [(Runs.constant(3, 1 << 31), None), (Runs.constant(3, 1), Runs.constant(3, 1 << 31))],
)
def test_times_that_do_not_fit_are_not_written(durations: Runs, composition: Runs | None) -> None:
    with pytest.raises(UnsupportedError, match="does not fit"):
        table_boxes(made(durations, composition=composition), wide_offsets=False)


def test_offsets_that_do_not_fit_are_not_written() -> None:
    with pytest.raises(InvalidDataError, match="does not fit"):
        data_of(made(Runs.constant(2, 1), offsets=(5, U32)), base=1)


def test_sample_entries_are_kept_whole() -> None:
    entry = box("avc1", b"abc")
    assert parse_sample_entries(parsed(struct.pack(">II", 0, 1) + entry + box("junk"), "stsd")) == [entry]
    with pytest.raises(InvalidDataError, match="no sample entry"):
        parse_sample_entries(parsed(struct.pack(">II", 0, 1), "stsd"))
