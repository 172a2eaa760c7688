"""Reference picture marking at a cut: H.264 slices without operations on pictures from before it.

Where a track is cut at an open random access picture, that picture and those after it may still un-reference pictures
that are gone. It is harmless, yet FFmpeg says ``mmco: unref short failure`` and some hardware decoders give up.
Clauses are those of ITU-T H.264 (08/2021).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field

from ffzero.containers.h264 import H264NalType
from ffzero.containers.h264_params import H264Pps, H264Sps, parse_h264_pps, parse_h264_sps
from ffzero.containers.h264_references import Effect, ReferencePictures
from ffzero.containers.h264_slice_data import with_marking, with_nal_units
from ffzero.containers.h264_slice_header import Marking, SliceHeader, slice_header, slice_pps_id
from ffzero.containers.nal_units import NalSpan, iter_length_prefixed
from ffzero.errors import InvalidDataError
from ffzero.values import dataclass

__all__ = ["SliceHeader", "holds_one_field", "slice_header", "stale_window", "without_stale_markings"]

_SLICES = frozenset({H264NalType.SLICE, H264NalType.PARTITION_A, H264NalType.IDR})
_PARAMETER_SETS = frozenset({H264NalType.SPS, H264NalType.PPS})
_WINDOW_PER_REFERENCE = 4
_UNREFERENCE_SHORT, _BOUND_LONG = 1, 4
"""Memory management control operations (Table 7-9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    span: NalSpan
    nal: bytes
    header: SliceHeader
    sps: H264Sps
    cabac: bool


@dataclass(slots=True)
class _ParameterSets:
    """The parameter sets in force; one that cannot be read is as if it were not there."""

    sps: dict[int, H264Sps] = field(default_factory=dict)
    pps: dict[int, H264Pps] = field(default_factory=dict)

    def add(self, nal: bytes) -> None:
        try:
            if nal[:1] and nal[0] & 31 == H264NalType.SPS:
                sps = parse_h264_sps(nal)
                self.sps[sps.id] = sps
            elif nal[:1] and nal[0] & 31 == H264NalType.PPS:
                pps = parse_h264_pps(nal)
                self.pps[pps.id] = pps
        except InvalidDataError:
            return

    def of(self, nal: bytes) -> tuple[H264Sps, H264Pps]:
        pps = self.pps.get(slice_pps_id(nal))
        sps = self.sps.get(pps.sps_id) if pps else None
        if pps is None or sps is None:
            raise InvalidDataError("a slice refers to a parameter set that is not there")
        return sps, pps


def stale_window(sps: H264Sps) -> int:
    """Return how many reference pictures from the cut on should be given to ``without_stale_markings``.

    The standard sets no bound: a picture from before the cut leaves only when it is named or when later ones need its
    place. Where at least one of four reference pictures stays, as in GOPs of up to three levels of B pictures, this is
    enough. ``without_stale_markings`` itself stops earlier, when it sees that the place is needed.
    """
    return _WINDOW_PER_REFERENCE * max(sps.max_num_ref_frames, 1)


def without_stale_markings(
    samples: Iterable[bytes], nal_length_size: int, parameter_sets: Iterable[bytes], *, before: int | None = None
) -> dict[int, bytes]:
    """Return new bytes for those samples whose slices un-reference pictures that precede the first sample.

    ``samples`` are the first ones kept, in decoding order, as in ``avc1`` (NAL lengths of ``nal_length_size`` bytes);
    they may be lazy, for they are read no further than needed. ``parameter_sets`` are the SPS and PPS NAL units of the
    sample entry. The keys are indices into ``samples``. ``before`` is the frame_num of the one reference picture that
    is decoded before them, where one was put there: it is un-referenced where it would be one too many.

    Only memory management control operations (§7.4.3.3) that name pictures which are not there are removed, so what a
    decoder shows does not change; all else in the samples stays. CAVLC data that is long enough for an I_PCM
    macroblock, the samples of which are byte aligned (§7.3.5), is moved by whole bytes only: an operation without
    effect and the other code of the slice's type make up for what was removed. A sample is kept as it is, stale
    operations or not, where removal could change pictures:

    - no such operations have the length that is needed;
    - the operations that remain free no frame, so that decoders which infer missing frames would have too many.

    Samples behind one that cannot be read (damaged, of an unknown parameter set) are left as they are. Do not give
    encrypted samples: where their slice headers are clear, the new sizes would not fit their subsample tables.
    Raises ``InvalidDataError`` for an impossible ``nal_length_size`` only.
    """
    if not 1 <= nal_length_size <= 4:
        raise InvalidDataError("a NAL length has an impossible size", expected="1, 2 or 4", found=nal_length_size)
    cleaner = _Cleaner(nal_length_size, parameter_sets, before)
    changed: dict[int, bytes] = {}
    for index, sample in enumerate(samples):
        try:
            edited = cleaner.clean(sample)
        except InvalidDataError:
            break
        if edited is not None:
            changed[index] = edited
        if cleaner.done:
            break
    return changed


def holds_one_field(sample: bytes, nal_length_size: int, parameter_sets: Iterable[bytes]) -> bool:
    """Whether all slices of a sample are of one field of a frame; false where they cannot be read."""
    reader = _Cleaner(nal_length_size, parameter_sets, None)
    try:
        fields = {(part.header.field_pic, part.header.bottom_field) for part in reader.slices(sample)}
    except InvalidDataError:
        return False
    return fields in ({(True, False)}, {(True, True)})


class _Cleaner:
    """Follows the reference pictures from sample to sample; ``done`` once nothing stale can follow."""

    def __init__(self, nal_length_size: int, parameter_sets: Iterable[bytes], before: int | None) -> None:
        self.done = False
        self._before = before
        self._nal_length_size = nal_length_size
        self._sets = _ParameterSets()
        self._sps: H264Sps | None = None
        self._references: ReferencePictures | None = None
        for nal in parameter_sets:
            self._sets.add(nal)

    def clean(self, sample: bytes) -> bytes | None:
        """Return the sample without stale operations, or ``None`` where it stays as it is."""
        edits: list[tuple[NalSpan, bytes]] = []
        for picture in self._pictures(sample):
            if not self._takes(picture[0]) or self._references is None:
                break
            effect = self._references.decode(picture[0].header)
            self.done = not self._references.may_hold_others
            edits += _edits(picture, effect)
            if self.done:
                break
        return with_nal_units(sample, self._nal_length_size, edits) if edits else None

    def _takes(self, first: _Slice) -> bool:
        """Whether the picture of this slice follows on the ones before; an IDR picture or a new SPS ends all."""
        if self._references is None:
            self._sps, self._references = first.sps, ReferencePictures(first.sps, self._before)
        self.done = first.header.idr_pic_id is not None or first.sps != self._sps
        return not self.done

    def _pictures(self, sample: bytes) -> Iterator[list[_Slice]]:
        """Yield the slices of each picture (frame or field) of a sample, redundant ones included (§7.4.1.2.4)."""
        for _, slices in itertools.groupby(self.slices(sample), key=_picture_key):
            yield list(slices)

    def slices(self, sample: bytes) -> Iterator[_Slice]:
        for offset, length in iter_length_prefixed(sample, self._nal_length_size):
            kind = sample[offset] & 31
            if kind not in _SLICES and kind not in _PARAMETER_SETS:
                continue
            nal = bytes(sample[offset : offset + length])
            if kind in _PARAMETER_SETS:
                self._sets.add(nal)
            else:
                sps, pps = self._sets.of(nal)
                yield _Slice(
                    span=(offset, length), nal=nal, header=slice_header(nal, sps, pps), sps=sps, cabac=pps.cabac
                )


def _picture_key(part: _Slice) -> tuple[int, bool, bool, bool, int | None, int]:
    header = part.header
    is_reference = header.nal_ref_idc > 0
    return (header.frame_num, header.field_pic, header.bottom_field, is_reference, header.idr_pic_id, part.sps.id)


def _edits(picture: list[_Slice], effect: Effect) -> list[tuple[NalSpan, bytes]]:
    """Return the picture's slices without what has no effect: all of them or none.

    Without an operation the mode becomes that of the sliding window. It un-references nothing here, for where an
    operation of the whole stream frees the place of a picture that is gone, the ones that are left do not fill all
    places; and a decoder that inferred missing frames at the cut lets go of the oldest of those.
    """
    first = picture[0].header
    if any((part.header.adaptive, part.header.marking) != (first.adaptive, first.marking) for part in picture):
        raise InvalidDataError("the slices of a picture differ in dec_ref_pic_marking()")
    operations = effect.operations
    if first.adaptive and operations:
        operations = (*operations, *effect.in_the_way)
    if operations == first.marking or (operations and not (effect.makes_room or effect.in_the_way)):
        return []
    found = _marked(picture, operations)
    if found:
        return found
    if first.field_pic and effect.inferred:
        return []  # a field names the two fields of a frame apart
    for filler in _fillers(effect, picture[0].sps):
        adaptive = (*effect.operations, *effect.in_the_way, *effect.inferred, *filler)
        for is_other in (False, True):
            if adaptive and (found := _marked(picture, adaptive, other_type_code=is_other)):
                return found
    return []


def _marked(
    picture: Sequence[_Slice], operations: tuple[Marking, ...], *, other_type_code: bool = False
) -> list[tuple[NalSpan, bytes]]:
    """Return all slices of a picture with these operations, or none where the data of one cannot follow its header."""
    if other_type_code and len({part.header.slice_type for part in picture}) > 1:
        return []
    found: list[tuple[NalSpan, bytes]] = []
    for part in picture:
        nal = with_marking(
            part.nal, part.header, operations, part.sps, cabac=part.cabac, other_type_code=other_type_code
        )
        if nal is None:
            return []
        found.append((part.span, nal))
    return found


def _fillers(effect: Effect, sps: H264Sps) -> Iterator[tuple[Marking, ...]]:
    """Yield operations without effect, each of another length: where nothing is long-term, the bound of its indices."""
    yield ()
    if all(code == _UNREFERENCE_SHORT for code, _ in effect.operations) and not effect.has_long_term:
        for bound in (0, 1, 3, 7, 15):
            if bound <= sps.max_num_ref_frames:
                yield ((_BOUND_LONG, (bound,)),)
