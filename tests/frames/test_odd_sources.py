"""Sources that FFmpeg does not write: VP8 in MP4, two-byte NAL unit lengths, both fields of a picture in one sample."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from ffzero.containers.isobmff.sample_entry import SampleEntry, parse_sample_entry
from ffzero.containers.isobmff.sample_table import Chunks, SampleTable, Sizes
from ffzero.containers.nal_units import iter_length_prefixed
from ffzero.containers.runs import Runs
from ffzero.edits.media import Media
from ffzero.edits.rendering import CodedPictures, PictureJob
from ffzero.errors import UnsupportedError
from ffzero.frames.pictures.entries import with_config
from support.media import ffmpeg_exe, real_media
from support.renders import decode, entry_of_coded, job_at, opened, render, source_samples


def ffmpeg(*arguments: str | Path) -> None:
    argv = [ffmpeg_exe(), "-nostdin", "-v", "error", *map(str, arguments)]
    subprocess.run(argv, check=True, timeout=60, capture_output=True)


def movie(path: Path, options: str) -> Path:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=192x108:r=25:d=1.2,noise=alls=8:allf=t", *options.split(), path)
    return path


def with_samples(path: Path, samples: list[bytes], keys: list[int], entry: SampleEntry) -> Media:
    """Return the movie at ``path`` with other samples in its only track, which are put at the end of the file."""
    offset = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"".join(samples))
    media = opened(path)
    (track,) = media.box.tracks
    one, count = np.ones(1, np.int64), len(samples)
    table = SampleTable(
        timescale=25,
        durations=Runs.constant(count, 1),
        sizes=Sizes(count=count, column=np.array([len(sample) for sample in samples], np.int64)),
        chunks=Chunks(
            offsets=np.array([offset], np.int64),
            run_chunks=one,
            run_samples=one * count,
            run_descriptions=np.zeros(1, np.int64),
        ),
        sync=np.array(keys, np.int64),
    )
    return Media(box=replace(media.box, tracks=(replace(track, table=table, entries=(entry,)),)))


def near_and_in_time(job: PictureJob, coded: CodedPictures) -> None:
    entry = job.track.entries[0]
    source = {p.pts: p for p in decode(entry, source_samples(job, job.decode_first, job.decode_stop))}
    got = decode(entry_of_coded(job, coded), list(zip(coded.pts, coded.samples, strict=True)))
    assert [picture.pts for picture in got] == list(coded.pts)
    assert len(got) == job.frames
    assert [picture.kind for picture in got] == [source[pts].kind for pts in coded.pts]
    assert min(picture.psnr_db(source[picture.pts]) for picture in got) >= 45


def test_vp8(tmp_path: Path) -> None:
    plain = movie(tmp_path / "vp9.mp4", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8")
    webm = movie(tmp_path / "vp8.webm", "-c:v libvpx -deadline realtime -g 10 -b:v 600k")
    with av.open(webm) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    entry = opened(plain).box.tracks[0].entries[0]
    entry = replace(entry, fourcc="vp08", original_format="vp08", codec="vp8")
    opened.cache_clear()
    keys = [number for number, packet in enumerate(packets) if packet.is_keyframe]
    media = with_samples(plain, [bytes(packet) for packet in packets], keys, entry)
    job = job_at(media, media.box.tracks[0], 0.5, 6)
    coded = render(job)
    assert (coded.entry, coded.added_sets) == (None, ())
    near_and_in_time(job, coded)


def test_short_nal_lengths_get_an_entry_of_their_own(tmp_path: Path) -> None:
    path = movie(tmp_path / "h264.mp4", "-c:v libx264 -preset veryfast -g 10 -bf 0 -pix_fmt yuv420p")
    media = opened(path)
    (track,) = media.box.tracks
    entry = track.entries[0]
    samples = []
    for number in range(track.table.count):
        data = media.sample_bytes(track, number)
        assert data is not None
        units = [data[at : at + size] for at, size in iter_length_prefixed(data, 4)]
        samples.append(b"".join(len(unit).to_bytes(2) + unit for unit in units))
    record = bytearray(entry.boxes["avcC"])
    record[4] = record[4] & 0xFC | 1
    short = parse_sample_entry(with_config(entry, "avcC", bytes(record)), "vide")
    keys = track.table.sync_candidates()
    assert keys is not None
    opened.cache_clear()
    media = with_samples(path, samples, keys.tolist(), short)
    job = job_at(media, media.box.tracks[0], 0.5, 6)
    coded = render(job)
    assert not coded.added_sets
    rendered = entry_of_coded(job, coded)
    assert rendered.nal_length_size == 4
    assert rendered.avc is not None
    assert len(rendered.avc.sps) == len(rendered.avc.pps) == 1
    near_and_in_time(job, coded)


FIELDS = [file for file in real_media() if file.name == "fixture-raw.mts"]


@pytest.mark.skipif(not FIELDS, reason="needs the real media")
@pytest.mark.parametrize("together", [True, False])
def test_field_pictures(tmp_path: Path, together: bool) -> None:
    path = tmp_path / "fields.mp4"
    ffmpeg("-i", FIELDS[0].path(), "-c", "copy", "-an", path)
    media = opened(path)
    if not together:
        for place in (0, 0.5, 0.97, 1):
            with pytest.raises(
                UnsupportedError, match=r"fields\.mp4: track 1, sample .* s: .*fields lie in two samples"
            ):
                render(job_at(media, media.box.tracks[0], place, 5))
        return
    pairs = tmp_path / "pairs.mp4"
    with av.open(path) as source, av.open(pairs, "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for top, bottom in zip(packets[::2], packets[1::2], strict=True):
            both = av.Packet(bytes(top) + bytes(bottom))
            both.pts, both.dts, both.time_base = top.pts, top.dts, top.time_base
            both.is_keyframe, both.stream = top.is_keyframe, stream
            out.mux(both)
    media = opened(pairs)
    job = job_at(media, media.box.tracks[0], 0.5, 3)
    near_and_in_time(job, render(job))
