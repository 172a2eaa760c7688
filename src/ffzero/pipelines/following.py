"""Chunks of a file that is being recorded, each as soon as its end is known.

A fragmented MP4 is indexed fragment by fragment: a chunk's own index holds only the fragments that it needs. What libav
reads is read once from front to back, as it comes in, for where its key pictures are; a chunk is read again by its
times. A key picture is a bound once all that is shown before it is there, sound included.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ffzero.containers.detect import detect
from ffzero.containers.isobmff.boxes import BoxHeader, read_box_header
from ffzero.containers.libav.opening import Input as LibavInput
from ffzero.containers.libav.opening import open_errors
from ffzero.edits.inputs import Input
from ffzero.edits.media import Media
from ffzero.edits.movie import Movie
from ffzero.edits.parts.landmarks import key_pictures
from ffzero.edits.pieces import Piece
from ffzero.edits.slicing import place_pieces
from ffzero.errors import InvalidDataError, SourceError, UnsupportedError
from ffzero.pipelines.bounds import ChunkUnit, grouped
from ffzero.pipelines.packet_keys import LATE_S, closed_keys
from ffzero.reporting import CancelToken
from ffzero.storage.growing import GrowingFile
from ffzero.values import dataclass

if TYPE_CHECKING:
    from av.container import InputContainer

__all__ = ["follow_segments"]

_SNIFF_BYTES = 4096
_LEAD_S = Fraction(2)
"""What a decoder of sound may want before a chunk's start."""


def follow_segments(
    path: str,
    size: Fraction,
    by: ChunkUnit,
    *,
    idle_timeout_s: float,
    cancel: CancelToken | None,
    stop: CancelToken | None,
) -> Iterator[tuple[Piece, ...]]:
    """Yield the chunks of a growing file; see ``generate_video_segments``."""
    file = GrowingFile(path, idle_timeout_s=idle_timeout_s, cancel=cancel, stop=stop)
    if not file.wait_beyond(11):
        raise SourceError("the file is empty, and did not grow", path=file.path)
    container = detect(file.source.read_at(0, min(_SNIFF_BYTES, file.size_bytes)))
    follower: _Fragments | _Packets = _Fragments(file) if container == "isobmff" else _Packets(file, container)
    start: Fraction | None = None
    for bound in grouped(follower.keys(), size, by):
        yield (Piece(input=follower.input(), start=start, end=bound),)
        start = bound
        follower.forget_before(bound)
    yield (Piece(input=follower.input(), start=start, end=None),)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fragment:
    """A fragment that is all there: its ``moof`` and when it ends."""

    header: BoxHeader
    end: Fraction


class _Fragments:
    """A fragmented MP4, of which no more of the index is held than the chunk under way needs."""

    def __init__(self, file: GrowingFile) -> None:
        self._file = file
        self._offset = 0
        self._head: tuple[BoxHeader, ...] = ()
        self._fragments: deque[_Fragment] = deque()

    def input(self) -> Input:
        """Return the file with the fragments that are held."""
        return self._indexed(fragment.header for fragment in self._fragments)

    def forget_before(self, time: Fraction) -> None:
        while len(self._fragments) > 1 and self._fragments[0].end + _LEAD_S <= time:
            self._fragments.popleft()

    def keys(self) -> Iterator[tuple[Fraction, int]]:
        """Yield when key pictures after the first begin, with the bytes before their fragment."""
        waiting: deque[tuple[Fraction, int]] = deque()
        is_first = True
        while (header := self._next_fragment()) is not None:
            source = self._indexed([header])
            assert source.media is not None
            self._fragments.append(_Fragment(header=header, end=source.media.range[1]))
            for time in key_pictures(place_pieces(Movie(source)[:].pieces), closed=True):
                if not is_first:
                    waiting.append((time, header.offset))
                is_first = False
            reached = self._reached()
            while len(waiting) > 1 and waiting[0][0] <= reached:
                yield waiting.popleft()
        yield from waiting

    def _reached(self) -> Fraction:
        """Return up to when all of pictures and sound is there."""
        media = self.input().media
        assert media is not None
        ends = {track.id: found[1] for track in media.box.tracks if (found := media.track_range(track))}
        video = max(ends.values(), default=Fraction(0))
        sound = [ends.get(track.id, Fraction(0)) for track in media.box.tracks if media.role(track) == "audio"]
        return min([video, *(end for end in sound if end + LATE_S > video)])

    def _indexed(self, fragments: Any) -> Input:
        from ffzero.containers.isobmff.movie import read_boxes

        box = read_boxes(self._file.source, (*self._head, *fragments))
        return Input(path=self._file.path, container="isobmff", media=Media(box=box))

    def _next_fragment(self) -> BoxHeader | None:
        """Return the next ``moof`` whose media is all there; waits for it; ``None`` at the end."""
        moof: BoxHeader | None = None
        while (header := self._next_box()) is not None:
            if header.fourcc == "moof":
                moof = header
            elif header.fourcc in ("ftyp", "moov"):
                self._head = (*self._head, header)
            elif header.fourcc == "mdat" and moof is not None:
                return moof
            elif header.fourcc == "mdat" and not self._head_is_whole():
                raise UnsupportedError(
                    "an MP4 file whose index comes at its end cannot be followed",
                    path=self._file.path,
                    hint="Record fragmented MP4 (-movflags frag_keyframe+empty_moov), MPEG-TS or Matroska",
                )
        if not self._head_is_whole():
            raise InvalidDataError(
                "no index (moov box) in the file yet", path=self._file.path, hint="Wait longer for it (idle_timeout)"
            )
        return None

    def _head_is_whole(self) -> bool:
        return any(header.fourcc == "moov" for header in self._head)

    def _next_box(self) -> BoxHeader | None:
        """Return the next top-level box once it is all there; ``None`` at the end."""
        at = self._offset
        if not self._file.wait_beyond(at + 15):
            return None
        while (header := read_box_header(self._file.source, at)).overruns:
            if header.fourcc == "mdat" and not self._head_is_whole():
                return header
            if not self._file.wait_beyond(self._file.size_bytes):
                return None
        self._offset = header.end
        return header


class _FollowedInput(LibavInput):
    """An input that is read from front to back while it grows."""

    def __init__(self, file: GrowingFile) -> None:
        self._file = file
        self.path = file.path
        self._opened = []
        self.container = self._open()
        self.origin_s = self._origin()
        self._at_start = self.continuous = True
        self._unwrapper = None

    def _open(self) -> InputContainer:
        import av

        with open_errors(self.path):
            container = av.open(self._file, mode="r", metadata_errors="replace")
        self._opened.append(container)
        return container


class _Packets:
    """A file of any container that libav can read from front to back."""

    def __init__(self, file: GrowingFile, container: str) -> None:
        self._file = file
        self._container = container

    def input(self) -> Input:
        return Input(path=self._file.path, container=self._container, media=None)

    def forget_before(self, time: Fraction) -> None:
        """Nothing is held."""

    def keys(self) -> Iterator[tuple[Fraction, int]]:
        with _FollowedInput(self._file) as source:
            yield from closed_keys(source)
