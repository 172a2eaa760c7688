"""Holding an output against the record of its edit: its samples, its pictures, its sound, and what it is made of."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

from ffzero.edits.inputs import open_input
from ffzero.edits.media import Media
from ffzero.edits.proof.player_risks import player_risks
from ffzero.edits.proof.presenting import chapter_check, presentation_checks
from ffzero.edits.proof.proof import Check, Verification, failed, passed
from ffzero.edits.proof.record import Record, missing_sources
from ffzero.edits.proof.record_fit import misfits
from ffzero.edits.proof.sample_proof import copied_checks
from ffzero.errors import FFZeroError, InvalidDataError, SourceError, SourceNotFoundError, UnsupportedError
from ffzero.frames.proof.pictures import picture_checks
from ffzero.frames.proof.sound import sound_checks
from ffzero.reporting import CancelToken, Reporter, no_report

__all__ = ["verify_output"]


def verify_output(
    output: str | os.PathLike[str],
    record: Record,
    *,
    reporter: Reporter = no_report,
    cancel: CancelToken | None = None,
) -> Verification:
    """Check an MP4 or MOV file against the record of the edit that it was made by.

    Reads and decodes all of the output and what it shows of its sources. What is wrong with the output is a check that
    failed; raises ``SourceNotFoundError`` where there is no output, ``CancelledError``.
    """
    name = os.fspath(output)
    checks = [_sources(record)]
    try:
        media = _media(name)
    except SourceNotFoundError:
        raise
    except (InvalidDataError, SourceError, UnsupportedError) as error:
        return Verification(output=name, checks=(*checks, failed("readable", str(error))))
    sources = {}
    for source in record.sources:
        try:
            found = _media(source.path)
        except (FFZeroError, OSError):
            continue  # the check of sources tells of one that is gone; those of tracks name it again
        if wrong := misfits(found, source.path, record):
            checks.append(failed("sources", f"{source.path}: {wrong}"))
        else:
            sources[source.path] = found
    checks += [_tracks(media, record), chapter_check(media, record), *presentation_checks(media, record, sources)]
    checks += copied_checks(media, record, sources, cancel=cancel)
    checks += picture_checks(media, record, sources, reporter=reporter, cancel=cancel)
    checks += sound_checks(media, record, sources, cancel=cancel)
    return Verification(output=name, checks=tuple(checks), risks=tuple(player_risks(media)))


def _media(path: str) -> Media:
    found = open_input(path)
    if found.media is None:
        raise UnsupportedError(f"a {found.container} file, not MP4 or MOV", path=path)
    return found.media


def _sources(record: Record) -> Check:
    problems = missing_sources(record.sources)
    if problems:
        return failed("sources", "; ".join(problems))
    count = len(record.sources)
    return passed("sources", f"{count} source{'s' * (count != 1)}, unchanged since the edit was planned")


def _tracks(media: Media, record: Record) -> Check:
    there = {track.id: media.role(track) for track in media.box.tracks}
    wrong = [f"{kind} track {number}" for number, kind in record.tracks.items() if there.get(number) != kind]
    text = _counted(there.values())
    if wrong:
        return failed("tracks", f"{text}; not there: {', '.join(wrong)}", tracks=dict(Counter(there.values())))
    return passed("tracks", text, tracks=dict(Counter(there.values())))


def _counted(kinds: Iterable[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in Counter(kinds).items()) or "none"
