"""Every sample as columns: the same as FFmpeg's demuxer sees, and bounded."""

from __future__ import annotations

import av
import numpy as np
import pytest

import ffzero
from ffzero.containers import index
from support.media import made


@pytest.mark.parametrize("name", ["h264_open_gop.mp4", "frag_sidx.mp4", "vfr.mp4"])
def test_columns_are_what_ffmpeg_demuxes(name: str) -> None:
    samples = ffzero.open(made(name)).samples()
    with av.open(str(made(name)), options={"ignore_editlist": "1"}) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
    assert [packet.size for packet in packets] == samples.size_bytes.tolist()
    assert [packet.pos for packet in packets] == samples.offset_bytes.tolist()
    shift = packets[0].dts - samples.dts_ticks[0]
    assert [packet.dts - shift for packet in packets] == samples.dts_ticks.tolist()
    assert [packet.pts - shift for packet in packets] == samples.pts_ticks.tolist()
    assert [bool(packet.is_keyframe) for packet in packets] == samples.is_sync.tolist()


def test_a_stretch_equals_the_whole(tmp_path: object) -> None:
    movie = ffzero.open(made("h264_open_gop.mp4"))
    whole, part = movie.samples(), movie.samples(first=17, stop=90)
    assert len(part) == 73
    for name in ("offset_bytes", "size_bytes", "dts_ticks", "pts_ticks", "duration_ticks", "is_sync", "description"):
        column = getattr(part, name)
        assert np.array_equal(column, getattr(whole, name)[17:90]), name
        assert not column.flags.writeable


def test_it_is_bounded_and_knows_its_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    movie = ffzero.open(made("h264_open_gop.mp4"))
    with pytest.raises(ffzero.UsageError, match="no track 99"):
        movie.samples(99)
    monkeypatch.setattr(index, "MAX_SAMPLES", 10)
    with pytest.raises(ffzero.UsageError, match="too many samples"):
        movie.samples()
