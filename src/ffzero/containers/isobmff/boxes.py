"""Boxes: the size-type framing of ISO base media and QuickTime files (ISO/IEC 14496-12 §4.2; QTFF "Atoms").

Parsing works on a ``View``, a bounded window of bytes that knows where in the file it lies, so every error names file,
offset and box path. A declared count is checked against the window before anything is allocated.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from ffzero.errors import InvalidDataError, TruncatedError
from ffzero.extents.base import ByteSource
from ffzero.values import dataclass

__all__ = ["BoxHeader", "View", "box", "full_box", "full_box_head", "read_box_header", "walk_file"]

MAX_DEPTH = 32
_MAX_TOP_LEVEL_BOXES = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxHeader:
    """Where a top-level box lies: ``[offset, offset + size)`` in the file, payload after ``header_size`` bytes."""

    fourcc: str
    offset: int
    size: int
    header_size: int
    overruns: bool = False
    """The declared size ran past the end of the file and was cut to it."""

    @property
    def end(self) -> int:
        return self.offset + self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A window of bytes inside a box: ``data`` from file offset ``offset`` on, inside box ``path``.

    ``source`` is the file where these bytes lie so, ``None`` where they were expanded.
    """

    data: memoryview
    offset: int
    path: str
    source_name: str
    fourcc: str = ""
    header_size: int = 0
    source: ByteSource | None = None

    def __len__(self) -> int:
        return len(self.data)

    def error(self, message: str, at: int = 0, **details: object) -> InvalidDataError:
        """Return an ``InvalidDataError`` located ``at`` bytes into this window."""
        return InvalidDataError(
            message,
            path=self.source_name or None,
            offset_bytes=self.offset + at,
            box_path=self.path,
            expected=details.get("expected"),
            found=details.get("found"),
        )

    def need(self, size: int, at: int = 0) -> None:
        """Raise unless ``size`` bytes are there from ``at`` on."""
        if at < 0 or size < 0 or at + size > len(self.data):
            raise self.error("the box is too short", at, expected=f"{at + size} bytes", found=len(self.data))

    def unpack(self, layout: struct.Struct, at: int = 0) -> tuple[int, ...]:
        self.need(layout.size, at)
        return layout.unpack_from(self.data, at)

    def u8(self, at: int) -> int:
        self.need(1, at)
        return self.data[at]

    def u16(self, at: int) -> int:
        return self.unpack(_U16, at)[0]

    def u32(self, at: int) -> int:
        return self.unpack(_U32, at)[0]

    def u64(self, at: int) -> int:
        return self.unpack(_U64, at)[0]

    def array(self, dtype: str, count: int, at: int) -> np.ndarray:
        """Return ``count`` big-endian values from ``at`` on as a read-only view, not a copy."""
        kind = np.dtype(dtype)
        self.need(count * kind.itemsize, at)
        return np.frombuffer(self.data, dtype=kind, count=count, offset=at)

    def tail(self, at: int) -> View:
        """Return the window from ``at`` on."""
        self.need(0, at)
        return View(
            data=self.data[at:],
            offset=self.offset + at,
            path=self.path,
            source_name=self.source_name,
            source=self.source,
        )

    def raw(self) -> bytes:
        return bytes(self.data)

    def children(self, at: int = 0, *, lenient: bool = False) -> Iterator[View]:
        """Yield the payload windows of the boxes laid from ``at`` to the end of this window.

        Up to 8 stray bytes at the end are passed over (QuickTime ends ``udta`` with four zero bytes). ``lenient`` stops
        at the first box that does not fit instead of raising.
        """
        if self.path.count("/") > MAX_DEPTH:
            raise self.error("boxes are nested too deeply", at)
        size_total = len(self.data)
        while at + 8 <= size_total:
            size, kind = _HEADER.unpack_from(self.data, at)
            header_size = 8
            if size == 1 and at + 16 <= size_total:
                size, header_size = self.u64(at + 8), 16
            elif size == 0:
                if kind == b"\0\0\0\0":
                    return
                size = size_total - at
            fourcc = kind.decode("latin-1")
            if size < header_size or at + size > size_total:
                if lenient or size_total - at <= 8:
                    return
                raise self.error(
                    f"child box {fourcc!r} does not fit", at, expected=f"{header_size}..{size_total - at}", found=size
                )
            yield View(
                data=self.data[at + header_size : at + size],
                offset=self.offset + at + header_size,
                path=f"{self.path}/{fourcc}" if self.path else fourcc,
                source_name=self.source_name,
                fourcc=fourcc,
                header_size=header_size,
                source=self.source,
            )
            at += size

    def child_map(self, at: int = 0, *, lenient: bool = False) -> dict[str, View]:
        """Return the first child box of each type."""
        found: dict[str, View] = {}
        for child in self.children(at, lenient=lenient):
            found.setdefault(child.fourcc, child)
        return found

    def as_box(self) -> bytes:
        """Return this box verbatim, framed anew with the shortest header."""
        return box(self.fourcc, self.raw())


_HEADER = struct.Struct(">I4s")
_LARGE = struct.Struct(">I4sQ")
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")


def box(fourcc: str, *parts: bytes) -> bytes:
    """Return a box of the given payload parts (§4.2.2), with a 64-bit size only where needed."""
    size = 8 + sum(map(len, parts))
    kind = fourcc.encode("latin-1")
    head = _HEADER.pack(size, kind) if size < 1 << 32 else _LARGE.pack(1, kind, size + 8)
    return b"".join((head, *parts))


def full_box(fourcc: str, version: int, flags: int, *parts: bytes) -> bytes:
    """Return a box that begins with version and flags (§4.2.2 FullBox)."""
    return box(fourcc, struct.pack(">I", version << 24 | flags), *parts)


def full_box_head(fourcc: str, size: int, version: int = 0) -> bytes:
    """Return the first 12 bytes of a full box, flags 0, of which ``size`` bytes (with them below 4 GiB) follow."""
    return struct.pack(">I4sI", 12 + size, fourcc.encode("latin-1"), version << 24)


def read_box_header(source: ByteSource, offset: int) -> BoxHeader:
    """Read the header of the box at ``offset``. Size 0 reaches to the end of the file (§4.2.2)."""
    remaining = source.size_bytes - offset
    head = bytearray(min(16, remaining))
    if len(head) < 8:
        raise TruncatedError("the file ends inside a box header", path=source.name, offset_bytes=offset)
    source.readinto_at(offset, memoryview(head))
    size, kind = _HEADER.unpack_from(head)
    header_size = 8
    if size == 1:
        if len(head) < 16:
            raise TruncatedError("the file ends inside a 64-bit box size", path=source.name, offset_bytes=offset)
        size, header_size = _U64.unpack_from(head, 8)[0], 16
    elif size == 0:
        size = remaining
    fourcc = kind.decode("latin-1")
    if size < header_size:
        raise InvalidDataError(
            f"box {fourcc!r} is smaller than its own header", path=source.name, offset_bytes=offset, found=size
        )
    overruns = size > remaining
    return BoxHeader(
        fourcc=fourcc, offset=offset, size=min(size, remaining), header_size=header_size, overruns=overruns
    )


def walk_file(source: ByteSource) -> Iterator[BoxHeader]:
    """Yield the top-level boxes in file order, reading only their headers.

    A last box that runs past the end is yielded with ``overruns`` set (broken downloads, wrong ``mdat`` sizes); up to
    seven stray bytes at the end are passed over.
    """
    offset = 0
    for _ in range(_MAX_TOP_LEVEL_BOXES):
        if source.size_bytes - offset < 8:
            return
        header = read_box_header(source, offset)
        yield header
        offset = header.end
    raise InvalidDataError("too many top-level boxes", path=source.name, offset_bytes=offset)
