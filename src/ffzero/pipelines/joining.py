"""The filter graph that joins decoded pieces: one size for the pictures, silence where a piece has no sound."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ffzero.edits.inputs import Input
from ffzero.edits.movie import Movie
from ffzero.errors import IncompatibleError
from ffzero.ffmpeg.model import seconds_text
from ffzero.values import dataclass

__all__ = ["Joint", "join_graph"]

_SILENCE = "anullsrc=channel_layout=stereo:sample_rate=48000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """What a piece brings: the size of its pictures as displayed (``None``: it has none), and whether it sounds.

    ``trim`` is (start, length) in seconds of the decoded input; ``None`` for all of it.
    """

    path: str
    size: tuple[int, int] | None
    has_audio: bool
    length_s: Fraction
    trim: tuple[Fraction, Fraction | None] | None = None

    @classmethod
    def of(cls, source: Input, length_s: Fraction, trim: tuple[Fraction, Fraction | None] | None) -> Joint:
        """Look at a file: at its first track of pictures, as a player turns them."""
        tracks = Movie(source).info().tracks
        video = next((track for track in tracks if track.kind == "video" and track.width and track.height), None)
        size = None
        if video is not None and video.width and video.height:
            turned = video.rotation_degrees % 180 == 90
            size = (video.height, video.width) if turned else (video.width, video.height)
        has_audio = any(track.kind == "audio" for track in tracks)
        return cls(path=source.path, size=size, has_audio=has_audio, length_s=length_s, trim=trim)


def join_graph(
    joints: Sequence[Joint], filters: Sequence[str], audio_filters: Sequence[str], *, video: bool, audio: bool
) -> str:
    """Return a graph with outputs ``[picture]`` and ``[sound]``, where they are wanted; input n is piece n.

    Pictures of another size than the first's are scaled into it, with black bars; then come the filters. Raises
    ``IncompatibleError`` where there would be neither pictures nor sound.
    """
    if not video and not audio:
        raise IncompatibleError("the files have nothing in common that could be joined", path=joints[0].path)
    chains = []
    for number, joint in enumerate(joints):
        if video:
            steps = [*_trim(joint, "trim", "setpts"), *_fit(joint.size, joints[0].size), "setsar=1"]
            chains.append(f"[{number}:V:0]{','.join(steps)}[v{number}]")
        if audio and joint.has_audio:
            chains.append(f"[{number}:a:0]{','.join(_trim(joint, 'atrim', 'asetpts') or ['anull'])}[a{number}]")
        elif audio:
            chains.append(f"{_SILENCE}:duration={seconds_text(joint.length_s)}[a{number}]")
    pads = "".join(f"[v{n}]" * video + f"[a{n}]" * audio for n in range(len(joints)))
    ends = "[pictures]" * video + "[sounds]" * audio
    chains.append(f"{pads}concat=n={len(joints)}:v={int(video)}:a={int(audio)}{ends}")
    if video:
        chains.append(f"[pictures]{','.join(filters) or 'null'}[picture]")
    if audio:
        chains.append(f"[sounds]{','.join(audio_filters) or 'anull'}[sound]")
    return ";".join(chains)


def _trim(joint: Joint, trim: str, shift: str) -> list[str]:
    if joint.trim is None:
        return []
    start, length = joint.trim
    end = "" if length is None else f":end={seconds_text(start + length)}"
    return [f"{trim}=start={seconds_text(start)}{end}", f"{shift}=PTS-{seconds_text(start)}/TB"]


def _fit(size: tuple[int, int] | None, wanted: tuple[int, int] | None) -> list[str]:
    if size == wanted or wanted is None:
        return []
    width, height = wanted
    fit = f"scale={width}:{height}:force_original_aspect_ratio=decrease"
    return [fit, f"pad={width}:{height}:(ow-iw)/2:(oh-ih)/2"]
