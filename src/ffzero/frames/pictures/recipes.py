"""How pictures are to be coded, and how what comes out becomes samples: what each codec's module works out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from fractions import Fraction

from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.values import dataclass

__all__ = ["Package", "Recipe", "as_they_come"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """How coded pictures lie in the container; ``entry``, ``added_sets`` and ``restore`` are for ``CodedPictures``.

    ``decodes_by`` describes the samples for a decoder. ``sample`` makes a sample of what the encoder gave out.
    """

    decodes_by: SampleEntry
    sample: Callable[[bytes], bytes]
    entry: bytes | None = None
    added_sets: tuple[bytes, ...] = ()
    restore: bytes = b""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What an encoder is to be set to. ``attempts`` are whole sets of its options, each for more quality than the last.

    ``package`` is asked with the encoder's headers (extradata) once it is open. With ``delayed`` the headers promise
    B pictures, so that decoders hold one picture back, though there is none. With ``by_program`` the encoder is that of
    the FFmpeg program: PyAV's lacks the pixel format. With ``compared_later`` it takes so much memory that what it made
    had better be looked at when it has come to its end, where that can be.
    """

    encoder: str
    pix_fmt: str
    attempts: tuple[Mapping[str, str], ...] = field(hash=False)
    package: Callable[[bytes], Package]
    rate: Fraction
    sample_aspect: Fraction | None = None
    color_range: int = 0
    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    interlaced: bool = False
    delayed: bool = False
    by_program: bool = False
    compared_later: bool = False
    interval: int = 250


def as_they_come(entry: SampleEntry, *, restore: bytes = b"") -> Package:
    """Return the package of pictures that decode by the source's entry just as the encoder gives them out."""
    return Package(decodes_by=entry, sample=bytes, restore=restore)
