"""Pictures coded well enough: where one comes out too poor, a finer encoder takes over at it."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence

from av.video.frame import VideoFrame

from ffzero.frames.pictures.encode import Coded, Encoding
from ffzero.frames.pictures.recipes import Package, Recipe

__all__ = ["ENOUGH_DB", "Bettering", "TooPoorError"]

ENOUGH_DB = 45.5
_APART = 12
"""Abrupt changes are rarer: where the finest attempt began anew fewer pictures ago, all are hard to code."""
_BROKEN_DB = 42.0
"""Below it a picture is not only hard to code: SVT-AV1 leaves blocks wrong now and then, at any quantizer."""


class TooPoorError(Exception):
    """A picture comes out too poor and all have to be coded anew, by attempt ``number``."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Bettering:
    """Codes pictures of a ``size`` (width, height) by a recipe's attempts, from ``number`` on. Holds a few at a time.

    The next attempt begins with the picture that was too poor, as a key picture, so what it is fed need not be made
    again; the last one begins anew where it was no key picture, as at an abrupt change. Not where there may be one key
    picture (``one_key``), or the headers differ: there ``TooPoorError`` is raised with ``restarts``, and else what came
    out has to do.
    """

    def __init__(self, recipe: Recipe, number: int, size: tuple[int, int], *, one_key: bool, restarts: bool) -> None:
        self._recipe = recipe
        self._number = number
        self._size = size
        self._one_key = one_key
        self._restarts = restarts
        self._encoding = Encoding(recipe, number, size)
        self._next: Encoding | None = None
        self._has_given_up = False
        self._since_anew = _APART
        self._is_begun = False
        self._keys = 0
        self._held: Coded | None = None

    @property
    def package(self) -> Package:
        return self._encoding.package

    def add(self, frame: VideoFrame) -> Iterator[Coded]:
        """Code a picture, which is not to be used any more; yield those that are done."""
        return self._through([frame])

    def end(self) -> Iterator[Coded]:
        """Yield the pictures that were held back."""
        yield from self._through([], ending=True)
        yield from self._released()

    def close(self) -> None:
        """Let go of an encoder that has not come to its end."""
        self._encoding.close()

    def _through(self, frames: Sequence[VideoFrame], *, ending: bool = False) -> Iterator[Coded]:
        todo = deque(frames)
        while (poor := (yield from self._good(todo, ending=ending))) is not None:
            back = [poor, *self._encoding.taken_back()]
            # H.264 wants neighbouring IDR pictures to have different numbers (§7.4.3); x264 alternates, from 0 on.
            if self._held is not None and self._held.original is not None and self._keys % 2:
                self._held.original.pts = self._held.pts
                back.insert(0, self._held.original)
                self._held = None
            yield from self._released()
            todo.extendleft(reversed(back))
            self._change_over()

    def _good(self, todo: deque[VideoFrame], *, ending: bool) -> Generator[Coded, None, VideoFrame | None]:
        """Code what is to be done; return the first picture that comes out too poor where there is a remedy."""
        while todo or ending:
            if todo:
                items = self._encoding.add(todo.popleft())
            else:
                items, ending = self._encoding.end(), False
            for done in items:
                if done.original is not None and done.psnr_db < ENOUGH_DB and self._has_better(done):
                    done.original.pts = done.pts
                    return done.original
                yield from self._released()
                self._is_begun = True
                self._since_anew += 1
                if done.sync:
                    self._keys += 1
                    self._held = done
                else:
                    yield done
        return None

    def _has_better(self, poor: Coded) -> bool:
        """Open the encoder that can take over from this picture, if there is one."""
        number = min(self._number + 1, len(self._recipe.attempts) - 1)
        is_finer = number > self._number
        is_hard = self._since_anew < _APART and poor.psnr_db >= _BROKEN_DB
        if self._has_given_up or (not is_finer and (poor.sync or is_hard)):
            return False
        if not self._is_begun or not self._one_key:
            following = Encoding(self._recipe, number, self._size)
            if not self._is_begun or _are_alike(following.package, self.package):
                self._next, self._number = following, number
                self._since_anew = self._since_anew if is_finer else 0
                return True
            following.close()
        if self._restarts and is_finer:
            raise TooPoorError(number)
        self._has_given_up = True
        return False

    def _change_over(self) -> None:
        assert self._next is not None
        self._encoding.close()
        self._encoding, self._next = self._next, None
        self._keys = 0

    def _released(self) -> Iterator[Coded]:
        if self._held is not None:
            held, self._held = self._held, None
            yield held


def _are_alike(one: Package, other: Package) -> bool:
    """Whether samples of both decode by the same headers."""
    return (one.entry, one.added_sets, one.restore, one.decodes_by) == (
        other.entry,
        other.added_sets,
        other.restore,
        other.decodes_by,
    )
