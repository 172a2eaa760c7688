"""Codecs whose pictures all stand alone: an edit never needs them coded anew, an effect does."""

from __future__ import annotations

from ffzero.errors import UnsupportedError
from ffzero.frames.pictures.recipes import Recipe, as_they_come
from ffzero.frames.pictures.source import Source

__all__ = ["mjpeg_recipe", "png_recipe", "prores_recipe"]

_PRORES = {"apco": 0, "apcs": 1, "apcn": 2, "apch": 3, "ap4h": 4, "ap4x": 5}
_LAMBDA = 118
"""FF_QP2LAMBDA: what FFmpeg's qualities are counted in."""


def prores_recipe(source: Source) -> Recipe:
    """Return how to code pictures like a ProRes source's: the same profile, its quantizer chosen for quality."""
    profile = _PRORES.get(source.entry.original_format)
    if profile is None:
        raise UnsupportedError(f"no encoder here makes ProRes {source.entry.original_format}")
    options = {"profile": str(profile), "vendor": "apl0"}
    flags = "+ildct+ilme" if source.interlaced else ""
    better = tuple({**options, "flags": f"+qscale{flags}", "global_quality": str(_LAMBDA * q)} for q in (2, 1))
    first = {**options, "flags": flags} if flags else options
    # Decoders of 4444 give out 12 bits, of which the encoder takes 10.
    pix_fmt = source.pix_fmt.replace("p12le", "p10le")
    return _recipe(source, "prores_ks", first, *better, pix_fmt=pix_fmt)


def mjpeg_recipe(source: Source) -> Recipe:
    """Return how to code pictures like a Motion JPEG source's."""
    if source.interlaced:
        raise UnsupportedError("Motion JPEG of two fields to a sample is not coded anew")
    # The encoder takes the least quantizer that it may.
    return _recipe(source, "mjpeg", *({"flags": "+qscale", "qmin": q, "qmax": q, "strict": "-1"} for q in ("2", "1")))


def png_recipe(source: Source) -> Recipe:
    """Return how to code pictures like a PNG source's: without loss."""
    return _recipe(source, "png", {})


def _recipe(source: Source, encoder: str, *attempts: dict[str, str], pix_fmt: str | None = None) -> Recipe:
    return Recipe(
        encoder=encoder,
        pix_fmt=pix_fmt or source.pix_fmt,
        attempts=attempts,
        package=lambda headers: as_they_come(source.entry),
        rate=source.rate,
        sample_aspect=source.sample_aspect,
        color_range=source.color_range,
        primaries=source.primaries,
        transfer=source.transfer,
        matrix=source.matrix,
        interlaced=source.interlaced,
        interval=1,
    )
