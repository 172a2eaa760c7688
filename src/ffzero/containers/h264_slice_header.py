"""H.264 slice headers, whole (ITU-T H.264, 08/2021, §7.3.3), and what of a PPS they depend on (§7.3.2.2)."""

from __future__ import annotations

import functools

from ffzero.containers.bits import BitReader, unescape
from ffzero.containers.h264 import H264NalType, SliceType
from ffzero.containers.h264_params import H264Pps, H264Sps
from ffzero.errors import InvalidDataError
from ffzero.values import dataclass

__all__ = ["Marking", "SliceHeader", "slice_header", "slice_pps_id"]

Marking = tuple[int, tuple[int, ...]]
"""A memory management control operation (1 to 6) and its arguments as coded (§7.3.3.3)."""

_HEAD_BYTES = 4096
"""More than the longest slice header: two lists of 32 references with explicit weights are under 2 KiB."""

_WITH_HEADER = frozenset({H264NalType.SLICE, H264NalType.PARTITION_A, H264NalType.IDR})
_ARGUMENTS = {1: 1, 2: 1, 3: 2, 4: 1, 5: 0, 6: 1}
_PREDICTED = frozenset({SliceType.P, SliceType.SP, SliceType.B})
_SWITCHING = frozenset({SliceType.SP, SliceType.SI})
_LAST_MODIFICATION = 3
_MAX_REFERENCE_INDEX = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceHeader:
    """A slice header. Bit offsets count from the NAL unit's first byte, emulation prevention removed.

    ``idr_pic_id`` is ``None`` unless the picture is IDR, ``pic_order_cnt_lsb`` unless the SPS has poc type 0.
    ``adaptive`` is adaptive_ref_pic_marking_mode_flag, ``marking`` its operations without the end marker.
    ``frame_num_bits`` and ``marking_bits`` are the half-open ranges of frame_num and of dec_ref_pic_marking(), empty
    where it is absent (``nal_ref_idc`` of 0), ``end_bits`` where slice data (with CABAC: its alignment) begins.
    """

    first_mb: int
    slice_type: SliceType
    pps_id: int
    frame_num: int
    frame_num_bits: tuple[int, int]
    field_pic: bool
    bottom_field: bool
    idr_pic_id: int | None
    pic_order_cnt_lsb: int | None
    redundant_pic_cnt: int
    nal_ref_idc: int
    adaptive: bool
    marking: tuple[Marking, ...]
    marking_bits: tuple[int, int]
    end_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _PictureSettings:
    """What slice headers need of a PPS; ``group_change_rate`` is 0 where slice groups do not evolve."""

    pic_order_present: bool
    group_change_rate: int
    references: tuple[int, int]
    weighted_prediction: bool
    weighted_biprediction: int
    deblocking_control: bool
    redundant_pictures: bool


def slice_pps_id(nal: bytes) -> int:
    """Return pic_parameter_set_id of a slice NAL unit: with it the parameter sets for ``slice_header`` are found."""
    bits = _reader(nal)
    bits.ue()
    bits.ue(maximum=9)
    return bits.ue(maximum=255)


def slice_header(nal: bytes, sps: H264Sps, pps: H264Pps) -> SliceHeader:
    """Parse the slice header of ``nal`` (types 1, 2 and 5, header byte included), which refers to ``pps`` and ``sps``.

    Only the first few KiB are looked at. Raises ``InvalidDataError`` where it is damaged or of another PPS (H.264
    §7.3.3).
    """
    bits = _reader(nal)
    idr, ref_idc = nal[0] & 31 == H264NalType.IDR, nal[0] >> 5 & 3
    settings = _picture_settings(pps)
    first_mb, slice_type, pps_id = bits.ue(), SliceType(bits.ue(maximum=9) % 5), bits.ue(maximum=255)
    if pps_id != pps.id or pps.sps_id != sps.id:
        raise InvalidDataError("a slice refers to another parameter set", expected=pps.id, found=pps_id)
    if sps.separate_planes:
        bits.skip(2)
    numbered = bits.position_bits
    frame_num = bits.u(sps.log2_max_frame_num)
    field_pic = not sps.frame_mbs_only and bits.flag()
    bottom_field = field_pic and bits.flag()
    idr_pic_id = bits.ue(maximum=0xFFFF) if idr else None
    lsb = _picture_order(bits, sps, both_fields=settings.pic_order_present and not field_pic)
    redundant = bits.ue(maximum=127) if settings.redundant_pictures else 0
    _skip_prediction(bits, sps, settings, slice_type)
    start = bits.position_bits
    adaptive, marking = _marking(bits, idr=idr) if ref_idc else (False, ())
    end = bits.position_bits
    _skip_quantisation(bits, sps, pps, settings, slice_type)
    return SliceHeader(
        first_mb=first_mb,
        slice_type=slice_type,
        pps_id=pps_id,
        frame_num=frame_num,
        frame_num_bits=(numbered, numbered + sps.log2_max_frame_num),
        field_pic=field_pic,
        bottom_field=bottom_field,
        idr_pic_id=idr_pic_id,
        pic_order_cnt_lsb=lsb,
        redundant_pic_cnt=redundant,
        nal_ref_idc=ref_idc,
        adaptive=adaptive,
        marking=marking,
        marking_bits=(start, end),
        end_bits=bits.position_bits,
    )


def _reader(nal: bytes) -> BitReader:
    """Return a reader of a slice NAL unit's start, behind its header byte; its positions count from that byte."""
    if not nal or nal[0] & 31 not in _WITH_HEADER:
        raise InvalidDataError("not a NAL unit with a slice header", expected="type 1, 2 or 5", found=nal[:1].hex())
    bits = BitReader(unescape(nal[:_HEAD_BYTES]))
    bits.skip(8)
    return bits


def _picture_order(bits: BitReader, sps: H264Sps, *, both_fields: bool) -> int | None:
    lsb = None
    if sps.poc_type == 0:
        lsb = bits.u(sps.log2_max_poc_lsb)
        if both_fields:
            bits.se()
    elif sps.poc_type == 1 and not sps.poc_cycle[0]:
        bits.se()
        if both_fields:
            bits.se()
    return lsb


def _skip_prediction(bits: BitReader, sps: H264Sps, settings: _PictureSettings, slice_type: SliceType) -> None:
    """Pass over what names and weighs references: from direct_spatial_mv_pred_flag to pred_weight_table()."""
    if slice_type not in _PREDICTED:
        return
    bidirectional = slice_type is SliceType.B
    if bidirectional:
        bits.skip(1)
    lists = 2 if bidirectional else 1
    counts = settings.references[:lists]
    if bits.flag():
        counts = tuple(bits.ue(maximum=_MAX_REFERENCE_INDEX) + 1 for _ in range(lists))
    for _ in counts:
        _skip_list_modification(bits)
    weighted = settings.weighted_biprediction == 1 if bidirectional else settings.weighted_prediction
    if weighted:
        _skip_weights(bits, counts, chroma=sps.chroma_format != 0 and not sps.separate_planes)


def _skip_list_modification(bits: BitReader) -> None:
    """Pass over one list of ref_pic_list_modification() (§7.3.3.1)."""
    if bits.flag():
        while bits.ue(maximum=5) != _LAST_MODIFICATION:
            bits.ue()


def _skip_weights(bits: BitReader, counts: tuple[int, ...], *, chroma: bool) -> None:
    """Pass over pred_weight_table() (§7.3.3.2)."""
    for _ in range(2 if chroma else 1):
        bits.ue(maximum=7)
    for _ in range(sum(counts)):
        for values in (2, 4) if chroma else (2,):
            if bits.flag():
                for _ in range(values):
                    bits.se()


def _marking(bits: BitReader, *, idr: bool) -> tuple[bool, tuple[Marking, ...]]:
    """Read dec_ref_pic_marking() (§7.3.3.3)."""
    if idr:
        bits.skip(2)
        return False, ()
    operations: list[Marking] = []
    adaptive = bits.flag()
    while adaptive and (operation := bits.ue(maximum=6)):
        operations.append((operation, tuple(bits.ue() for _ in range(_ARGUMENTS[operation]))))
    return adaptive, tuple(operations)


def _skip_quantisation(
    bits: BitReader, sps: H264Sps, pps: H264Pps, settings: _PictureSettings, slice_type: SliceType
) -> None:
    """Pass over what follows dec_ref_pic_marking(): from cabac_init_idc to slice_group_change_cycle."""
    if pps.cabac and slice_type in _PREDICTED:
        bits.ue(maximum=2)
    bits.se()
    if slice_type in _SWITCHING:
        bits.skip(1 if slice_type is SliceType.SP else 0)
        bits.se()
    if settings.deblocking_control and bits.ue(maximum=2) != 1:
        bits.se()
        bits.se()
    if rate := settings.group_change_rate:
        steps = -(-sps.width_macroblocks * sps.height_map_units // rate)
        bits.skip(steps.bit_length())


@functools.lru_cache(maxsize=64)
def _picture_settings(pps: H264Pps) -> _PictureSettings:
    count, value = pps.body
    padding = -count % 8
    bits = BitReader((value << padding).to_bytes((count + padding) // 8))
    pic_order_present = bits.flag()
    rate = _slice_groups(bits, groups) if (groups := bits.ue(maximum=7) + 1) > 1 else 0
    references = (bits.ue(maximum=_MAX_REFERENCE_INDEX) + 1, bits.ue(maximum=_MAX_REFERENCE_INDEX) + 1)
    weighted, biprediction = bits.flag(), bits.u(2)
    for _ in range(3):  # pic_init_qp_minus26, pic_init_qs_minus26, chroma_qp_index_offset
        bits.se()
    deblocking = bits.flag()
    bits.skip(1)
    return _PictureSettings(
        pic_order_present=pic_order_present,
        group_change_rate=rate,
        references=references,
        weighted_prediction=weighted,
        weighted_biprediction=biprediction,
        deblocking_control=deblocking,
        redundant_pictures=bits.flag(),
    )


def _slice_groups(bits: BitReader, groups: int) -> int:
    """Read the slice group map of a PPS; return SliceGroupChangeRate, or 0 where the map does not change."""
    kind = bits.ue(maximum=6)
    if kind in (3, 4, 5):
        bits.skip(1)
        return bits.ue() + 1
    if kind == 6:
        bits.skip((bits.ue() + 1) * (groups - 1).bit_length())
    elif kind in (0, 2):
        for _ in range(groups if kind == 0 else 2 * (groups - 1)):
            bits.ue()
    return 0
