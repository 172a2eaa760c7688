"""Which decoders may pass over pictures that nothing needs, by their headers alone."""

from __future__ import annotations

__all__ = ["can_skip"]

_ALWAYS = frozenset({"h264", "mpeg2video", "mpeg4"})
_HVCC_BYTES = 23
_ONE_LAYER = 1


def can_skip(codec: str, configuration: bytes | None) -> bool:
    """Whether ``skip_frame="NONREF"`` leaves out only what no other picture is predicted from.

    In HEVC a picture that its own temporal layer does not refer to may still serve a higher one (H.265 §7.4.2.2), so
    there has to be just one layer: ``numTemporalLayers`` of the configuration record (ISO/IEC 14496-15 §8.3.3.1.2).
    """
    if codec in _ALWAYS:
        return True
    if codec != "hevc" or not configuration or len(configuration) < _HVCC_BYTES or configuration[0] != 1:
        return False
    return configuration[21] >> 3 & 7 == _ONE_LAYER
