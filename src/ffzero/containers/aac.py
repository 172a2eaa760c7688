"""AAC packets without a signal (ISO/IEC 14496-3:2009, §4.4.2: raw_data_block)."""

from __future__ import annotations

__all__ = ["silent_aac"]

_SINGLE, _PAIR, _LOW = "000", "001", "011"
"""id_syn_ele of single_channel_element, channel_pair_element and lfe_channel_element (Table 4.85)."""
_END = "111"
_ELEMENTS = {
    1: (_SINGLE,),
    2: (_PAIR,),
    3: (_SINGLE, _PAIR),
    4: (_SINGLE, _PAIR, _SINGLE),
    5: (_SINGLE, _PAIR, _PAIR),
    6: (_SINGLE, _PAIR, _PAIR, _LOW),
}
"""What a packet holds, by how many channels the configuration names (Table 1.19)."""
_LONG_WINDOW = "0" + "00" + "0" + "000000" + "0"
"""ics_info of one long sine window without a band of frequencies, nor prediction (§4.4.2.2)."""
_GAIN = f"{100:08b}"
_NO_TOOLS = "000"
"""Neither pulses, nor temporal noise shaping, nor gain control."""


def silent_aac(channels: int) -> bytes | None:
    """Return an AAC-LC packet of silence for so many channels in their usual order; ``None`` where there is no such."""
    elements = _ELEMENTS.get(channels)
    if elements is None:
        return None
    bits = "".join(
        element + f"{elements[:number].count(element):04b}" + _channels(element)
        for number, element in enumerate(elements)
    )
    bits += _END
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8)


def _channels(element: str) -> str:
    if element != _PAIR:
        return _GAIN + _LONG_WINDOW + _NO_TOOLS
    return "1" + _LONG_WINDOW + "00" + 2 * (_GAIN + _NO_TOOLS)  # a common window, no mid and side
