"""What a file says of its tracks and chapters, which players show by, against what the edit's sources say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from ffzero.containers.info import Chapter
from ffzero.containers.isobmff.model import Track
from ffzero.containers.isobmff.sample_entry import SampleEntry
from ffzero.edits.describe import describe
from ffzero.edits.media import Media
from ffzero.edits.plan import Render
from ffzero.edits.proof.proof import Check, failed, passed, skipped
from ffzero.edits.proof.record import Record, RecordedTitle

__all__ = ["chapter_check", "presentation_checks"]

_LEAST_CHAPTER_S = Fraction(1, 10)
"""A chapter that a cut leaves less of than that need not be there: cuts fall on pictures."""
_COLOUR_BOXES = ("colr", "pasp", "clap", "mdcv", "clli")
_TIME_SLACK_S = Fraction(1, 10)


def presentation_checks(output: Media, record: Record, sources: Mapping[str, Media]) -> list[Check]:
    """Return a check for each track: it is turned, sized, enabled and named a language like one that it is made of."""
    found = []
    ids = {track.id for track in output.box.tracks}
    longest = max((track.header.duration for track in output.box.tracks), default=0)
    if 0 < output.box.duration < longest - 1 and not output.box.fragments:
        text = f"the movie says that it ends after {output.box.duration} ticks, a track after {longest}"
        found.append(failed("headers", text))
    for number, kind in record.tracks.items():
        if number not in ids:
            continue
        name = f"{kind} track {number}"
        segments = record.of_track(number)
        models = [
            track
            for segment in segments
            for track in (sources[segment.input].box.tracks if segment.input in sources else ())
            if track.id in (segment.track, number) and track.handler == output.box.track(number).handler
        ]
        wrong = [list(_differences(output.box.track(number), model)) for model in models]
        entries = [entry for model in models for entry in model.entries]
        like_others = any(isinstance(one, Render) and one.is_altered and not one.altered_s for one in segments)
        if not wrong or (like_others and all(wrong)):
            found.append(skipped("headers", f"{name}: what it is made like is not at hand"))
        elif all(wrong):
            least: list[str] = min(wrong, key=len)
            found.append(failed("headers", f"{name}: {'; '.join(least)}"))
        elif lost := _lost_boxes(output.box.track(number), entries):
            found.append(failed("headers", f"{name}: {lost} is not as in any sample entry of its sources"))
        else:
            found.append(passed("headers", f"{name}: shown like its source"))
    return found


def _lost_boxes(track: Track, entries: Sequence[SampleEntry]) -> str:
    """Return which of the boxes that tell colour and shape no entry of the sources has like an entry of the track."""
    for entry in track.entries:
        for box in _COLOUR_BOXES:
            if entry.boxes.get(box) not in [each.boxes.get(box) for each in entries]:
                return box
    return ""


def _differences(track: Track, model: Track) -> Iterator[str]:
    mine, its = track.header, model.header
    if mine.matrix != its.matrix:
        yield f"it is turned by the matrix {mine.matrix}, the source by {its.matrix}"
    if (mine.width, mine.height) != (its.width, its.height):
        sizes = (f"{each.width / 65536:g}×{each.height / 65536:g}" for each in (mine, its))
        yield "it is shown as {}, the source as {}".format(*sizes)
    if mine.enabled != its.enabled:
        yield "it is not enabled" if its.enabled else "it is enabled, and the source's is not"
    if track.language_code != model.language_code:
        yield f"its language is {track.language!r}, the source's {model.language!r}"


def chapter_check(media: Media, record: Record) -> Check:
    """Return whether the chapters are those of the record, in order and at their times."""
    found = describe(media).chapters
    count = len(found)
    if record.chapters is None:
        return skipped("chapters", f"{count}; how many it should have is not known", chapters=count)
    if not record.titles:
        if count != record.chapters:
            return failed("chapters", f"{count}, not {record.chapters}", chapters=count)
        return passed("chapters", f"{count}, as planned", chapters=count)
    wrong = _wrong_chapter(found, record.titles)
    if wrong:
        return failed("chapters", f"{count}, not {record.chapters}: {wrong}", chapters=count)
    return passed("chapters", f"{count}, as planned", chapters=count)


def _wrong_chapter(found: tuple[Chapter, ...], wanted: tuple[RecordedTitle, ...]) -> str:
    """Say which chapter is the first that is not as wanted; those of which next to nothing is shown may be left out."""
    left = list(found)
    for title in wanted:
        chapter = left[0] if left else None
        if chapter is not None and chapter.title == title.title and _near(chapter.start_s, title.start_s):
            left.pop(0)
        elif title.end_s - title.start_s > _LEAST_CHAPTER_S:
            there = "nothing" if chapter is None else f"{chapter.title!r} at {float(chapter.start_s):.3f} s"
            return f"{title.title!r} at {float(title.start_s):.3f} s is wanted, and there is {there}"
    return f"{left[0].title!r} was not planned" if left else ""


def _near(one: Fraction, two: Fraction) -> bool:
    return abs(one - two) <= _TIME_SLACK_S
