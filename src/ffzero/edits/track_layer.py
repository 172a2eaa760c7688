"""One output track laid over all pieces of a clip: what is copied of each, what is coded, and like what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from ffzero.containers.isobmff.audio_preroll import audio_preroll_samples
from ffzero.containers.isobmff.model import Track
from ffzero.edits.compatibility import explain
from ffzero.edits.cues import empty_cue
from ffzero.edits.laying.parts import Placed
from ffzero.edits.layout import PieceLayout, TrackLayout
from ffzero.edits.media import Media
from ffzero.edits.open_starts import goes_on
from ffzero.edits.plan import Render, Segment
from ffzero.edits.ranges import picture_takes, sound_takes
from ffzero.edits.rendered import Rendered
from ffzero.edits.rendering import Target
from ffzero.edits.renders import front_reason, mismatch, tail_reason, told
from ffzero.edits.sample_entries import EntryPool
from ffzero.edits.sound.joints import join_sound
from ffzero.edits.sound.rendering import RenderedSound
from ffzero.edits.splicing import blank, recoded, spliced
from ffzero.edits.takes import Take
from ffzero.edits.targets import (
    choose_sound_target,
    choose_target,
    rate_difference,
    wanted_sound_target,
    wanted_target,
)
from ffzero.errors import EncryptedError, UnsupportedError
from ffzero.timebase import common_timescale

__all__ = ["TrackLayer"]

_FINE_TIMESCALE = 10_000
_ROUNDED_TICKS = 2
"""By so much pieces may seem to overlap that only were rounded."""


class TrackLayer:
    """Lays one output track. ``ids`` are the IDs of the tracks that make it, by the ``id()`` of their movie."""

    def __init__(
        self,
        pieces: Sequence[PieceLayout],
        ids: Mapping[int, int | None],
        boundary: str,
        audio: str | None,
        warnings: list[str],
    ) -> None:
        self.pieces = pieces
        self.boundary = boundary
        self.audio = audio
        self.warnings = warnings
        self.ids = ids
        self.tracks = [self._track_of(piece.request.media, ids) for piece in pieces]
        first, own = next(
            (piece.request.media, track) for piece, track in zip(pieces, self.tracks, strict=True) if track is not None
        )
        self.own = own
        self.role = first.role(own)
        self.is_main = own is first.main_video
        self.segments: list[Segment] = []
        self.placed: list[Placed] = []
        self.snapped = boundary == "keyframe" and self.is_main

    @staticmethod
    def _track_of(media: Media, ids: Mapping[int, int | None]) -> Track | None:
        number = ids[id(media)]
        return None if number is None else media.box.track(number)

    def lay(self) -> tuple[TrackLayout | None, list[Segment]]:
        """Return the track with the segments that tell of it; ``None`` where nothing of it is in the clip."""
        takes: list[list[Take]] = []
        for number in range(len(self.pieces)):
            takes.append(self._takes(number, has_before=any(takes)))
        target = self._target(takes)
        media, model = target.media, target.track
        pool = EntryPool(model)
        if self.role in ("video", "audio"):
            pool.reserve(target.description)
        for number, found in enumerate(takes):
            self._place_piece(number, found, pool, target)
        model = model if model is self.own else _in_place_of(model, self.own)
        if not self.placed:
            return self._nothing(model, media), self.segments
        timescale = _output_timescale(self.role, self.placed)
        if self.role == "audio":
            timescale = self._join_sound(pool, timescale, target)
            if not self.placed:
                return None, self.segments
        entries = self._entries_used(pool)
        self.segments += [told(item, self.pieces, self.role) for item in self.placed]
        layout = TrackLayout(
            model=model,
            media=media,
            role=self.role,
            entries=entries,
            timescale=timescale,
            placed=tuple(self.placed),
        )
        return layout, self.segments

    def _target(self, takes: Sequence[Sequence[Take]]) -> Target:
        """Return what all pieces are to be like."""
        if self.role == "video":
            wanted = wanted_target(self.pieces) if self.is_main else None
            return wanted or choose_target(self.pieces, self.tracks, takes)
        if self.role == "audio":
            wanted = wanted_sound_target(self.pieces, self.ids, self.own)
            return wanted or choose_sound_target(self.pieces, self.tracks, takes)
        return Target(media=self.pieces[0].request.media, track=self.own, description=0)

    def _join_sound(self, pool: EntryPool, timescale: int, target: Target) -> int:
        """Let packets be coded at joints and for effects; returns the track's timescale."""
        self.placed, reason = join_sound(
            self.placed, self.pieces, self.audio, target, len(pool.raw), fills_holes=self.boundary == "render"
        )
        if reason:
            self._refuse_unlike(reason)
            text = f"the sound of track {self.own.id} is copied as it is: {reason}"
            if any(piece.request.sound_effects for piece in self.pieces):
                raise UnsupportedError(f"no effect can be applied to the sound of track {self.own.id}: {reason}")
            if self.audio is not None:
                self.warnings.append(text)
            self.placed = [
                replace(item, take=replace(item.own, note=f"joined packet by packet: {reason}")) for item in self.placed
            ]
        coded = [item.take for item in self.placed if isinstance(item.take, RenderedSound)]
        return coded[0].rate if coded else timescale

    def _entries_used(self, pool: EntryPool) -> tuple[bytes, ...]:
        """Return the sample entries, those of sound without any that nothing is of."""
        if self.role != "audio":
            return tuple(pool.raw)
        used = sorted({place for item in self.placed for place in item.descriptions.values()})
        self.placed = [
            replace(item, descriptions={own: used.index(place) for own, place in item.descriptions.items()})
            for item in self.placed
        ]
        return tuple(pool.raw[place] for place in used)

    def _refuse_unlike(self, reason: str) -> None:
        """Name what would have to be coded, where that cannot be, and leave it out."""
        for item in self.placed:
            if item.unlike:
                piece, take = self.pieces[item.piece], item.own
                why = f"{item.unlike}, and it cannot be coded like it: {reason}"
                self.segments.append(mismatch(item.piece, piece, take.track, self.role, [take], why))
        self.placed = [item for item in self.placed if not item.unlike]

    def _nothing(self, model: Track, media: Media) -> TrackLayout | None:
        if self.role == "text" and empty_cue(model.entries[0].codec) is not None:
            entries = (model.entries[0].raw,)
            return TrackLayout(
                model=model, media=media, role=self.role, entries=entries, timescale=model.timescale, placed=()
            )
        if not any(isinstance(segment, Render) for segment in self.segments):
            self.warnings.append(f"track {model.id} ({self.role}) has nothing in the range; it is left out")
        return None

    def _takes(self, number: int, *, has_before: bool) -> list[Take]:
        piece, track = self.pieces[number], self.tracks[number]
        if track is None:
            return []
        media = piece.request.media
        start, end = piece.start, piece.end
        if piece.takes is not None and track is media.main_video:
            return list(piece.takes)
        if self.role == "video":
            snap = self.boundary == "keyframe" and track is media.main_video
            return picture_takes(media, track, start, end, snap=snap, joined=has_before)
        preroll = _preroll(track) if self.role == "audio" and not has_before else 0
        takes = sound_takes(media, track, start, end, preroll)
        return [_whole_still(take) for take in takes] if self.role == "still" else takes

    def _place_piece(self, number: int, takes: Sequence[Take], pool: EntryPool, target: Target) -> None:
        piece, track = self.pieces[number], self.tracks[number]
        if track is None and self.role == "video":
            shown = blank(
                target, piece.start, piece.end - piece.start, "this input has no pictures: black ones are shown"
            )
            self._place(number, shown, {target.description: 0})
            return
        if track is None:
            return  # sound is silent there, cues and data are absent
        descriptions, differences = pool.mapping(track, takes)
        if not differences and takes and self.role == "video" and piece.request.like is target.media:
            rate = rate_difference(target.track, track)  # of no consequence unless it was asked for
            differences = () if rate is None else (rate,)
        unlike = f"unlike {target.media.name}: {explain(differences)}" if differences else ""
        may_code = self.role == "video" or (self.role == "audio" and self.audio != "copy")
        if unlike and not may_code:
            self.segments.append(mismatch(number, piece, track, self.role, takes, unlike))
            return
        for index, take in enumerate(takes):
            _refuse(piece.request.media, take)
            if unlike:
                places = dict.fromkeys(take.descriptions(), 0)
                if self.role == "audio":
                    self._place(number, take, places, unlike)
                else:
                    coded = recoded(piece.request.media, take, unlike, target, piece.request.effects)
                    self._place(number, coded, places)
                continue
            is_last = number == len(self.pieces) - 1 and index == len(takes) - 1
            for part in self._parts(number, take, is_last=is_last):
                self._place(number, part, descriptions)

    def _parts(self, number: int, take: Take, *, is_last: bool) -> Sequence[Take | Rendered]:
        """Return a take, coded where it could not stand as it is, or where an edit would hide what none may."""
        effects = self.pieces[number].request.effects
        if self.role != "video" or (self.snapped and not effects):
            return [take]
        is_first = not self.placed
        media = self.pieces[number].request.media
        after_rendered = bool(self.placed) and goes_on(self.placed[-1].take, media, take)
        front = tail = ""
        if take.hidden_before and (self.boundary == "render" or not is_first):
            front = front_reason(take, is_joint=not is_first)
        elif not (is_first or after_rendered or take.starts_cleanly):
            front = front_reason(take, is_joint=True)
        if take.hidden_after and (self.boundary == "render" or not is_last):
            tail = tail_reason(is_joint=not is_last)
        return spliced(media, take, front=front, tail=tail, effects=effects)

    def _place(self, number: int, take: Take | Rendered, descriptions: dict[int, int], unlike: str = "") -> None:
        piece = self.pieces[number]
        media = piece.request.media
        start = media.seconds(take.track, take.start)
        at = piece.at + max(Fraction(0), start - piece.start)
        if abs(start - piece.start) * take.track.timescale < 1:
            at = piece.at  # the same instant, but for the rounding to this track's ticks
        if self.role == "video" and self.placed:
            # FFmpeg lets later edits begin before the one before has ended: such a piece ends late, too.
            last = self.placed[-1]
            if last.piece == number or last.end_s - at > Fraction(_ROUNDED_TICKS, take.track.timescale):
                at = max(at, last.end_s)
        length = media.seconds(take.track, take.media_stop - take.media_start)
        self.placed.append(
            Placed(piece=number, take=take, at_s=at, end_s=at + length, descriptions=descriptions, unlike=unlike)
        )


def _in_place_of(model: Track, own: Track) -> Track:
    """Return another movie's track as the one of the first: what others refer to it by stays, and all names."""
    if own.handler == "soun":
        # Nothing but its samples and their entries tells of how sound is coded.
        return replace(own, entries=model.entries, table=model.table)
    alternate = own.header.alternate_group
    header = replace(model.header, track_id=own.id, flags=own.header.flags, alternate_group=alternate)
    return replace(
        model, header=header, references=own.references, language=own.language, language_code=own.language_code
    )


def _output_timescale(role: str, placed: Sequence[Placed]) -> int:
    """Return the timescale of an output track: the least on which all times are whole, but samples for sound.

    FFmpeg takes the ticks that an edit trims for samples, so packets of constant length get a timescale that makes them
    so. Past 32 bits the greatest serves, and times are rounded to its ticks.
    """
    scales = [scale for item in placed if not isinstance(item.take, RenderedSound) for scale in _timescales(item.take)]
    model = placed[0].take
    if role == "audio" and isinstance(model, Take) and model.packet_ticks:
        entry = model.track.entries[model.descriptions()[0]]
        samples = {entry.frame_samples, entry.frame_samples * 2}
        if len(set(scales)) > 1 or model.packet_ticks not in samples:
            return entry.sample_rate or max(scales)
        return scales[0]
    common = common_timescale(scales, limit=2**32 - 1) or max(scales)
    joints = [(item.at_s - placed[0].at_s) * common for item in placed]
    if role == "video" and (model.squeezed or any(joint.denominator > 1 for joint in joints)):
        # Hidden samples take a tick each, and a joint may fall between two ticks: let that be little.
        common *= -(-_FINE_TIMESCALE // common)
    return common


def _timescales(take: Take | Rendered) -> list[int]:
    """Return the timescales that a take's times are whole on: two where it is coded at another track's rate."""
    target = take.job.target if isinstance(take, Rendered) else None
    return [take.track.timescale, *([] if target is None else [target.track.timescale])]


def _whole_still(take: Take) -> Take:
    """Show a still picture from its own beginning: players drop a picture that the edit begins inside of."""
    start = take.track.table.dts(take.first)
    return replace(take, media_start=start, media_stop=start + take.media_stop - take.media_start)


def _preroll(track: Track) -> int:
    """Return the packets that the decoder needs before the first: the codec's own, or the file's ``roll`` group."""
    packets = max(audio_preroll_samples(entry) for entry in track.entries)
    for group in track.table.groups:
        if group.grouping_type in ("roll", "prol"):
            distances = [
                int.from_bytes(entry[:2], "big", signed=True) for entry in group.descriptions if len(entry) >= 2
            ]
            packets = max([packets, *(-distance for distance in distances if -64 <= distance < 0)])
    return packets


def _refuse(media: Media, take: Take) -> None:
    """Raise for samples that cannot be carried over as they are."""
    if take.track.external:
        raise UnsupportedError(
            f"the samples of track {take.track.id} lie in another file (a reference movie)",
            path=media.name,
            hint="Make it self-contained first (ffmpeg -i FILE -c copy OUT)",
        )
    for number in take.descriptions():
        encryption = take.track.entries[number].encryption
        if encryption is not None and (encryption.is_protected or take.track.aux_boxes):
            raise EncryptedError(
                f"track {take.track.id} is encrypted ({encryption.scheme}); its sample auxiliary data cannot be "
                "carried over yet",
                path=media.name,
                hint="Decrypt the file first (ffmpeg -decryption_key KEY -i FILE -c copy OUT)",
            )
