"""``ffzero inspect``: what a file holds, and a picture of its keyframes and bitrate."""

from __future__ import annotations

import statistics
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import click

import ffzero
from ffzero.cli.console import Console
from ffzero.cli.draw import bar_chart, columns, mark_row, resample, time_axis
from ffzero.cli.quick_start import start_quickly
from ffzero.cli.text import bit_rate, byte_count, clock, count, number, printable

if TYPE_CHECKING:
    from ffzero.api import Movie
    from ffzero.containers.info import MovieInfo, TrackInfo

__all__ = ["describe", "inspect", "picture", "show"]

_CHART_ROWS = 4
_LABEL_WIDTH = 12
_MAX_CHAPTERS = 30


@click.command()
@click.argument("file", type=click.Path(readable=False))
@click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def inspect(console: Console, file: str, json_wanted: bool) -> None:
    """Show the tracks, keyframes and edits of FILE, what is special about it, and its bitrate over time."""
    start_quickly()
    with ffzero.open(file) as movie:
        if json_wanted:
            keyframes_s = [float(time) for time in movie.keyframes()]
            console.object({**movie.info().to_dict(), "keyframes_s": keyframes_s})
        else:
            show(console, movie)


def show(console: Console, movie: Movie) -> None:
    """Print what the movie holds, and its picture."""
    info, keyframes = movie.info(), movie.keyframes()
    console.lines(describe(info, keyframes))
    if keyframes:
        width = console.width - _LABEL_WIDTH
        lines = picture(info, keyframes, movie.bitrate(width), width=width, blocks=console.blocks)
        console.line()
        console.lines([_coloured(line) for line in lines] if console.colour else lines)


def describe(info: MovieInfo, keyframes: list[Fraction]) -> list[str]:
    """Return what a file holds as lines of text."""
    summary = [info.container, byte_count(info.size_bytes), clock(info.duration_s)]
    if info.duration_s > 0:
        summary.append(bit_rate(float(info.size_bytes * 8 / info.duration_s)))
    lines = [printable(info.path), "  " + ", ".join(summary)]
    lines += [f"  {printable(key)}: {printable(value)}" for key, value in info.metadata.items()]
    lines += ["", "Tracks", *columns([_track_row(track) for track in info.tracks])]
    special = [("", note) for note in info.special]
    special += [(f"track {track.id}: ", note) for track in info.tracks for note in track.special]
    if special:
        lines += ["", "Special", *(f"  {where}{printable(note)}" for where, note in special)]
    if info.chapters:
        chapters = info.chapters[:_MAX_CHAPTERS]
        lines += ["", "Chapters", *(f"  {clock(chapter.start_s)}  {printable(chapter.title)}" for chapter in chapters)]
        if len(info.chapters) > _MAX_CHAPTERS:
            lines.append(f"  ... and {len(info.chapters) - _MAX_CHAPTERS} more")
    if keyframes:
        lines += ["", "Keyframes", f"  {_spacing(keyframes)}"]
    return lines


def _track_row(track: TrackInfo) -> list[str]:
    tag = f" ({printable(track.codec_tag)})" if track.codec_tag and track.codec_tag != track.codec else ""
    samples = ""
    if track.sample_count is not None:
        samples = count(track.sample_count, "frame" if track.kind == "video" else "sample")
        if track.shown_count is not None:
            samples = f"{count(track.shown_count, 'frame')}, {track.sample_count - track.shown_count} more hidden"
    size = byte_count(track.payload_bytes) if track.payload_bytes is not None else ""
    if track.payload_bytes and track.duration_s > 0:
        size += f", {bit_rate(float(track.payload_bytes * 8 / track.duration_s))}"
    return [
        str(track.id),
        track.kind,
        track.codec + tag,
        _format(track),
        track.language if track.language != "und" else "",
        f"{clock(track.start_s)} + {clock(track.duration_s)}",
        samples,
        size,
        "" if track.is_default else "not default",
    ]


def _format(track: TrackInfo) -> str:
    parts = []
    if track.width and track.height:
        parts.append(f"{track.width}×{track.height}")
    if track.frame_rate:
        parts.append(f"{number(track.frame_rate)} fps")
    if track.rotation_degrees:
        parts.append(f"turned {track.rotation_degrees}°")
    if track.sample_rate:
        parts.append(f"{number(track.sample_rate / 1000)} kHz")
    if track.channels:
        parts.append({1: "mono", 2: "stereo"}.get(track.channels, f"{track.channels} channels"))
    return " ".join(parts)


def _spacing(keyframes: list[Fraction]) -> str:
    text = f"{count(len(keyframes), 'keyframe')}, the first at {clock(keyframes[0])}"
    gaps = [after - before for before, after in pairwise(keyframes)]
    if not gaps:
        return text
    least, middle, most = (number(gap) for gap in (min(gaps), statistics.median(gaps), max(gaps)))
    if least == most:
        return f"{text}, then every {middle} s"
    return f"{text}, {least} to {most} s apart (half within {middle} s)"


def picture(
    info: MovieInfo, keyframes: list[Fraction], rates: list[float] | None, *, width: int, blocks: bool
) -> list[str]:
    """Return bitrate (``rates``: bytes per bin, or ``None``) and keyframes over the movie's time."""
    start, end = min(info.start_s, keyframes[0]), info.start_s + info.duration_s
    end = max(end, keyframes[-1])
    lines = []
    if rates and end > start:
        bin_s = float(info.duration_s) / len(rates) or 1.0
        values = resample([8 * rate / bin_s for rate in rates], width)
        labels = [bit_rate(max(values)), *[""] * (_CHART_ROWS - 2), "0"]
        chart = bar_chart(values, height=_CHART_ROWS, blocks=blocks)
        lines += [f"{label:>{_LABEL_WIDTH - 2}}  {row}" for label, row in zip(labels, chart, strict=True)]
    marks = mark_row(keyframes, start, end, width=width, blocks=blocks)
    lines += [f"{'keyframes':>{_LABEL_WIDTH - 2}}  {marks}", " " * _LABEL_WIDTH + time_axis(start, end, width=width)]
    return [line.rstrip() for line in lines]


def _coloured(line: str) -> str:
    label, drawn = line[:_LABEL_WIDTH], line[_LABEL_WIDTH:]
    if "keyframes" in label:
        return f"{label}\x1b[33m{drawn}\x1b[0m"
    return f"{label}\x1b[36m{drawn}\x1b[0m" if set(drawn) & set("▁▂▃▄▅▆▇█#") else line
