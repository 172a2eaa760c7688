"""From FFmpeg's standard error to the cause in words and what to do about it.

FFmpeg has no error codes that tell causes apart, so its texts are matched: those of FFmpeg 4 to 9, in the order in
which they would mislead (an encoder that cannot open says so three times, the reason stands once, before).
"""

from __future__ import annotations

import re
import signal

from ffzero.values import dataclass

__all__ = ["Diagnosis", "diagnose", "noticed"]

_LONGEST_LINE = 300
_LOG_PREFIX = re.compile(r"^(?:\[[^\]\n]{0,200}\] ?)+")
_AFTERMATH = re.compile(
    r"Error (opening|parsing|splitting|initializing|sending|selecting|while (opening|filtering|processing)|reinit)"
    r"|Task finished|Terminating thread|Could not open encoder before EOF|Nothing was written|Conversion failed"
    r"|maybe incorrect parameters|Last message repeated|^To ignore this|^Failed to set value|^  |^Link |^Use -|^Exiting"
    r"|misdetection possible|deprecated|No filtered frames for output stream"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """``cause``: what went wrong, in words. ``hint``: what to do, or ``None``. ``line``: FFmpeg's own line."""

    cause: str
    hint: str | None = None
    line: str | None = None


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    cause: str
    hint: str | None


def _rule(pattern: str, cause: str, hint: str | None = None) -> _Rule:
    return _Rule(re.compile(pattern, re.IGNORECASE | re.MULTILINE), cause, hint)


_LINE_HINT = "Its own words tell more."
_DOCTOR = "`ffzero doctor` shows what works here."
_HARDWARE = f"The device or its driver is not here; choose a software encoder (libx264, libx265, libsvtav1). {_DOCTOR}"

# In braces: the groups of the pattern, {0}: the first that is not empty. The first rule that matches wins.
_RULES = (
    _rule(r"No space left on device|Disk quota exceeded", "the disk is full",
          "Free some space, or choose another disk."),
    _rule(r"Unknown encoder '([^'\n]*)'", "this FFmpeg has no encoder {1!r}", f"Choose another encoder. {_DOCTOR}"),
    _rule(r"Unknown decoder '([^'\n]*)'", "this FFmpeg has no decoder {1!r}", "Leave the decoder to FFmpeg."),
    _rule(r"No such filter: '([^'\n]*)'", "this FFmpeg has no filter {1!r}", "Check the filter's name."),
    _rule(
        r"(?:applying option|Error initializing filter|Option) '([^'\n]*)' (?:to filter '([^'\n]*)': Option not found"
        r"|not found)",
        "the filter {2!r} has no option {1!r}",
        "See `ffmpeg -h filter=NAME`.",
    ),
    _rule(
        r"Error parsing (?:a )?filter ?(?:graph|chain|complex)?[^\n]*|No option name near '[^\n]*",
        "the filters cannot be read",
        "Check their names, and the quotes, commas and colons in them.",
    ),
    _rule(
        r"Error initializing (?:a |complex )?filter[^\n]*",
        "a filter cannot be set up",
        "Check what it is given, and the files that it names.",
    ),
    _rule(r"Unrecognized option '([^'\n]*)'", "FFmpeg knows no option {1!r}", "Check its name, or remove it."),
    _rule(
        r"Option '?([\w:-]+)'? not found|Codec AVOption (\S+)[^\n]*has not been used",
        "no such option: {0}",
        "The encoder or format chosen has no such option: remove it.",
    ),
    _rule(r"Missing argument for option '([^'\n]*)'", "the option {1!r} lacks its value", "Give it one."),
    _rule(r"Invalid duration for option (\S+): ([^\n]*)", "{2!r} is no time (option {1!r})", "Write seconds or H:M:S."),
    _rule(r"Expected (?:number|int64|float)[^\n]* for (\S+) but found: ([^\n]*)", "{2!r} is no number for {1!r}"),
    _rule(
        r"matches no streams[\s\S]{0,300}?Failed to set value '([^'\n]*)' for option 'map'",
        "no such stream in the input: {1}",
        "`ffzero inspect` shows the streams; a `?` after a map makes it optional.",
    ),
    _rule(
        r"Stream map '([^'\n]*)' matches no streams"
        r"|Stream specifier '?([^'\n]*?)'? (?:in filtergraph[^\n]*)?match(?:es)? no streams",
        "no such stream in the input: {0}",
        "`ffzero inspect` shows the streams; a `?` after a map makes it optional.",
    ),
    _rule(
        r"Output file (?:#\d+ )?does not contain any stream",
        "nothing is left for the output: no stream of the input goes there",
        "Check the maps, and the options that leave streams out.",
    ),
    _rule(
        r"Protocol '?([\w]+)'? not on whitelist",
        "the protocol {1!r} is not allowed",
        "Only the protocols that were whitelisted may be opened, so that a name cannot reach the network.",
    ),
    _rule(
        r"(?:Protocol not found|^([\w]+): Protocol not found)", "this FFmpeg does not know the protocol", "Give a file."
    ),
    _rule(
        r"moov atom not found",
        "the input is no whole MP4: its index (moov) is missing",
        "The recording or download was cut off; get the whole file.",
    ),
    _rule(
        r"Cannot load (lib\S+|nv\S+)|No capable devices found|No (?:NVENC|VA) (?:capable|display)[^\n]*"
        r"|Failed to initiali[sz]e VA[^\n]*|Device creation failed[^\n]*|No device available for [^\n]*"
        r"|Error creating a MFX session[^\n]*|Could not find a valid device|No VA display found[^\n]*"
        r"|Driver does not support the required nvenc[^\n]*|OpenEncodeSessionEx failed[^\n]*|CUDA_ERROR\S*"
        r"|DLL \S+ failed to open|Failed to (?:set value '[^'\n]*' for option 'init_hw_device'|create \S+ device)[^\n]*"
        r"|A hardware (?:device|frames) (?:reference|context)[^\n]*|dst: vaapi",
        "the hardware encoder or device cannot be used here",
        _HARDWARE,
    ),
    _rule(
        r"(width|height) not divisible by (\d+) \((\d+x\d+)\)",
        "the picture's {1} is not divisible by {2} ({3})",
        "Scale to even numbers, or choose a pixel format without subsampled colour (yuv444p).",
    ),
    _rule(
        r"Unable to choose an output format for '([^'\n]*)'|Unable to find a suitable output format for '([^'\n]*)'",
        "the output's name tells no format",
        "Give it a known suffix (.mp4, .mkv, .webm, ...), or name the format (-f).",
    ),
    _rule(r"Unknown (?:output|input) format: '?([^'\n]*)|Requested output format '([^'\n]*)' is not known[^\n]*",
          "this FFmpeg has no format {0!r}", "Check the format's name (-f)."),
    _rule(r"(?:Error setting|invalid) preset[^\n]*", "the encoder has no such preset", "Choose one that it has."),
    _rule(
        r"Could not find tag for codec (\S+) in stream #\d+[^\n]*|(\S+) only supported in (?:MP4|WebM)[^\n]*"
        r"|Only VP8 or VP9 or AV1 video[^\n]*|codec not currently supported in container[^\n]*"
        r"|Unsupported codec[^\n]*muxer[^\n]*|Could not write header[^\n]*Invalid argument",
        "the output's format cannot hold this codec",
        "Choose another container (.mkv holds nearly everything), or another codec.",
    ),
    _rule(r"Specified (pixel|sample) format \S+ is (?:not supported|invalid)|Incompatible (pixel) format",
          "the encoder does not take this {0} format", "Choose one that `ffmpeg -h encoder=NAME` lists."),
    _rule(
        r"The input file is the same as the output|same as (?:Input|output) #\d+",
        "an input and the output are one file",
        "Name another output.",
    ),
    _rule(r"already exists\. Exiting|File '[^\n]*' already exists", "the output exists already", "Allow overwriting."),
    _rule(
        r"Cannot allocate memory|Out of memory|malloc of size \d+ failed|std::bad_alloc",
        "there was not enough memory",
        "Use fewer threads or a smaller picture.",
    ),
    _rule(r"Permission denied|Operation not permitted$(?![\s\S]*Task finished)", "permission was denied",
          "Check the permissions of the files and their folders."),
    _rule(r"Read-only file system", "the output's filesystem is read-only", "Choose another folder."),
    _rule(r"File name too long", "a file's name is too long for the filesystem", "Choose a shorter name."),
    _rule(r"Too many open files", "too many files are open", "Raise the limit (ulimit -n), or use fewer inputs."),
    _rule(
        r"No such file or directory\nError opening input file ([^\n]+)\.$",
        "the input {1!r} does not exist",
        "Check the path.",
    ),
    _rule(
        r"No such file or directory",
        "a file or folder does not exist",
        "Check the path.",
    ),
    _rule(r"Is a directory", "a folder stands where a file is needed", "Name a file."),
    _rule(
        r"Invalid data found when processing input|Error opening input[^\n]*: Invalid argument|Header missing"
        r"|invalid as first byte of an EBML number|partial file|corrupt (?:input|decoded)",
        "the input is damaged, or no media file",
        "Check that it plays; `ffzero inspect` shows what can be read.",
    ),
    _rule(r"Connection (?:refused|reset|timed out)|Failed to resolve hostname[^\n]*|Network is unreachable"
          r"|Server returned [^\n]*", "the network resource cannot be reached", "Check the address."),
    _rule(r"Broken pipe", "the reader of the output went away"),
    _rule(r"Input/output error", "a device reported an error in reading or writing", "Check the disk."),
    _rule(
        r"Output file is empty, nothing was encoded",
        "nothing was written: no picture or sound reached the output",
        "Check the times (-ss, -t, -to), the maps and the filters.",
    ),
    _rule(r"Invalid argument", "FFmpeg did not accept a value that it was given", _LINE_HINT),
)  # fmt: skip


# What FFmpeg calls a warning and goes on, though the output is not what was meant.
_NOTICES = (
    _rule(r"codec (\w+), is muxed as a private data stream",
          "MPEG transport streams know no {1}: players will not find it"),
    _rule(r"Not writing 'dvcC'/'dvvC' box", "the description of Dolby Vision was left out"),
    _rule(r"File ended prematurely|partial file", "the input ends too early: what there is was used"),
    _rule(r"corrupt decoded frame|Packet corrupt|error while decoding MB|concealing \d+",
          "parts of the input are damaged: what could be decoded was used"),
)  # fmt: skip


def noticed(stderr_tail: str) -> tuple[str, ...]:
    """Return what a run that ended well said of its output that its caller ought to know, each thing once."""
    matches = ((rule, rule.pattern.finditer(stderr_tail)) for rule in _NOTICES)
    return tuple(dict.fromkeys(_filled(rule.cause, match) for rule, found in matches for match in found))


def diagnose(stderr_tail: str, returncode: int) -> Diagnosis:
    """Return why FFmpeg failed, from the end of its standard error and its return code (negative: a signal).

    Never raises, whatever the text is.
    """
    text = "\n".join(_LOG_PREFIX.sub("", line[:2000]) for line in stderr_tail.splitlines())
    line = _telling_line(text)
    for rule in _RULES:
        match = rule.pattern.search(text)
        if match is not None:
            return Diagnosis(cause=_filled(rule.cause, match), hint=rule.hint, line=line)
    if returncode < 0:
        return Diagnosis(
            cause=f"it was ended by {_signal_name(-returncode)}", hint=_signal_hint(-returncode), line=line
        )
    if line is not None:
        return Diagnosis(cause=line, hint=None, line=line)
    return Diagnosis(cause="it said nothing about why", hint="Check that the program is FFmpeg: `ffzero doctor`.")


def _filled(cause: str, match: re.Match[str]) -> str:
    groups = [group or "" for group in match.groups()]
    shortened = [_shortened(group) for group in groups]
    return cause.format(next(filter(None, shortened), ""), *shortened)


def _telling_line(text: str) -> str | None:
    """Return the last line that names a reason and is no aftermath, else the last line."""
    lines = [line for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not _AFTERMATH.search(line)]
    found = telling[-1] if telling else lines[-1] if lines else None
    return None if found is None else _shortened(found.strip())


def _shortened(text: str) -> str:
    clean = "".join(char if char.isprintable() else " " for char in text)
    return clean if len(clean) <= _LONGEST_LINE else f"{clean[:_LONGEST_LINE]}..."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _signal_hint(number: int) -> str | None:
    if _signal_name(number) == "SIGKILL":
        return "Perhaps the system ran out of memory: use fewer threads or a smaller picture."
    if _signal_name(number) in ("SIGSEGV", "SIGABRT", "SIGILL", "SIGBUS", "SIGFPE"):
        return "FFmpeg itself crashed; another version may not."
    return None
