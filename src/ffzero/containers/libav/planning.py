"""Planning a remux: which packets of which files go into one output, and where each cut really falls.

Planning reads headers and about one group of pictures around each end; it writes nothing.
"""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ffzero.containers.detect import HEAD_BYTES
from ffzero.containers.libav.compatibility import check_joinable
from ffzero.containers.libav.opening import Input, main_stream
from ffzero.containers.libav.plans import PiecePlan, RemuxPiece, RemuxPlan, clock_text
from ffzero.containers.libav.seeking import KeyPicture, find_key, last_picture_end, next_key
from ffzero.containers.libav.targets import CARRIED, Carry, StreamChoice, choose_streams, muxer_for
from ffzero.containers.libav.truncation import truncation
from ffzero.errors import InvalidDataError, TimeRangeError, UsageError
from ffzero.timebase import TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.stream import Stream

__all__ = ["plan_remux"]


def plan_remux(pieces: Sequence[RemuxPiece], output_path: str | os.PathLike[str]) -> RemuxPlan:
    """Plan one output of the pieces, in order.

    Raises ``UsageError`` (nothing to do, unknown extension), ``TimeRangeError`` (an empty range, or one beyond the
    movie), ``UnsupportedError`` (the output cannot hold the main stream), ``IncompatibleError`` (pieces that differ),
    and the errors of opening.
    """
    if not pieces:
        raise UsageError("no pieces were given")
    muxer = muxer_for(output_path)
    plans: list[PiecePlan] = []
    warnings: list[str] = []
    estimate = 0
    for piece in pieces:
        with Input(piece.path) as source:
            plans.append(_plan_piece(source, piece, output_path, warnings, is_joined=bool(plans)))
            estimate += _size_estimate(source, plans[-1])
    check_joinable(plans, muxer)
    return RemuxPlan(
        output=os.fspath(output_path),
        muxer=muxer,
        pieces=tuple(plans),
        warnings=tuple(dict.fromkeys(warnings)),
        bytes_estimate=estimate or None,
    )


def _plan_piece(
    source: Input, piece: RemuxPiece, output: str | os.PathLike[str], warnings: list[str], *, is_joined: bool
) -> PiecePlan:
    _check_range(source, piece)
    choices = choose_streams(source, output)
    main = _main(source, choices)
    if piece.after_removal and piece.start_s is not None:
        piece = replace(piece, start_s=_behind_removed(source, main, piece, piece.start_s, warnings))
    key = find_key(source, main, piece.start_s)
    if key is None:
        raise InvalidDataError(f"its {main.type} stream has no key picture to start from", path=piece.path)
    if piece.end_s is not None and key.time_s >= piece.end_s - TOLERANCE:
        raise TimeRangeError(
            f"no key picture before {clock_text(piece.end_s, '')}: the first is at {clock_text(key.time_s, '')}",
            path=piece.path,
        )
    if is_joined and key.is_open:
        warnings.append(
            f"{piece.path}: the key picture {clock_text(key.time_s, '')} begins an open group: behind other pictures "
            "players may lose some there or show them late (an MP4 or MOV is joined exactly)"
        )
    end_s = _actual_end(source, main, key, piece)
    _check_reached(source, main, key, piece, end_s)
    _warn(source, piece, key, choices, warnings)
    zero_s = key.time_s if piece.start_s is not None else min(key.time_s, Fraction(0))
    return PiecePlan(
        path=piece.path,
        start_s=piece.start_s,
        end_s=piece.end_s,
        actual_start_s=key.time_s,
        actual_end_s=end_s,
        zero_s=zero_s,
        main_index=main.index,
        main_pts=key.pts,
        streams=choices,
        before_removal=piece.before_removal,
    )


def _behind_removed(source: Input, main: Stream, piece: RemuxPiece, start_s: Fraction, warnings: list[str]) -> Fraction:
    """Return where a piece goes on behind a range that was taken out: at the next key picture."""
    key = next_key(source, main, start_s)
    if key is None or (piece.end_s is not None and key.time_s >= piece.end_s - TOLERANCE):
        raise TimeRangeError(
            f"no key picture from {clock_text(start_s, '')} to {clock_text(piece.end_s, 'the end')}: nothing would be "
            "left beside the ranges that are taken out",
            path=piece.path,
            hint="This container is cut at key pictures only; make it an MP4 or MOV, which is cut at any picture",
        )
    if key.time_s > start_s + TOLERANCE:
        late, at = clock_text(key.time_s - start_s, ""), clock_text(key.time_s, "")
        warnings.append(f"{piece.path}: goes on {late} late, at the key picture {at}, for none may come back before it")
    return key.time_s


def _check_range(source: Input, piece: RemuxPiece) -> None:
    start_s = piece.start_s or Fraction(0)
    if start_s < 0 or (piece.end_s is not None and piece.end_s <= start_s):
        asked = f"[{clock_text(start_s, '')}, {clock_text(piece.end_s, 'end')})"
        raise TimeRangeError(f"the range {asked} holds nothing", path=piece.path, hint="The end must follow the start")
    length_s = source.declared_duration_s
    if length_s is not None and start_s > length_s:
        raise _beyond(piece, length_s)


def _check_reached(source: Input, main: Stream, key: KeyPicture, piece: RemuxPiece, end_s: Fraction | None) -> None:
    """A start behind the last picture finds the last key picture: that is another range than was asked for."""
    if piece.start_s is None or not key.before_request:
        return
    if end_s is not None:
        if end_s <= piece.start_s - TOLERANCE:
            raise _beyond(piece, end_s)
        return
    last_s = key.time_s
    for packet in source.packets([source.container.streams[main.index]], key.time_s):
        if packet.pts is not None:
            last_s = max(last_s, source.clock_s(packet.pts + (packet.duration or 1), packet.stream))
        if last_s > piece.start_s:
            return
    raise _beyond(piece, last_s)


def _beyond(piece: RemuxPiece, length_s: Fraction) -> TimeRangeError:
    return TimeRangeError(
        "the range begins after the movie's end",
        path=piece.path,
        expected=f"a start before {clock_text(length_s, '')}",
        found=clock_text(piece.start_s, "start"),
    )


def _main(source: Input, choices: tuple[StreamChoice, ...]) -> Stream:
    kept = [source.container.streams[choice.index] for choice in choices if choice.carry is Carry.COPY]
    kept = kept or [source.container.streams[c.index] for c in choices if c.carry in CARRIED]
    main = main_stream(kept)
    if main is None:
        raise InvalidDataError("no stream to copy has a clock", path=source.path)
    return main


def _actual_end(source: Input, main: Stream, key: KeyPicture, piece: RemuxPiece) -> Fraction | None:
    if piece.end_s is not None:
        return last_picture_end(source, main, key, piece.end_s, closed=piece.before_removal)
    length_s = source.declared_duration_s
    if length_s is None or piece.start_s is None:
        return length_s
    return last_picture_end(source, main, key, max(length_s, piece.start_s + 1))


def _warn(
    source: Input, piece: RemuxPiece, key: KeyPicture, choices: tuple[StreamChoice, ...], warnings: list[str]
) -> None:
    name = piece.path
    with open(name, "rb") as file:
        truncated = truncation(file.read(HEAD_BYTES), os.path.getsize(name))
    if truncated:
        warnings.append(f"{name}: {truncated}")
    if not source.continuous:
        warnings.append(f"{name}: its time stamps jump; they are made continuous, counted from the start of the file")
    if not key.before_request and piece.start_s is not None:
        warnings.append(f"{name}: no key picture at or before the start; it begins at {clock_text(key.time_s, '')}")
    elif piece.start_s is not None and key.time_s < piece.start_s - TOLERANCE:
        early = clock_text(piece.start_s - key.time_s, "")
        warnings.append(f"{name}: begins {early} early, at the key picture {clock_text(key.time_s, '')}")
    if key.time_s < 0:
        warnings.append(
            f"{name}: pictures that its edit list hid, from {clock_text(key.time_s, '')} on, become visible"
        )
    warnings.extend(f"{name}: {choice}" for choice in choices if choice.reason)


def _size_estimate(source: Input, plan: PiecePlan) -> int:
    size, length_s = os.path.getsize(source.path), source.declared_duration_s
    if not length_s or plan.actual_end_s is None:
        return size
    return int(size * min(Fraction(1), max(Fraction(0), plan.actual_end_s - plan.actual_start_s) / length_s))
