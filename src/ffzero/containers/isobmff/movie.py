"""Reading a movie: top-level boxes, ``moov`` and its tracks (ISO/IEC 14496-12 §8.1-8.6; Apple QTFF)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

from ffzero.containers.isobmff.boxes import BoxHeader, View, walk_file
from ffzero.containers.isobmff.fragments import read_fragments
from ffzero.containers.isobmff.model import Edit, MovieBox, Track, TrackHeader
from ffzero.containers.isobmff.sample_entry import SampleEntry, parse_sample_entry
from ffzero.containers.isobmff.sample_table import SampleTable
from ffzero.containers.isobmff.stbl import parse_sample_entries, parse_sample_table
from ffzero.errors import InvalidDataError, TruncatedError, UnsupportedError
from ffzero.extents.base import ByteSource

__all__ = ["read_boxes", "read_movie"]

_MAX_MOOV_BYTES = 1 << 30
_MAPPED_FROM_BYTES = 8 << 20
_MAX_TRACKS = 1000
_GENERATED = frozenset({"mvhd", "trak", "mvex", "udta", "cmov", "free", "skip", "wide"})
_TRACK_GENERATED = frozenset({"tkhd", "mdia", "edts", "tref", "free", "skip", "wide"})
_MEDIA_GENERATED = frozenset({"mdhd", "hdlr", "minf", "free", "skip", "wide"})
_TABLE_KNOWN = frozenset(
    {"stsd", "stts", "ctts", "cslg", "stss", "stps", "stsz", "stz2", "stsc", "stco", "co64", "sdtp", "sgpd", "sbgp"}
    | {"saiz", "saio", "senc", "free", "skip"}
)
_MEDIA_HEADERS = ("vmhd", "smhd", "hmhd", "nmhd", "sthd", "gmhd")


def read_movie(source: ByteSource) -> MovieBox:
    """Index an MP4, MOV or fragmented MP4 file.

    Reads box headers, ``moov`` and every ``moof``, no media byte. Raises ``InvalidDataError`` (with file, offset and
    box path) for what is damaged and ``UnsupportedError`` for what is valid but not handled.
    """
    return read_boxes(source, tuple(walk_file(source)))


def read_boxes(source: ByteSource, top_level: tuple[BoxHeader, ...]) -> MovieBox:
    """Index the movie that these top-level boxes make: of a fragmented file, ``moov`` and some of its fragments."""
    moov_header = _find_moov(source, top_level)
    moov = _load(source, moov_header)
    moov = _decompressed(moov)
    movie = _parse_moov(moov, source, top_level)
    fragments = [header for header in top_level if header.fourcc == "moof"]
    if fragments:
        movie = read_fragments(movie, moov, fragments, _load)
    return replace(movie, warnings=(*movie.warnings, *_top_level_warnings(top_level)))


def _find_moov(source: ByteSource, top_level: tuple[BoxHeader, ...]) -> BoxHeader:
    moov = next((header for header in top_level if header.fourcc == "moov"), None)
    if moov is not None:
        if moov.overruns:
            raise TruncatedError(
                "the file ends inside its index",
                path=source.name,
                offset_bytes=moov.offset,
                box_path="moov",
                hint="The recording or download is incomplete",
            )
        return moov
    seen = ", ".join(dict.fromkeys(repr(header.fourcc) for header in top_level[:8])) or "nothing"
    cut = any(header.fourcc == "mdat" for header in top_level)
    raise InvalidDataError(
        "no index (moov box) in the file",
        path=source.name,
        found=f"boxes {seen}",
        hint="The recording or download is incomplete: the index was to come at the end" if cut else None,
    )


def _load(source: ByteSource, header: BoxHeader) -> View:
    """Return a box's payload: read into memory, or mapped where it is large and the source can.

    A mapped file that shrinks kills the process when what is gone is touched, so what fits is copied. The identity of a
    mapped file is checked when it is mapped, and again when samples or tables are copied from it.
    """
    size = header.size - header.header_size
    if size > _MAX_MOOV_BYTES:
        raise UnsupportedError(
            "the index is larger than 1 GiB", path=source.name, offset_bytes=header.offset, found=size
        )
    start = header.offset + header.header_size
    mapped = getattr(source, "map", None) if size >= _MAPPED_FROM_BYTES else None
    if mapped is None:
        buffer = bytearray(size)
        source.readinto_at(start, memoryview(buffer))
        data = memoryview(buffer)
    else:
        data = memoryview(mapped(start, size))
    return View(
        data=data.toreadonly(),
        offset=start,
        path=header.fourcc,
        source_name=source.name,
        fourcc=header.fourcc,
        header_size=header.header_size,
        source=source,
    )


def _decompressed(moov: View) -> View:
    """Expand a compressed ``moov`` (QTFF "Compressed Movie Resources")."""
    cmov = moov.child_map(lenient=True).get("cmov")
    if cmov is None:
        return moov
    parts = cmov.child_map(lenient=True)
    if "dcom" not in parts or "cmvd" not in parts or parts["dcom"].raw() != b"zlib":
        raise cmov.error("compressed index of an unknown kind")
    size = parts["cmvd"].u32(0)
    if size > _MAX_MOOV_BYTES or size > 1100 * len(moov):
        raise cmov.error("compressed index declares an impossible size", found=size)
    try:
        data = zlib.decompressobj().decompress(parts["cmvd"].raw()[4:], size)
    except zlib.error as error:
        raise cmov.error(f"compressed index is damaged: {error}") from error
    outer = View(data=memoryview(data), offset=0, path="moov/cmov", source_name=moov.source_name)
    inner = outer.child_map(lenient=True).get("moov")
    if inner is None:
        raise cmov.error("compressed index holds no moov box")
    return inner


def _top_level_warnings(top_level: tuple[BoxHeader, ...]) -> list[str]:
    return [
        f"box {header.fourcc!r} at byte {header.offset} runs past the end of the file"
        for header in top_level
        if header.overruns
    ]


_MVHD = {0: struct.Struct(">IIII"), 1: struct.Struct(">QQIQ")}
"""creation_time, modification_time, timescale, duration (§8.2.2.2), after version and flags."""


def _parse_moov(moov: View, source: ByteSource, top_level: tuple[BoxHeader, ...]) -> MovieBox:
    mvhd = next((child for child in moov.children(lenient=True) if child.fourcc == "mvhd"), None)
    timescale, duration = 1000, 0
    if mvhd is not None:
        _, _, timescale, duration = mvhd.unpack(_MVHD[_version(mvhd)], 4)
        if timescale <= 0:
            raise mvhd.error("movie timescale is 0", 12)
    tracks: list[Track] = []
    warnings: list[str] = []
    user_data = b""
    extras: list[bytes] = []
    for child in moov.children(lenient=True):
        if child.fourcc == "trak" and len(tracks) < _MAX_TRACKS:
            _add_track(child, timescale, source, tracks, warnings)
        elif child.fourcc == "udta":
            user_data += child.raw()
        elif child.fourcc not in _GENERATED:
            extras.append(child.as_box())
    if not tracks:
        raise moov.error("no track in the movie")
    ftyp = next((header for header in top_level if header.fourcc == "ftyp" and header.size < 1 << 16), None)
    return MovieBox(
        source=source,
        file_type=_load(source, ftyp).as_box() if ftyp else b"",
        timescale=timescale,
        duration=duration,
        header_box=mvhd.raw() if mvhd else b"",
        tracks=tuple(tracks),
        user_data=user_data,
        extra_boxes=tuple(extras),
        top_level=top_level,
        warnings=tuple(warnings),
    )


def _add_track(trak: View, timescale: int, source: ByteSource, tracks: list[Track], warnings: list[str]) -> None:
    """Parse one track. A track that no player could use is named in a warning, not fatal for the others."""
    boxes = trak.child_map(lenient=True)
    if "mdia" not in boxes or "tkhd" not in boxes:
        warnings.append(f"a track at byte {trak.offset} has no media; it is left out")
        return
    track = _parse_track(trak, boxes, timescale, source.size_bytes)
    if any(other.id == track.id for other in tracks):
        raise trak.error("two tracks have the same ID", found=track.id)
    tracks.append(track)


def _parse_track(trak: View, boxes: dict[str, View], movie_timescale: int, file_size: int) -> Track:
    mdia = boxes["mdia"]
    media = mdia.child_map(lenient=True)
    for name in ("mdhd", "minf"):
        if name not in media:
            raise mdia.error(f"no {name} box")
    timescale, language_code = _parse_mdhd(media["mdhd"])
    hdlr = media.get("hdlr")
    handler = hdlr.raw()[8:12].decode("latin-1") if hdlr is not None else ""
    minf = media["minf"].child_map(lenient=True)
    if "stbl" not in minf:
        raise media["minf"].error("no stbl box")
    stbl = minf["stbl"]
    stbl_boxes = stbl.child_map(lenient=True)
    table = parse_sample_table(stbl, timescale, file_size)
    entries = _parse_entries(stbl_boxes.get("stsd"), handler, stbl)
    if table.count and len(table.chunks.run_descriptions):
        most = int(table.chunks.run_descriptions.max())
        if most >= len(entries):
            raise stbl.error("samples refer to a sample entry that is not there", expected=len(entries), found=most + 1)
    external = _external_references(minf.get("dinf"))
    return Track(
        header=_parse_tkhd(boxes["tkhd"]),
        handler=handler,
        handler_box=hdlr.as_box() if hdlr is not None else b"",
        language=_language(language_code),
        language_code=language_code,
        entries=entries,
        table=_with_packet_sizes(table, entries),
        edits=_parse_edits(boxes.get("edts")),
        movie_timescale=movie_timescale,
        media_header=next((minf[name].as_box() for name in _MEDIA_HEADERS if name in minf), b""),
        references=_parse_references(boxes.get("tref")),
        extra_boxes=tuple(
            child.as_box() for child in trak.children(lenient=True) if child.fourcc not in _TRACK_GENERATED
        ),
        extra_media_boxes=tuple(
            child.as_box() for child in mdia.children(lenient=True) if child.fourcc not in _MEDIA_GENERATED
        ),
        external=any(_data_reference(entry) in external for entry in entries),
        extra_information_boxes=tuple(
            child.as_box()
            for child in media["minf"].children(lenient=True)
            if child.fourcc not in (*_MEDIA_HEADERS, "dinf", "stbl", "free", "skip")
        ),
        lost_boxes=tuple(sorted(name for name in stbl_boxes if name not in _TABLE_KNOWN)),
        aux_boxes=tuple(name for name in ("saiz", "saio", "senc") if name in stbl_boxes),
    )


def _with_packet_sizes(table: SampleTable, entries: tuple[SampleEntry, ...]) -> SampleTable:
    """Give sound that counts PCM frames as samples its true sizes, which ``stsz`` need not tell (QTFF "Sound")."""
    entry = entries[0]
    runs = table.durations
    one_tick = len(runs.values) == 1 and int(runs.values[0]) == 1
    if entry.kind != "audio" or table.sizes.uniform is None or not one_tick:
        return table
    unit_samples, unit_bytes = 1, 0
    if entry.codec.startswith("pcm_"):
        unit_bytes = entry.channels * _pcm_bits(entry.codec) // 8
    elif int.from_bytes(entry.raw[16:18], "big") == 1 and len(entry.raw) >= 52:
        unit_samples, _, unit_bytes = struct.unpack_from(">III", entry.raw, 36)
    if unit_samples < 1 or unit_bytes < 1 or (unit_samples == 1 and unit_bytes == table.sizes.uniform):
        return table
    return replace(table, sizes=replace(table.sizes, unit_samples=unit_samples, unit_bytes=unit_bytes))


def _pcm_bits(codec: str) -> int:
    digits = "".join(character for character in codec.removeprefix("pcm_") if character.isdigit())
    return int(digits) if digits else 8  # A-law and mu-law


def _external_references(dinf: View | None) -> frozenset[int]:
    """Return the numbers (from 1) of the data references to other files (§8.7.2: flag 1 means this file)."""
    dref = dinf.child_map(lenient=True).get("dref") if dinf is not None else None
    if dref is None or len(dref) < 8:
        return frozenset()
    references = enumerate(dref.children(8, lenient=True), start=1)
    return frozenset(number for number, entry in references if len(entry) >= 4 and not entry.u8(3) & 1)


def _data_reference(entry: SampleEntry) -> int:
    """Return a sample entry's data_reference_index (§8.5.2.2)."""
    return int.from_bytes(entry.raw[14:16], "big")


def _version(view: View) -> int:
    version = view.u8(0)
    if version not in (0, 1):
        raise view.error("unknown version", 0, expected="0 or 1", found=version)
    return version


def _parse_mdhd(view: View) -> tuple[int, int]:
    """§8.4.2.2: returns timescale and packed language."""
    version = _version(view)
    layout = _MVHD[version]
    _, _, timescale, _ = view.unpack(layout, 4)
    if timescale <= 0:
        raise view.error("media timescale is 0", 4)
    at = 4 + layout.size
    return timescale, view.u16(at) if len(view) >= at + 2 else 0x55C4


def _language(code: int) -> str:
    """ISO 639-2/T from five bits a letter; QuickTime's own numbers below 0x400 (QTFF "Language Code Values")."""
    if code < 0x400 or code == 0x7FFF:
        return {0: "eng", 1: "fra", 2: "deu", 3: "ita", 4: "nld", 6: "spa", 11: "jpn", 19: "zho", 33: "zho"}.get(
            code, "und"
        )
    letters = "".join(chr(0x60 + (code >> shift & 0x1F)) for shift in (10, 5, 0))
    return letters if letters.isalpha() else "und"


_TKHD = {0: struct.Struct(">IIIII8xhhhH9i2I"), 1: struct.Struct(">QQIIQ8xhhhH9i2I")}
"""creation, modification, track_ID, reserved, duration, layer, alternate_group, volume, reserved, matrix, size."""


def _parse_tkhd(view: View) -> TrackHeader:
    values = view.unpack(_TKHD[_version(view)], 4)
    creation, modification, track_id, _, duration, layer, group, volume, _ = values[:9]
    if track_id == 0:
        raise view.error("track ID is 0")
    return TrackHeader(
        track_id=track_id,
        flags=view.u32(0) & 0xFFFFFF,
        creation_time=creation,
        modification_time=modification,
        duration=duration,
        layer=layer,
        alternate_group=group,
        volume=volume,
        matrix=tuple(values[9:18]),
        width=values[18],
        height=values[19],
    )


_ELST = {0: struct.Struct(">IiI"), 1: struct.Struct(">QqI")}
"""segment_duration, media_time, media_rate (§8.6.6.2)."""


def _parse_edits(edts: View | None) -> tuple[Edit, ...]:
    elst = edts.child_map(lenient=True).get("elst") if edts is not None else None
    if elst is None:
        return ()
    layout = _ELST[_version(elst)]
    elst.need(8)
    count = min(elst.u32(4), (len(elst) - 8) // layout.size)
    edits = []
    for index in range(count):
        duration, media_time, rate = elst.unpack(layout, 8 + index * layout.size)
        if not (-1 <= media_time < 1 << 61 and duration < 1 << 61):
            raise elst.error("edit list entry out of range", 8 + index * layout.size, found=(duration, media_time))
        edits.append(Edit(duration=duration, media_time=media_time, rate=rate))
    return tuple(edits)


def _parse_references(tref: View | None) -> dict[str, tuple[int, ...]]:
    if tref is None:
        return {}
    return {
        child.fourcc: tuple(int(value) for value in child.array(">u4", len(child) // 4, 0))
        for child in tref.children(lenient=True)
    }


def _parse_entries(stsd: View | None, handler: str, stbl: View) -> tuple[SampleEntry, ...]:
    if stsd is None:
        raise stbl.error("no stsd box")
    parsed = []
    for raw in parse_sample_entries(stsd):
        try:
            parsed.append(parse_sample_entry(raw, handler))
        except InvalidDataError as error:
            raise error.located(path=stsd.source_name, box_path=stsd.path, offset_bytes=stsd.offset) from error
    return tuple(parsed)
