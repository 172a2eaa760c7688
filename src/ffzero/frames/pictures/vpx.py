"""VP8 and VP9 coded like the source's, by libvpx: they decode by the source's sample entry."""

from __future__ import annotations

from ffzero.frames.pictures.recipes import Recipe, as_they_come
from ffzero.frames.pictures.source import Source

__all__ = ["vp8_recipe", "vp9_recipe"]

_QUANTIZERS = (8, 4, 1)
_FIXED = {"deadline": "realtime", "lag-in-frames": "0", "auto-alt-ref": "0", "b": "0"}

_FORMATS = ("yuv420", "yuv422", "yuv440", "yuv444", "gbr")
_HIGH_DEPTHS = frozenset(f"{name}p{bits}le" for name in _FORMATS for bits in (10, 12))


def vp8_recipe(source: Source) -> Recipe:
    """Return how to code pictures like a VP8 source's."""
    return _recipe(source, "libvpx", {"cpu-used": "4"})


def vp9_recipe(source: Source) -> Recipe:
    """Return how to code pictures like a VP9 source's; the pixel format says the profile (VP9 §7.2)."""
    return _recipe(source, "libvpx-vp9", {"cpu-used": "6", "row-mt": "1"}, by_program=source.pix_fmt in _HIGH_DEPTHS)


def _recipe(source: Source, encoder: str, options: dict[str, str], *, by_program: bool = False) -> Recipe:
    return Recipe(
        encoder=encoder,
        pix_fmt=source.pix_fmt,
        attempts=tuple(
            {**_FIXED, **options, "qmin": str(value), "qmax": str(value), "crf": str(value)} for value in _QUANTIZERS
        ),
        package=lambda headers: as_they_come(source.entry),
        rate=source.rate,
        color_range=source.color_range,
        primaries=source.primaries,
        transfer=source.transfer,
        matrix=source.matrix,
        interval=source.interval,
        by_program=by_program,
    )
