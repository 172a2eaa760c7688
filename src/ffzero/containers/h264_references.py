"""Which reference pictures an H.264 decoder holds that started at a cut (ITU-T H.264, 08/2021, §8.2.5)."""

from __future__ import annotations

from collections.abc import Sequence

from ffzero.containers.h264_params import H264Sps
from ffzero.containers.h264_slice_header import Marking, SliceHeader
from ffzero.values import dataclass

__all__ = ["Effect", "ReferencePictures"]

_TOP, _BOTTOM = 1, 2
_BOTH = _TOP | _BOTTOM


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a picture's marking does: the operations that name a picture which is there, and whether there is room.

    ``makes_room`` is true where the reference pictures are not more than before: a frame took the place of another, or
    a second field joined the first. ``in_the_way`` are operations on frames that are not of the stream itself, which
    must go for the others to fit where nothing slides; ``inferred`` such on frames that FFmpeg infers before the cut.
    ``has_long_term``: a long-term reference picture is held.
    """

    operations: tuple[Marking, ...] = ()
    makes_room: bool = True
    in_the_way: tuple[Marking, ...] = ()
    inferred: tuple[Marking, ...] = ()
    has_long_term: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class _Frame:
    """A frame or complementary field pair: the fields in use for short-term and for long-term reference, as bit sets.

    ``made_up`` frames stand for pictures that frame_num skips: decoders infer them.
    """

    frame_num: int
    short: int = 0
    long: int = 0
    long_index: int | None = None
    made_up: bool = False


class ReferencePictures:
    """The decoded reference picture marking process (§8.2.5), for pictures that were decoded since the cut.

    What was decoded before is unknown: the sliding window never takes such a picture's place into account, for while
    one is there the window passes over all kept ones. ``may_hold_others`` tells whether one may be left.
    """

    __slots__ = (
        "_capacity",
        "_frames",
        "_guest",
        "_inferred",
        "_max_frame_num",
        "_others",
        "_previous",
        "_previous_num",
    )

    def __init__(self, sps: H264Sps, before: int | None = None) -> None:
        """``before`` is the frame_num of the one reference picture that was put before the cut, if any."""
        self._capacity = max(sps.max_num_ref_frames, 1)
        self._max_frame_num = 1 << sps.log2_max_frame_num
        self._frames: list[_Frame] = []
        self._inferred: list[int] = []
        self._others = self._capacity
        self._previous: SliceHeader | None = None
        self._previous_num = before
        self._guest = None if before is None else _Frame(frame_num=before, short=_BOTH, made_up=True)
        if self._guest is not None:
            self._frames.append(self._guest)

    @property
    def may_hold_others(self) -> bool:
        """Whether a decoder may still hold a reference picture from before the cut: of the whole stream, or what is
        there instead.
        """
        return self._others > 0 or self._guest in self._frames

    def decode(self, header: SliceHeader) -> Effect:
        """Take in the next picture, of which ``header`` is a slice's; return what its operations do.

        Operation 5 empties the set and ends the uncertainty about what is left from before the cut.
        """
        second = self._second_field_of(header)
        if second is None:
            self._make_up_skipped(header)
        self._previous, self._previous_num = header, header.frame_num
        if not header.nal_ref_idc:
            return Effect()
        before = len(self._frames)
        current = second or _Frame(frame_num=header.frame_num)
        live = tuple(marking for marking in header.marking if self._execute(marking, header, current))
        if not header.adaptive and second is None:
            self._slide()
        if not current.long & _fields(header):
            current.short |= _fields(header)
        if current not in self._frames:
            self._frames.append(current)
        real = sum(not frame.made_up for frame in self._frames)
        self._others = min(self._others, self._capacity - real)
        return Effect(
            operations=live,
            makes_room=len(self._frames) <= before,
            inferred=self._unreference(header, self._without_inferred()),
            in_the_way=self._unreference(header, [] if header.field_pic else self._without_made_up()),
            has_long_term=any(frame.long for frame in self._frames),
        )

    def _without_inferred(self) -> list[int]:
        """Give up the oldest frames that were inferred before the cut where there are too many; return their numbers.

        The sliding window takes them too, for they are the oldest.
        """
        too_many = max(0, len(self._inferred) + len(self._frames) - self._capacity)
        gone, self._inferred = self._inferred[:too_many], self._inferred[too_many:]
        return gone

    def _without_made_up(self) -> list[int]:
        """Do the same with frames that were put before the cut, or inferred behind it."""
        foreign = [frame for frame in self._frames if frame.made_up and frame.short == _BOTH]
        gone = foreign[: max(0, len(self._frames) - self._capacity)]
        self._frames = [frame for frame in self._frames if frame not in gone]
        return [frame.frame_num for frame in gone]

    def _unreference(self, header: SliceHeader, numbers: Sequence[int]) -> tuple[Marking, ...]:
        return tuple((1, ((header.frame_num - number - 1) % self._max_frame_num,)) for number in numbers)

    def _second_field_of(self, header: SliceHeader) -> _Frame | None:
        """Return the frame whose second field this picture is, if its first field is a reference (§7.4.1.2.4)."""
        previous = self._previous
        if (
            previous is None
            or not (previous.field_pic and header.field_pic and previous.nal_ref_idc and self._frames)
            or previous.bottom_field is header.bottom_field
            or previous.frame_num != header.frame_num
        ):
            return None
        first = self._frames[-1]
        return first if first.short | first.long == _fields(previous) else None

    def _make_up_skipped(self, header: SliceHeader) -> None:
        """Infer the frames that frame_num skips (§8.2.5.2), as FFmpeg does whatever the SPS allows.

        Leading pictures that were dropped at the cut leave such gaps. Those before the first picture are only counted:
        other decoders have none.
        """
        if self._previous_num is None:
            self._inferred = list(range(max(0, header.frame_num - self._capacity), header.frame_num))
            return
        previous, modulus = self._previous_num, self._max_frame_num
        skipped = (header.frame_num - previous) % modulus - 1
        for frame_num in range(header.frame_num - min(skipped, self._capacity), header.frame_num):
            self._slide()
            self._frames.append(_Frame(frame_num=frame_num % modulus, short=_BOTH, made_up=True))

    def _slide(self) -> None:
        """Make room for one frame (§8.2.5.3); frames lie in decoding order, so the first short-term one is the oldest.

        The condition holds only where nothing from before the cut is left.
        """
        if len(self._frames) + len(self._inferred) < self._capacity:
            return
        if self._inferred:
            self._inferred.pop(0)
        else:
            oldest = next((frame for frame in self._frames if frame.short), None)
            if oldest is not None:
                oldest.short = 0
                self._clean()

    def _clean(self) -> None:
        self._frames = [frame for frame in self._frames if frame.short or frame.long]

    def _execute(self, marking: Marking, header: SliceHeader, current: _Frame) -> bool:
        """Carry out one operation (§8.2.5.4); return false if it names a picture that is not there."""
        operation, arguments = marking
        if operation in (1, 3):
            frame, fields = self._short_term(arguments[0], header)
            if frame is None:
                # FFmpeg and the standard differ on whether the index is freed: then nothing may be changed.
                return operation == 3 and any(other.long_index == arguments[1] for other in self._frames)
            frame.short &= ~fields
            if operation == 3:
                self._assign_long(frame, fields, arguments[1])
        elif operation == 2:
            frame, fields = self._long_term(arguments[0], header)
            if frame is None:
                return False
            frame.long &= ~fields
        elif operation == 4:
            for other in self._frames:
                if other.long_index is not None and other.long_index >= arguments[0]:
                    other.long = 0
        elif operation == 5:
            self._frames, self._inferred, self._others = [], [], 0
        else:
            self._assign_long(current, _fields(header), arguments[0])
        self._clean()
        return True

    def _short_term(self, difference_minus1: int, header: SliceHeader) -> tuple[_Frame | None, int]:
        """Return the short-term frame that a difference_of_pic_nums_minus1 names, and which fields (§8.2.5.4.1)."""
        frame_num, fields = _picture_number(2 * header.frame_num + 1, difference_minus1 + 1, header)
        if not header.field_pic:
            frame_num = header.frame_num - difference_minus1 - 1
        frame_num %= self._max_frame_num
        return next((f for f in self._frames if f.short and f.frame_num == frame_num), None), fields

    def _long_term(self, number: int, header: SliceHeader) -> tuple[_Frame | None, int]:
        """Return the frame that long_term_pic_num names, and which of its fields (§8.2.5.4.2)."""
        index, fields = _picture_number(number, 0, header) if header.field_pic else (number, _BOTH)
        return next((f for f in self._frames if f.long and f.long_index == index), None), fields

    def _assign_long(self, frame: _Frame, fields: int, index: int) -> None:
        for other in self._frames:
            if other is not frame and other.long_index == index:
                other.long, other.long_index = 0, None
        frame.long |= fields
        frame.long_index = index


def _fields(header: SliceHeader) -> int:
    if not header.field_pic:
        return _BOTH
    return _BOTTOM if header.bottom_field else _TOP


def _picture_number(number: int, less: int, header: SliceHeader) -> tuple[int, int]:
    """Split a number of a field into that of its frame and its parity: odd is that of the current one (§8.2.4.1)."""
    number -= less
    if not header.field_pic:
        return number, _BOTH
    own = _fields(header)
    return number >> 1, own if number & 1 else own ^ _BOTH
