"""Which words of a command line are outputs, and what becomes of them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero.errors import OutputError, OutputExistsError
from ffzero.ffmpeg.grammar import read_words
from ffzero.ffmpeg.outputs import find_outputs, output_path, staged_outputs
from support.media import ffmpeg_exe


@pytest.mark.parametrize(
    ("words", "outputs"),
    [
        ("-i in.mp4 out.mp4", ["out.mp4"]),
        ("-y -hide_banner -i in.mp4 -an -c:v copy out.mp4", ["out.mp4"]),
        ("-i in.mp4 -noautorotate -shortest -t 5 a.mp4 -vn b.m4a", ["a.mp4", "b.m4a"]),
        ("-i in.mp4 -map 0:v -metadata title=x -crf 20 -x264-params a=b out.mp4", ["out.mp4"]),
        ("-i in.mp4 -- -out.mp4", ["-out.mp4"]),
        ("-i in.mp4 file:-out.mp4", ["-out.mp4"]),
        ("-i in.mp4 ./a:b.mp4", ["./a:b.mp4"]),
        ("-i in.mp4 my,film.mp4", ["my,film.mp4"]),
        ("-i in.mp4 C:/x.mp4", ["C:/x.mp4"]),
        ("-i in.mp4 -f null out", [None]),
        ("-i in.mp4 -f mpegts -", [None]),
        ("-i in.mp4 -f mpegts pipe:1", [None]),
        ("-i in.mp4 -f flv rtmp://host/x", [None]),
        ("-i in.mp4 -f tee [f=mp4]a.mp4|b.mkv", [None]),
        ("-re -stream_loop -1 -i in.mp4 out.mp4", ["out.mp4"]),
        ("-version", []),
        ("-i in.mp4", []),
        ("-i", []),
        ("--", []),
    ],
)
def test_outputs_are_found(words: str, outputs: list[str | None]) -> None:
    assert [output.path for output in find_outputs(["ffmpeg", *words.split()])] == outputs


@pytest.mark.parametrize(
    ("words", "several"),
    [
        ("-i x out.mp4", False),
        ("-i x out.m3u8", True),
        ("-i x -f hls out", True),
        ("-i x out.mpd", True),
        ("-i x p%03d.png", True),
        ("-i x -update 1 p.png", False),
        ("-i x p.png", False),
        ("-i x -f segment out%d.mkv", True),
        ("-f image2 -i p%d.png 100%done.mp4", True),  # a name with a pattern in it is written aside: no harm
        ("-i x -f mp4 p%d.png", False),
    ],
)
def test_outputs_of_several_files_are_known(words: str, several: bool) -> None:
    assert [output.several_files for output in find_outputs(["ffmpeg", *words.split()])] == [several]


@given(
    st.lists(st.text(max_size=8) | st.sampled_from(["-i", "-f", "--", "-", "-y", "hls", "null", "-map"]), max_size=12)
)
def test_any_words_are_read(words: list[str]) -> None:
    for output in find_outputs(["ffmpeg", *words]):
        assert 1 <= output.options_start <= output.index <= len(words)


def test_paths_and_addresses() -> None:
    assert output_path("file:a b.mp4") == "a b.mp4"
    assert output_path("/tmp/http://x") == "/tmp/http://x"
    assert output_path("http://x") is None
    assert output_path("subfile,,start,0,end,9,,:x") is None
    assert output_path("") is None


def test_a_file_has_a_temporary_name_till_the_end(tmp_path: Path) -> None:
    out = tmp_path / "-o.mp4"
    with staged_outputs(["ffmpeg", "-i", "x", "--", str(out)], overwrite=False) as (argv, temporary):
        (name,) = temporary
        assert argv[-1] == f"file:{name}"
        assert os.path.dirname(name) == str(tmp_path)
        Path(name).write_bytes(b"done")
        assert not out.exists()
    assert out.read_bytes() == b"done"
    assert os.listdir(tmp_path) == ["-o.mp4"]


def test_after_an_error_nothing_is_there(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError),
        staged_outputs(["ffmpeg", f"{tmp_path}/o.m3u8", f"{tmp_path}/o.mp4"], overwrite=True),
    ):
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_a_folder_of_segments_moves_whole(tmp_path: Path) -> None:
    words = ["ffmpeg", "-i", "x", "-hls_segment_filename", f"{tmp_path}/v%v/s%d.ts", f"{tmp_path}/v%v/o.m3u8"]
    with staged_outputs(words, overwrite=False) as (argv, (folder,)):
        assert argv[-1] == f"file:{folder}/v%v/o.m3u8"
        assert argv[-2] == f"{folder}/v%v/s%d.ts"
        os.makedirs(f"{folder}/v0")
        for name in ("o.m3u8", "s0.ts"):
            Path(folder, "v0", name).write_bytes(b"x")
    assert sorted(path.name for path in (tmp_path / "v0").iterdir()) == ["o.m3u8", "s0.ts"]


def test_a_segment_that_exists_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "o0.ts").write_bytes(b"mine")
    with (
        pytest.raises(OutputExistsError, match=r"o0\.ts"),
        staged_outputs(["ffmpeg", f"{tmp_path}/o.m3u8"], overwrite=False) as (_, (folder,)),
    ):
        Path(folder, "o0.ts").write_bytes(b"new")
        Path(folder, "o.m3u8").write_bytes(b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"o0.ts": b"mine"}


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    for name in ("o.mp4", "o.m3u8", "p%d.png"):
        with pytest.raises(OutputError), staged_outputs(["ffmpeg", f"{tmp_path}/no/{name}"], overwrite=False):
            pass


def test_which_options_take_a_value_is_as_this_ffmpeg_has_it(tmp_path: Path) -> None:
    """FFmpeg says "Missing argument" where an option that takes a value ends the line."""
    shown = subprocess.run([ffmpeg_exe(), "-hide_banner", "-h", "long"], capture_output=True, text=True, check=True)
    listed = {match[1] for line in shown.stdout.splitlines() if (match := re.match(r"-(\w+)(?:\[|<| |$)", line))}
    names = sorted(listed - {"h", "help", "sources", "sinks", "report"})
    assert len(names) > 100
    wrong = []
    for name in names:
        said = subprocess.run(
            [ffmpeg_exe(), "-hide_banner", f"-{name}"], capture_output=True, text=True, cwd=tmp_path, check=False
        ).stderr
        takes_value = len(list(read_words(["ffmpeg", f"-{name}", "x"]))) == 1
        if takes_value != ("Missing argument" in said):
            wrong.append(name)
    assert wrong == []
