"""Pairing the tracks of movies that are to be joined."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ffzero.edits.track_matching import Leftover, TrackKey, match_tracks


def key(id: int, kind: str, language: str = "und", codec: str = "") -> TrackKey:
    return TrackKey(id=id, kind=kind, language=language, codec=codec)


def ids(first: list[TrackKey], *others: list[TrackKey]) -> list[list[int | None]]:
    return [[track.id if track else None for track in row.tracks] for row in match_tracks(first, *others).rows]


def test_another_order_of_tracks() -> None:
    first = [key(1, "video"), key(2, "audio", "eng"), key(3, "subtitle", "fra")]
    second = [key(1, "subtitle", "fra"), key(2, "audio", "eng"), key(3, "video")]
    assert ids(first, second) == [[1, 3], [2, 2], [3, 1]]


def test_languages_before_order_and_codec_within_language() -> None:
    first = [key(1, "audio", "eng", "aac"), key(2, "audio", "eng", "ac3"), key(3, "audio", "deu", "aac")]
    second = [key(7, "audio", "deu", "aac"), key(8, "audio", "eng", "ac3"), key(9, "audio", "eng", "aac")]
    assert ids(first, second) == [[1, 9], [2, 8], [3, 7]]


def test_unknown_language_takes_what_is_left() -> None:
    first = [key(1, "audio", "eng"), key(2, "audio", "deu")]
    second = [key(5, "audio", "und"), key(6, "audio", "eng")]
    assert ids(first, second) == [[1, 6], [2, 5]]


def test_single_audio_tracks_pair_whatever_their_language_but_subtitles_do_not() -> None:
    assert ids([key(1, "audio", "eng")], [key(2, "audio", "deu")]) == [[1, 2]]
    assert ids([key(1, "subtitle", "eng")], [key(2, "subtitle", "deu")]) == [[1, None]]
    assert ids([key(1, "audio", "eng"), key(2, "audio", "fra")], [key(3, "audio", "deu")]) == [[1, None], [2, None]]


def test_leftovers_name_their_movie() -> None:
    extra = key(4, "data", codec="gpmd")
    match = match_tracks([key(1, "video")], [key(2, "video")], [key(3, "video"), extra])
    assert match.rows[0].is_complete
    assert match.leftovers == (Leftover(movie=2, track=extra),)


TRACKS = st.lists(
    st.builds(
        TrackKey,
        id=st.integers(1, 3),
        kind=st.sampled_from(["video", "audio", "subtitle", "data"]),
        language=st.sampled_from(["und", "eng", "deu"]),
        codec=st.sampled_from(["a", "b"]),
    ),
    max_size=6,
)


@given(TRACKS, TRACKS)
def test_every_track_is_used_once(first: list[TrackKey], second: list[TrackKey]) -> None:
    match = match_tracks(first, second)
    assert [row.tracks[0] for row in match.rows] == first
    assert all(row.tracks[1] is None or row.tracks[1].kind == row.tracks[0].kind for row in match.rows if row.tracks[0])
    taken = [row.tracks[1] for row in match.rows if row.tracks[1]] + [left.track for left in match.leftovers]
    assert sorted(map(repr, taken)) == sorted(map(repr, second))


@given(TRACKS)
def test_a_movie_continues_itself(tracks: list[TrackKey]) -> None:
    match = match_tracks(tracks, tracks)
    assert not match.leftovers
    assert all(row.is_complete for row in match.rows)
