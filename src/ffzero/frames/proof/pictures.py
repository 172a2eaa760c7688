"""Whether an output shows every picture once, in order and at its time: copied ones to the bit, coded ones as good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from fractions import Fraction

from av.error import FFmpegError
from av.video.frame import VideoFrame

from ffzero.containers.isobmff.model import Track
from ffzero.edits.media import Media
from ffzero.edits.plan import Copy, Render, Segment
from ffzero.edits.proof.proof import Check, failed, passed, skipped
from ffzero.edits.proof.record import Record
from ffzero.frames.proof.media import pictures_of
from ffzero.frames.proof.quality import Quality, same_picture
from ffzero.reporting import CancelToken, ProgressEvent, Reporter
from ffzero.timebase import format_time
from ffzero.values import dataclass

__all__ = ["picture_checks"]

_MOST_SLACK_S = Fraction(1, 250)
_MAX_NAMED = 3
_MAX_LISTED = 100
_Shown = tuple[Fraction, VideoFrame]


def picture_checks(
    output: Media,
    record: Record,
    sources: Mapping[str, Media],
    *,
    reporter: Reporter,
    cancel: CancelToken | None = None,
) -> list[Check]:
    """Return two checks for each video track: that all pictures are there, and how good the coded ones are."""
    ids = {track.id for track in output.box.tracks}
    checks: list[Check] = []
    for number, kind in record.tracks.items():
        if kind != "video" or number not in ids:
            continue
        name, segments = f"video track {number}", record.of_track(number)
        if {segment.input for segment in segments} - set(sources):
            checks.append(skipped("pictures", f"{name}: without its source"))
            continue
        track = output.box.track(number)
        own = [
            sources[segment.input].box.track(segment.track)
            for segment in segments
            if not (isinstance(segment, Render) and segment.step_s is not None)
        ]
        if any(entry.encryption is not None for some in (track, *own) for entry in some.entries):
            checks.append(skipped("pictures", f"{name}: encrypted, and there is no key"))
            continue
        comparison = _Comparison(output, track, segments, sources, reporter, cancel)
        try:
            comparison.run()
        finally:
            comparison.close()
        checks += comparison.checks(name)
    return checks


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A picture that is to be shown; where ``frame`` is ``None`` it may look like anything."""

    time: Fraction
    segment: int
    frame: VideoFrame | None = None


@dataclass(slots=True)
class _Comparison:
    """The pictures of one output track beside those that they should be."""

    output: Media
    track: Track
    segments: Sequence[Segment]
    sources: Mapping[str, Media]
    reporter: Reporter
    cancel: CancelToken | None
    problems: dict[str, list[str]] = field(default_factory=dict)
    """What is wrong, by its kind: the times at which it is, or what was said."""
    qualities: dict[int, Quality] = field(default_factory=dict)
    shown: int = 0
    copied: int = 0
    free: int = 0
    _last: Fraction | None = None
    _next: _Shown | None = None
    _source: str = ""

    def run(self) -> None:
        """Go through both once."""
        shown = self._decoded()
        self._next = next(shown, None)
        slack = self._slack()
        try:
            for wanted in self._wanted():
                near = slack if wanted.frame is not None else max(2 * slack, Fraction(1, 2 * self.track.timescale))
                while self._next is not None and self._next[0] < wanted.time - near:
                    self._tell("not planned", self._next[0])
                    self._next = next(shown, None)
                if self._next is None or self._next[0] > wanted.time + near:
                    self._tell("missing", wanted.time)
                else:
                    self._compare(wanted, self._next[1])
                    self._next = next(shown, None)
        except (FFmpegError, EOFError) as error:
            self._tell("of a source that does not decode", f"{self._source}: {error}")
            return
        while self._next is not None:
            self._tell("not planned", self._next[0])
            self._next = next(shown, None)

    def _slack(self) -> Fraction:
        """Return a tick: what times may be rounded by, for an empty edit's length on the movie's clock too.

        Ticks as long as a picture are never rounded to.
        """
        slack = min(Fraction(1, self.track.timescale), _MOST_SLACK_S)
        if any(edit.media_time == -1 for edit in self.track.edits):
            slack += Fraction(1, self.output.box.timescale)
        return slack

    def _decoded(self) -> Iterator[_Shown]:
        """Yield what the output shows; it ends where it does not decode, which is a problem."""
        total = sum(segment.frames if isinstance(segment, Render) else segment.samples for segment in self.segments)
        try:
            for time, frame in pictures_of(self.output.name, self.track.id, cancel=self.cancel):
                if self._last is not None and time <= self._last:
                    self._tell("out of order", time)
                if frame.is_corrupt:
                    self._tell("that the decoder had to conceal damage in", time)
                self._last = time
                self.shown += 1
                if not self.shown % 25:
                    self.reporter(ProgressEvent(stage="verify", done=self.shown, total=total, unit="frames"))
                yield time, frame
        except (FFmpegError, EOFError, KeyError) as error:
            where = "the first" if self._last is None else f"after {format_time(self._last)}"
            self._tell("that do not decode", f"{where}: {error}")

    def _wanted(self) -> Iterator[_Wanted]:
        """Yield what is to be shown, in order; stretches of one source that go on are decoded once."""
        numbers = list(range(len(self.segments)))
        while numbers:
            first = numbers.pop(0)
            segment = self.segments[first]
            if isinstance(segment, Render) and segment.step_s is not None:
                assert segment.start_s is not None
                for step in range(segment.steps):
                    yield _Wanted(time=segment.start_s + step * segment.step_s, segment=first)
                continue
            together = [first]
            while numbers and self._goes_on(self.segments[together[-1]], self.segments[numbers[0]]):
                together.append(numbers.pop(0))
            yield from self._from_source(together)

    @staticmethod
    def _goes_on(one: Segment, two: Segment) -> bool:
        paced = isinstance(two, Render) and two.step_s is not None
        return one.piece == two.piece and one.track == two.track and not paced

    def _from_source(self, numbers: Sequence[int]) -> Iterator[_Wanted]:
        media = self.sources[self.segments[numbers[0]].input]
        track = self.segments[numbers[0]].track
        half = Fraction(1, 2 * media.box.track(track).timescale)
        spans = [
            (number, self.segments[number].source_start_s, _source_end(self.segments[number])) for number in numbers
        ]
        self._source = media.name
        last: Fraction | None = None
        for time, frame in pictures_of(media.name, track, spans[0][1], self.cancel):
            if last is not None and time <= last and len(spans) > 1:
                spans.pop(0)  # FFmpeg lets a later edit begin before the one before has ended
            last = time
            while spans and time >= spans[0][2] - half:
                spans.pop(0)
            if not spans:
                return
            number, start, _ = spans[0]
            if time >= start - half:
                at = self.segments[number].start_s
                assert at is not None
                like = None if _is_altered(self.segments[number], time) else frame
                yield _Wanted(time=at + time - start, frame=like, segment=number)

    def _compare(self, wanted: _Wanted, frame: VideoFrame) -> None:
        segment, source = self.segments[wanted.segment], wanted.frame
        if source is None:
            self.free += 1
            return
        if isinstance(segment, Copy):
            self.copied += 1
            if not same_picture(source, frame):
                self._tell("copied and not the source's", wanted.time)
            return
        if source.format.name != frame.format.name or (source.width, source.height) != (frame.width, frame.height):
            self._tell(
                "of another size or format",
                f"{format_time(wanted.time)}: {frame.width}×{frame.height} {frame.format.name}, the source's "
                f"{source.width}×{source.height} {source.format.name}",
            )
            return
        self.qualities.setdefault(wanted.segment, Quality()).add(source, frame)

    def _tell(self, kind: str, where: Fraction | str) -> None:
        self.problems.setdefault(kind, []).append(where if isinstance(where, str) else format_time(where))

    def close(self) -> None:
        """End what measures quality."""
        for quality in self.qualities.values():
            quality.close()

    def checks(self, name: str) -> list[Check]:
        """Return what was found."""
        counted = {"track": self.track.id, "shown": self.shown, "copied": self.copied, "altered": self.free}
        if self.problems:
            told = [
                f"{len(where)} {kind} ({', '.join(where[:_MAX_NAMED])}{', ...' * (len(where) > _MAX_NAMED)})"
                for kind, where in self.problems.items()
            ]
            listed = {kind: where[:_MAX_LISTED] for kind, where in self.problems.items()}
            text = f"{name}: {self.shown} pictures: {'; '.join(told)}"
            found = [failed("pictures", text, **counted, problems=listed)]
        else:
            text = f"{name}: {self.shown} pictures, each once, in order and at its time"
            if self.copied:
                text += f"; {self.copied} copied ones to the bit"
            found = [passed("pictures", text, **counted)]
        for number, segment in enumerate(self.segments):
            if isinstance(segment, Render):
                found.append(self._rendered(name, number, segment))
        return found

    def _rendered(self, name: str, number: int, segment: Render) -> Check:
        where = f"{name} from {format_time(segment.start_s or 0)} to {format_time(segment.end_s or 0)}"
        quality = self.qualities.get(number)
        if segment.is_altered and quality is None:
            return skipped("rendered", f"{where}: not to look like the source ({segment.reason})")
        if quality is None:
            return failed("rendered", f"{where}: none of {segment.frames} pictures is there")
        values = quality.to_dict()
        vmaf = values["vmaf_min"]
        text = f"{where}: {values['pictures']} pictures, PSNR {values['psnr_db_min']:.1f} dB at least"
        text += f" ({values['psnr_db_mean']:.1f} on average)"
        if (chroma := values["chroma_psnr_db_min"]) is not None:
            text += f", of colour {chroma:.1f} dB"
        text += f", SSIM {values['ssim_min']:.4f} ({values['ssim_mean']:.4f})"
        text += f", VMAF {vmaf:.1f} ({values['vmaf_mean']:.1f})" if vmaf is not None else ", VMAF not to be had"
        weak = quality.weaknesses()
        if weak:
            text += f"; {', '.join(weak)}"
        make = failed if weak else passed
        start, end = float(segment.start_s or 0), float(segment.end_s or 0)
        return make("rendered", text, track=self.track.id, start_s=start, end_s=end, **values)


def _is_altered(segment: Segment, time: Fraction) -> bool:
    """Whether a picture of the source need not look like it any more; at the very ends of effects either is right."""
    if isinstance(segment, Copy) or not segment.is_altered:
        return False
    ranges = segment.altered_s
    return not ranges or any(low - _MOST_SLACK_S <= time < high + _MOST_SLACK_S for low, high in ranges)


def _source_end(segment: Segment) -> Fraction:
    if isinstance(segment, Render):
        return segment.source_end_s
    return segment.source_start_s + segment.end_s - segment.start_s
