"""What a command line that somebody wrote for FFmpeg reads and writes, as far as its words say."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ffzero.errors import TimeRangeError
from ffzero.ffmpeg.grammar import Option, Target, read_words
from ffzero.ffmpeg.outputs import CommandOutput, find_outputs, output_path
from ffzero.timebase import parse_time
from ffzero.values import dataclass

__all__ = ["RawCommand", "RawInput"]

_LEVELS = frozenset({"v", "loglevel"})
_OTHER_FILES = frozenset(
    [
        "dump_attachment",
        "passlogfile",
        "print_graphs_file",
        "progress",
        "report",
        "sdp_file",
        "stats_enc_post",
        "stats_enc_pre",
        "stats_mux_pre",
        "vstats",
        "vstats_file",
    ]
)
_STANDARD_OUTPUT = frozenset({"-", "pipe:", "pipe:1", "fd:", "fd:1", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RawInput:
    """An input: the file that it names (``None``: a pipe, a device, a filter), and what of it is read, in seconds."""

    path: str | None
    start_s: Fraction
    length_s: Fraction | None
    endless: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCommand:
    """A command line, the program's name first."""

    argv: tuple[str, ...]
    inputs: tuple[RawInput, ...]
    outputs: tuple[CommandOutput, ...]
    options: tuple[Option, ...]
    length_s: Fraction | None
    """How long an output may be at most, where its options say so."""

    @classmethod
    def read(cls, argv: Sequence[str]) -> RawCommand:
        """Return what the words mean. Never raises: what makes no sense is left to FFmpeg to say."""
        inputs, lengths, options, block = [], [], [], dict[str, str]()
        for one in read_words(argv):
            if isinstance(one, Target):
                lengths.append(_length(block))
                block = {}
                continue
            options.append(one)
            if one.name == "i":
                inputs.append(_input(one.value or "", block))
                block = {}
            else:
                block[one.name] = one.value or ""
        known = [length for length in lengths if length is not None]
        return cls(
            argv=tuple(argv),
            inputs=tuple(inputs),
            outputs=find_outputs(argv),
            options=tuple(options),
            length_s=max(known) if lengths and len(known) == len(lengths) else None,
        )

    def has(self, *names: str) -> bool:
        """Whether an option of one of these names is there."""
        return any(option.base in names for option in self.options)

    @property
    def chooses_level(self) -> bool:
        """Whether it says how much FFmpeg is to tell."""
        return self.has(*_LEVELS)

    @property
    def writes_standard_output(self) -> bool:
        """Whether an output is standard output, or there is no output: then FFmpeg is asked for a list or its help."""
        names = {self.argv[output.index] for output in self.outputs if self._format_of(output) != "null"}
        return not self.outputs or not names.isdisjoint(_STANDARD_OUTPUT)

    @property
    def analyses(self) -> bool:
        """Whether all its outputs go nowhere (``-f null``), and it is no first pass: it is run for what it says."""
        nowhere = all(self._format_of(output) == "null" for output in self.outputs)
        return bool(self.outputs) and nowhere and not self.has("pass")

    def _format_of(self, output: CommandOutput) -> str | None:
        words = range(output.options_start, output.index)
        formats = [option.value for option in self.options if option.name == "f" and option.index in words]
        return formats[-1] if formats else None

    def other_files(self) -> list[str]:
        """Return what is written beside the outputs and not held back until all is well, in words."""
        names = dict.fromkeys(option.name for option in self.options if option.base in _OTHER_FILES)
        return [f"what -{name} writes is written as FFmpeg goes" for name in names]

    def written_straight(self) -> list[str]:
        """Return all that is not held back until all is well and may be files, in words."""
        tees = [output for output in self.outputs if self._format_of(output) == "tee"]
        return [*(f"{self.argv[output.index]} is written as FFmpeg goes" for output in tees), *self.other_files()]

    @property
    def seems_cut_short(self) -> bool:
        """Whether there are inputs and no output: the words end too early, or are not understood here."""
        return bool(self.inputs) and not self.outputs


def _input(url: str, block: dict[str, str]) -> RawInput:
    is_device = block.get("f") in ("lavfi", "concat")
    return RawInput(
        path=None if is_device else output_path(url),
        start_s=_seconds(block.get("ss")) or Fraction(0),
        length_s=_length(block),
        endless=block.get("stream_loop", "0") != "0",
    )


def _length(block: dict[str, str]) -> Fraction | None:
    length, end = _seconds(block.get("t")), _seconds(block.get("to"))
    if length is not None or end is None:
        return length
    return max(Fraction(0), end - (_seconds(block.get("ss")) or 0))


def _seconds(text: str | None) -> Fraction | None:
    """Return a time as FFmpeg reads it (its ``ms`` and ``us`` too), or ``None``."""
    if text is None:
        return None
    units = {"ms": Fraction(1, 1000), "us": Fraction(1, 1_000_000), "s": Fraction(1), "": Fraction(1)}
    suffix = next(one for one in units if text.endswith(one))
    try:
        return parse_time(text.removesuffix(suffix)) * units[suffix]
    except TimeRangeError:
        return None
