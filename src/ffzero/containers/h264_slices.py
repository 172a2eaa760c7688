"""Reference picture marking at a cut: H.264 slices without operations on pictures from before it.

Where a track is cut at an open random access picture, that picture and those after it may still un-reference pictures
that are gone. It is harmless, yet FFmpeg says ``mmco: unref short failure`` and some hardware decoders give up.
Clauses are those of ITU-T H.264 (08/2021).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ffzero.containers.h264 import H264NalType
from ffzero.containers.h264_params import H264Pps, H264Sps, parse_h264_pps, parse_h264_sps
from ffzero.containers.h264_references import Effect, ReferencePictures
from ffzero.containers.h264_slice_data import with_marking, with_nal_units
from ffzero.containers.h264_slice_header import SliceHeader, slice_header, slice_pps_id
from ffzero.containers.nal_units import NalSpan, iter_length_prefixed
from ffzero.errors import InvalidDataError

__all__ = ["SliceHeader", "slice_header", "stale_window", "without_stale_markings"]

_SLICES = frozenset({H264NalType.SLICE, H264NalType.PARTITION_A, H264NalType.IDR})
_PARAMETER_SETS = frozenset({H264NalType.SPS, H264NalType.PPS})
_WINDOW_PER_REFERENCE = 4


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
    samples: Iterable[bytes], nal_length_size: int, parameter_sets: Iterable[bytes]
) -> dict[int, bytes]:
    """Return new bytes for those samples whose slices un-reference pictures that precede the first sample.

    ``samples`` are the first ones kept, in decoding order, as in ``avc1`` (NAL lengths of ``nal_length_size`` bytes);
    they may be lazy, for they are read no further than needed. ``parameter_sets`` are the SPS and PPS NAL units of the
    sample entry. The keys are indices into ``samples``.

    Only memory management control operations (§7.4.3.3) that name pictures which are not there are removed, so what a
    decoder shows does not change; all else in the samples stays. A sample is kept as it is, stale operations or not,
    where removal could change pictures:

    - CAVLC data would have to be shifted by a part of a byte and is long enough for an I_PCM macroblock, the samples of
      which are byte aligned (§7.3.5);
    - the operations that remain free no frame, so that decoders which infer missing frames would have too many.

    Samples behind one that cannot be read (damaged, of an unknown parameter set) are left as they are. Do not give
    encrypted samples: where their slice headers are clear, the new sizes would not fit their subsample tables.
    Raises ``InvalidDataError`` for an impossible ``nal_length_size`` only.
    """
    if not 1 <= nal_length_size <= 4:
        raise InvalidDataError("a NAL length has an impossible size", expected="1, 2 or 4", found=nal_length_size)
    cleaner = _Cleaner(nal_length_size, parameter_sets)
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


class _Cleaner:
    """Follows the reference pictures from sample to sample; ``done`` once nothing stale can follow."""

    def __init__(self, nal_length_size: int, parameter_sets: Iterable[bytes]) -> None:
        self.done = False
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
            self._sps, self._references = first.sps, ReferencePictures(first.sps)
        self.done = first.header.idr_pic_id is not None or first.sps != self._sps
        return not self.done

    def _pictures(self, sample: bytes) -> Iterator[list[_Slice]]:
        """Yield the slices of each picture (frame or field) of a sample, redundant ones included (§7.4.1.2.4)."""
        for _, slices in itertools.groupby(self._slices(sample), key=_picture_key):
            yield list(slices)

    def _slices(self, sample: bytes) -> Iterator[_Slice]:
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
    if operations == first.marking or (operations and not effect.makes_room):
        return []
    edits = [
        (part.span, nal)
        for part in picture
        if (nal := with_marking(part.nal, part.header, operations, part.sps, cabac=part.cabac)) is not None
    ]
    return edits if len(edits) == len(picture) else []
