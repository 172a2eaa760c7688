"""Packets of codecs whose blocks overlap, on the output's grid, made so that they meet the copied ones beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from ffzero.edits.sound.coding import sound_coding
from ffzero.edits.sound.rendering import CodedSound, Neighbour, SoundJob
from ffzero.errors import UnsupportedError
from ffzero.frames.sound.aac_windows import Falling, falling_of, folded_fall, folded_rise, with_shape
from ffzero.frames.sound.encode import SoundEncoder, economies, mp3_room
from ffzero.frames.sound.mp3_frames import mp3_falling, owed_to, with_owed
from ffzero.values import dataclass

__all__ = ["code_between"]

_PREDICTED = frozenset({"opus"})
"""Codecs that say less of a packet where a decoder has the one before."""
_APART = 2
"""The grade of a seam at which windows cannot meet."""
_FallingOf = Callable[[bytes], Falling | None]
_FALLING: dict[str, _FallingOf] = {"aac": falling_of, "mp3": mp3_falling}
_Signal = Callable[[], Iterator[np.ndarray]]
_Slot = Callable[[np.ndarray], np.ndarray]


def code_between(job: SoundJob, chunks: _Signal) -> CodedSound:
    """Code a job's signal; keep the packets that were asked for, and some of the spare ones where that meets better."""
    falling = _FALLING.get(job.entry.codec)
    if falling is not None and (job.before or job.after):
        return _met(job, chunks, falling)
    packets = _on_grid(job, chunks())
    found = tuple(packets[number] for number in range(job.samples // job.packet))
    return CodedSound(packets=found, samples=(job.packet,) * len(found))


def _on_grid(job: SoundJob, chunks: Iterator[np.ndarray], *, economy: int = 0) -> dict[int, bytes]:
    """Return packets by their place after the job's ``lead``, negative ones before it."""
    encoder = SoundEncoder(job, economy=economy)
    delay = sound_coding(job.track, job.description).delay
    late = -delay % job.packet
    if job.entry.codec in _PREDICTED and not job.lead:
        # The first packet is the coder's first, too: a decoder knows nothing of one before it.
        late = -delay
        fed = _without_first(chunks, delay)
    else:
        fed = chain((np.zeros((late, job.entry.channels), np.float32),), chunks)
    found: dict[int, bytes] = {}
    for packet in encoder.packets(fed):
        place = packet.at - late - job.lead
        if place % job.packet:
            raise UnsupportedError(f"the encoder for {job.entry.codec} here has an unknown delay ({packet.at} samples)")
        if -job.spare_before - 1 <= place // job.packet < job.samples // job.packet + job.spare_after:
            found[place // job.packet] = packet.data
    wanted = job.samples // job.packet
    if not all(number in found for number in range(wanted)):
        raise UnsupportedError(f"{wanted} packets of {job.entry.codec} came out as {len(found)}")
    return found


def _without_first(chunks: Iterator[np.ndarray], samples: int) -> Iterator[np.ndarray]:
    for chunk in chunks:
        yield chunk[samples:]
        samples = max(0, samples - len(chunk))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seam:
    """Between packets ``place - 1`` and ``place``: how a copied packet's window falls there, and a coded one's."""

    place: int
    copied: Falling | None
    coded: Falling | None

    @property
    def grade(self) -> int:
        """0 where the windows meet, 1 where they can be made to, 2 where they cannot."""
        copied, coded = self.copied, self.coded
        if copied is None or coded is None or copied.meets(coded):
            return 0
        is_long = copied.is_long and coded.is_long
        return 1 if is_long and coded.shape_bit is not None else _APART

    @property
    def is_bent(self) -> bool:
        return self.grade == 1


def _met(job: SoundJob, chunks: _Signal, falling: _FallingOf) -> CodedSound:
    """Return packets from and to where their windows meet those of the copied packets beside them."""
    wanted = job.samples // job.packet
    tries: list[tuple[int, tuple[bytes, ...], _Seam, _Seam]] = []
    for economy in _economies(job):
        packets = _on_grid(job, chunks(), economy=economy)
        front = _best(job.before, packets, falling, [-number for number in range(job.spare_before + 1)], 0, 0)
        places = [wanted + number for number in range(job.spare_after + 1)]
        back = _best(job.after, packets, falling, places, wanted, -1)
        if front.is_bent or back.is_bent:
            packets = _bent(job, chunks, front, back, economy) or packets
        found = _with_reservoir(
            job, [packets[number] for number in range(front.place, back.place)], back.place - wanted
        )
        if found is not None:
            tries.append((front.grade // _APART + back.grade // _APART, found, front, back))
            if not tries[-1][0]:
                break
    if not tries:
        raise UnsupportedError("no MP3 frame can take the bytes that the next one points back to", path=job.media.name)
    _, found, front, back = min(tries, key=lambda one: one[0])
    return CodedSound(
        packets=found,
        samples=(job.packet,) * len(found),
        taken_before=-front.place,
        taken_after=back.place - wanted,
    )


def _economies(job: SoundJob) -> Sequence[int]:
    """Return the encoder's economies that are worth trying, best quality first."""
    count = economies(job.entry.codec)
    if job.entry.codec != "mp3" or job.after is None:
        return range(count)
    # LAME's choice of blocks hardly depends on the bit rate: the best that leaves room in a frame is as good as any.
    owed = max(len(owed_to(job.after, later)) for later in range(job.spare_after + 1))
    fitting = [n for n in range(count) if mp3_room(job.packet, n, job.entry.sample_rate) >= owed]
    return fitting[:1] or range(count - 1, count)


def _with_reservoir(job: SoundJob, packets: list[bytes], taken_after: int) -> tuple[bytes, ...] | None:
    """Return packets after which MP3 frames can be copied; ``None`` where they have no room for what that takes."""
    if job.entry.codec == "mp3" and job.after is not None:
        last = with_owed(packets[-1], owed_to(job.after, taken_after), job.entry.sample_rate)
        return None if last is None else (*packets[:-1], last)
    return tuple(packets)


def _best(
    beside: Neighbour | None,
    packets: Mapping[int, bytes],
    falling: _FallingOf,
    places: Sequence[int],
    origin: int,
    step: int,
) -> _Seam:
    """Return the nearest of the seams at which windows meet best; ``beside`` stands ``step`` before ``origin``."""
    if beside is None:
        return _Seam(place=places[0], copied=None, coded=None)
    seams = []
    for place in places:
        number = beside.number + place - origin + step
        data = beside.media.sample_bytes(beside.track, number) if 0 <= number < beside.track.table.count else None
        coded = packets.get(place - 1)
        if coded is None or (place != places[0] and place not in packets and place - 1 not in packets):
            continue
        seams.append(_Seam(place=place, copied=None if data is None else falling(data), coded=falling(coded)))
    return min(seams, key=lambda seam: seam.grade, default=_Seam(place=places[0], copied=None, coded=None))


def _bent(job: SoundJob, chunks: _Signal, front: _Seam, back: _Seam, economy: int) -> dict[int, bytes] | None:
    """Code again with a signal that makes up for windows of other shapes; ``None`` where other windows come of it."""
    if job.entry.channels > 2:
        return None  # the shape is stated once for each element, of which only the first is read
    slots: dict[int, _Slot] = {}
    for seam, fold in ((front, folded_rise), (back, folded_fall)):
        if seam.is_bent:
            assert seam.copied is not None and seam.coded is not None
            slots[job.lead + seam.place * job.packet] = _folding(fold, seam.copied.shape, seam.coded.shape)
    packets = _on_grid(job, _with_slots(chunks(), slots, job.packet), economy=economy)
    for seam in (front, back):
        if seam.is_bent:
            assert seam.copied is not None and seam.coded is not None
            again = falling_of(packets[seam.place - 1])
            rising = falling_of(packets[seam.place]) if seam is front else again
            if again is None or rising is None or not seam.coded.meets(again):
                return None
            if seam is back:
                if again.shape_bit is None:
                    return None
                packets[seam.place - 1] = with_shape(packets[seam.place - 1], again, seam.copied.shape)
    return packets


def _folding(fold: Callable[[np.ndarray, int, int], np.ndarray], wanted: int, coder: int) -> _Slot:
    return lambda signal: fold(signal, wanted, coder)


def _with_slots(chunks: Iterator[np.ndarray], slots: Mapping[int, _Slot], size: int) -> Iterator[np.ndarray]:
    """Yield a signal with the ``size`` samples from some places on put through functions."""
    at = 0
    held: list[np.ndarray] = []
    waiting = sorted(slots)
    for chunk in chunks:
        while len(chunk):
            if not waiting:
                yield chunk
                break
            place = waiting[0]
            if at < place:
                part = chunk[: place - at]
                yield part
            else:
                part = chunk[: place + size - at]
                held.append(part)
                if at + len(part) == place + size:
                    yield slots[place](np.concatenate(held)).astype(np.float32)
                    held.clear()
                    waiting.pop(0)
            at += len(part)
            chunk = chunk[len(part) :]
    yield from held
