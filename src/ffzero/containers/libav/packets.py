"""Making packets from packets, and refusing those that cannot be carried over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffzero.errors import EncryptedError

if TYPE_CHECKING:
    from typing import TypeAlias

    from av.packet import Packet
    from av.stream import Stream

    AnyPacket: TypeAlias = Packet[Stream]

__all__ = ["is_encrypted", "joined", "refuse_encrypted", "with_data"]


def with_data(packet: AnyPacket, data: bytes) -> AnyPacket:
    """Return a packet of ``data`` with the times and stream of ``packet``."""
    from av.packet import Packet as NewPacket

    changed = NewPacket(data)
    changed.pts, changed.dts, changed.duration = packet.pts, packet.dts, packet.duration
    changed.time_base, changed.is_keyframe = packet.time_base, packet.is_keyframe
    changed.stream = packet.stream
    return changed


def joined(first: AnyPacket, second: AnyPacket) -> AnyPacket:
    """Return one packet of both, one after the other, at the first one's times and as long as both."""
    both = with_data(first, bytes(first) + bytes(second))
    both.duration = (first.duration or 0) + (second.duration or 0)
    return both


def is_encrypted(packet: AnyPacket) -> bool:
    """Whether the packet's samples are encrypted (ISO/IEC 23001-7, or Matroska's ContentEncryption)."""
    return packet.has_sidedata("encryption_info") or "enc_key_id" in packet.stream.metadata


def refuse_encrypted(packet: AnyPacket, path: str) -> None:
    """Raise ``EncryptedError`` for an encrypted packet: in another container it could never be decrypted."""
    if is_encrypted(packet):
        raise EncryptedError(
            f"its {packet.stream.type} is encrypted; copied to another container it could not be played", path=path
        )
