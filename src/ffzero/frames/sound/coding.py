"""Sound jobs: the signal is coded like the source's, and the packets that stand on the output's grid are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ffzero.edits.sound.rendering import CodedSound, SoundJob
from ffzero.errors import UnsupportedError
from ffzero.frames.sound.encode import SoundEncoder, encode_block
from ffzero.frames.sound.signal import signal
from ffzero.reporting import CancelToken

__all__ = ["code_sound"]


def code_sound(job: SoundJob, *, advance: Callable[[int], None], cancel: CancelToken | None = None) -> CodedSound:
    """See ``Renderer.sound``. Holds the coded packets, and a second of sound at a time."""
    if not job.packet:
        coded = _blocks(job, signal(job, cancel=cancel))
    elif job.packet == 1:
        coded = _plain(job, signal(job, cancel=cancel))
    else:
        from ffzero.frames.sound.seams import code_between

        coded = code_between(job, lambda: signal(job, cancel=cancel))
    advance(job.packets)
    return coded


def _plain(job: SoundJob, chunks: Iterator[np.ndarray]) -> CodedSound:
    """Code PCM: a packet is a sample of all channels."""
    encoder = SoundEncoder(job)
    data = b"".join(packet.data for packet in encoder.packets(chunks))
    size = len(data) // job.samples
    if len(data) != size * job.samples:
        raise UnsupportedError(f"{job.entry.codec} sound came out as {len(data)} bytes for {job.samples} samples")
    packets = tuple(data[at : at + size] for at in range(0, len(data), size))
    return CodedSound(packets=packets, samples=(1,) * job.samples)


def _blocks(job: SoundJob, chunks: Iterator[np.ndarray]) -> CodedSound:
    """Code without loss: blocks of any number of samples."""
    packets: list[bytes] = []
    held = np.zeros((0, job.entry.channels), np.float32)
    for samples in job.blocks:
        while len(held) < samples:
            held = np.concatenate((held, next(chunks)))
        packets.append(encode_block(job, held[:samples]))
        held = held[samples:]
    return CodedSound(packets=tuple(packets), samples=job.blocks)
