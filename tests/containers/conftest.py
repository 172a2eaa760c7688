from __future__ import annotations

import functools
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import settings

from ffzero.containers import columns, run_table
from ffzero.containers.isobmff import chunk_boxes, moved_table, sample_table, search
from support.h264_tracks import X264, Track, read_track
from support.media import ffmpeg_exe

# Machines that run tests are busy; pytest's own time-outs catch what hangs.
settings.register_profile("ffzero", deadline=None)
settings.load_profile("ffzero")


@pytest.fixture(scope="module", params=[4, 1024], ids=["blocks-of-4", "blocks-of-1024"])
def blocks(request: pytest.FixtureRequest) -> Iterator[int]:
    """Let tables keep sums for every 4 rows, so that small ones in tests have many blocks too."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (columns, run_table):
            patch.setattr(module, "BLOCK_ROWS", request.param)
            patch.setattr(module, "_PASS_ROWS", request.param * 2)
        for module in (chunk_boxes, moved_table):
            patch.setattr(module, "_PASS_ROWS", request.param)
        for module in (sample_table, search):
            patch.setattr(module, "_PASS_SAMPLES", request.param)
        if request.param < 1024:  # else they are looked up in expanded columns
            patch.setattr(sample_table, "_SMALL_SAMPLES", -1)
        yield request.param


@pytest.fixture(scope="session")
def x264(tmp_path_factory: pytest.TempPathFactory) -> functools._lru_cache_wrapper[Track]:
    """Return a function that gives the track which x264 makes by the recipe of a name."""

    @functools.cache
    def make(name: str) -> Track:
        options, parameters = X264[name]
        path = tmp_path_factory.mktemp("x264") / "a.mp4"
        source = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=3.2"]
        codec = ["-c:v", "libx264", "-preset", "fast", *options.split(), "-x264-params", parameters]
        subprocess.run([ffmpeg_exe(), "-v", "error", *source, *codec, str(path)], check=True, timeout=60)
        return read_track(path)

    return make
