"""FFmpeg's command line grammar: which words are options, which their values, which name an output.

fftools/cmdutils.c, ``split_commandline``: a word that begins with ``-`` is an option, which takes the next word unless
it is one of the flags below; a lone ``-``, any other word, and the word after ``--`` is an output. An option that
FFmpeg does not know by itself belongs to a codec, a muxer or the like, and those all take a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ffzero.values import dataclass

__all__ = ["Option", "Target", "is_flag", "read_words"]

# Options without a value, in FFmpeg 4 to 9; the boolean ones exist with "no" before them too.
_FLAG_WORDS = (
    "y n hide_banner report ignore_unknown copy_unknown benchmark benchmark_all stats stdin dump hex copyts"
    " start_at_zero debug_ts vstats bitexact accurate_seek find_stream_info shortest vn an sn dn re"
    " xerror autorotate autoscale qphist psnr fix_sub_duration fix_sub_duration_heartbeat copyinkf force_fps"
    " intra deinterlace auto_conversion_filters recast_media dct8x8 print_graphs display_hflip display_vflip"
    " L license version buildconf formats muxers demuxers devices codecs decoders encoders bsfs protocols filters"
    " pix_fmts layouts sample_fmts dispositions colors hwaccels"
)
_FLAGS = frozenset(_FLAG_WORDS.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option: its name without dashes, with its stream specifier; ``value`` is ``None`` for a flag."""

    index: int
    name: str
    value: str | None

    @property
    def base(self) -> str:
        """The name without its stream specifier."""
        return self.name.partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The word at ``index`` is an output."""

    index: int
    word: str


def read_words(argv: Sequence[str]) -> Iterator[Option | Target]:
    """Yield the options (``-i`` with its input is one) and outputs of a line whose first word is the program."""
    index = 1
    while index < len(argv):
        word = argv[index]
        if word.startswith("-") and word not in ("-", "--"):
            takes_value = not is_flag(word) and index + 1 < len(argv)
            yield Option(index=index, name=word.lstrip("-"), value=argv[index + 1] if takes_value else None)
            index += 2 if takes_value else 1
            continue
        index += word == "--"
        if index < len(argv):
            yield Target(index=index, word=argv[index])
        index += 1


def is_flag(word: str) -> bool:
    """Return whether an option takes no value: one that is given becomes an output's name."""
    name = word.lstrip("-").partition(":")[0]
    return name in _FLAGS or (name.startswith("no") and name[2:] in _FLAGS)
