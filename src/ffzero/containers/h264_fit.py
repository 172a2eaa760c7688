"""Whether H.264 slices coded for one sequence parameter set decode with another (ITU-T H.264, 08/2021)."""

from __future__ import annotations

from dataclasses import replace

from ffzero.containers.h264_params import H264Sps

__all__ = ["expected_misfit", "misfit"]

_HIGH = {66, 77, 100}
_ACCEPTS = {66: {66}, 77: {66, 77}, 88: {66}, 100: _HIGH, 110: _HIGH | {110}, 122: _HIGH | {110, 122}}
"""Which profiles' tools a decoder of a profile has; Extended and Baseline take what x264 calls 66 (no FMO, no ASO)."""
_CAVLC_444_INTRA, _HIGH_444 = 44, 244


def misfit(own: H264Sps, host: H264Sps) -> str | None:
    """Return why slices coded for the SPS ``own`` cannot be decoded with ``host``, or ``None`` where they can.

    Bidirectional prediction is not looked into: the rendered pictures are I and P. With ``constraint_set3`` of the
    intra profiles, and with poc type 1, nothing but the source's own coding fits.
    """
    for (name, found), expected in zip(_facts(own).items(), _facts(host).values(), strict=True):
        if found != expected:
            return f"{name} differs: {found}, the source's is {expected}"
    if own.profile not in _ACCEPTS.get(host.profile, _ACCEPTS[122] | {host.profile}):
        return f"profile {own.profile} is not within the source's {host.profile}"
    if own.max_num_ref_frames > host.max_num_ref_frames:
        return f"{own.max_num_ref_frames} reference frames, the source has {host.max_num_ref_frames}"
    if own.scaling is not None:
        return "the encoder's SPS has scaling lists"
    if host.poc_type == 1:
        return "the source has picture order count type 1"
    return None


def expected_misfit(like: H264Sps, host: H264Sps) -> str | None:
    """Return what ``misfit`` will say of pictures yet to be coded like those of ``like``, by an encoder as ours."""
    profile = _HIGH_444 if like.profile == _CAVLC_444_INTRA else like.profile
    return misfit(replace(like, profile=profile, max_num_ref_frames=1, scaling=None), host)


def _facts(sps: H264Sps) -> dict[str, object]:
    """Return what slice data depends on, by name."""
    return {
        "size": (sps.width_macroblocks, sps.height_map_units * (1 if sps.frame_mbs_only else 2)),
        "chroma format": (sps.chroma_format, sps.separate_planes),
        "bit depth": (sps.bit_depth_luma, sps.bit_depth_chroma),
        "macroblock-adaptive fields": sps.adaptive_frame_field,
        "lossless bypass": sps.lossless_bypass,
    }
