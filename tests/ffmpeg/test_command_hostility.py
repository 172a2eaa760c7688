"""Hostile names, texts and files: nothing but the named files is read, written or fetched."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import av
import pytest

from ffzero.errors import FFmpegError
from ffzero.ffmpeg.executor import FFmpegExecutor
from support.commands import QUICK, build, execute

HOSTILE = [
    'it\'s "q" `id` $HOME;x',
    "line\nbreak\r",
    "-y",
    "concat:a.mp4|b.mp4",
    "http:x",
    "subfile,,start,0,end,9,,:x",
    "100%d %05d",
    "[in],a;b:c=d\\'e'\\",
    " 视频 ü ",
    "*?[a]{b}",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_files_and_nothing_else(media: Path, tmp_path: Path, monkeypatch: Any, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{name}.mp4").write_bytes((media / "a.mp4").read_bytes())
    (tmp_path / f"{name}.srt").write_bytes((media / "s.srt").read_bytes())
    (tmp_path / f"{name}.png").write_bytes((media / "logo.png").read_bytes())
    before = {path.name for path in tmp_path.iterdir()}
    source = f"{name}.mp4"
    commands = {
        f"out {name}.mp4": build("cut", input_path=source, output_path=f"out {name}.mp4", duration=1, settings=QUICK),
        f"{name}.jpg": build("thumbnail", input_path=source, output_path=f"{name}.jpg", time=0),
        f"{name}.burnt.mp4": build(
            "burn_subtitles", input_path=source, output_path=f"{name}.burnt.mp4", subtitles_path=f"{name}.srt"
        ),
        f"{name}.laid.mp4": build(
            "overlay", input_path=source, output_path=f"{name}.laid.mp4", overlay_path=f"{name}.png", width=16
        ),
    }
    out = f"{name}.joined.mp4"
    commands[out] = build("concat", input_files=[source, source], output_path=out)
    before |= {"ffzero-concat-list.txt", *commands[out].links}
    for command in commands.values():
        execute(command, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == before | set(commands)
    for made in commands:
        assert (tmp_path / made).stat().st_size > 500


def test_hostile_text_is_a_value_and_nothing_else(media: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    hostile = "x',movie=/etc/passwd[a];[a]null\\:b=c -y -i http://x `touch pwned` $(touch pwned)\n;touch pwned"
    settings = QUICK.replace(audio_codec="copy", extra_args={"metadata": f"comment={hostile}"})
    source, subtitles, style = media / "a.mp4", media / "s.srt", f"FontName={hostile}"
    more: dict[str, tuple[str, dict[str, Any]]] = {
        "a.mp4": ("burn_subtitles", {"subtitles_path": subtitles, "style": style, "settings": settings}),
        "b.mp4": ("add_subtitles", {"subtitles_path": subtitles, "title": hostile}),
        "c.mp4": ("transcode", {"metadata": {"x'": hostile}, "settings": settings}),
    }
    commands = {out: build(name, input_path=source, output_path=out, **given) for out, (name, given) in more.items()}
    for command in commands.values():
        execute(command, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(commands)
    with av.open("c.mp4") as container:
        assert container.metadata["comment"] == hostile


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{}\n#EXT-X-ENDLIST\n"
CONCAT_LIST = "ffconcat version 1.0\nfile '{}'\n"
MANIFEST = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="0" bandwidth="9"><BaseURL>{}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>"
)


@pytest.mark.parametrize("operation", ["burn_subtitles", "add_subtitles", "overlay", "cut", "concat"])
@pytest.mark.parametrize("content", [None, PLAYLIST, CONCAT_LIST, MANIFEST], ids=["name", "hls", "concat", "dash"])
def test_nothing_is_fetched(media: Path, tmp_path: Path, monkeypatch: Any, operation: str, content: str | None) -> None:
    """Neither by a name nor by what a file says."""
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.mp4"
        name = url
        if content is not None:
            name = "named.mp4" if operation in ("cut", "concat") else "named.srt"
            Path(name).write_text(content.format(url), encoding="utf-8")
        given: dict[str, dict[str, Any]] = {
            "burn_subtitles": {"input_path": media / "a.mp4", "subtitles_path": name},
            "add_subtitles": {"input_path": media / "a.mp4", "subtitles_path": name},
            "overlay": {"input_path": media / "a.mp4", "overlay_path": name},
            "cut": {"input_path": name},
            "concat": {"input_files": [name, name]},
        }
        command = build(operation, output_path="o.mp4", **given[operation])
        with pytest.raises(FFmpegError):
            FFmpegExecutor(timeout_s=20).execute(command)
        with pytest.raises(BlockingIOError):
            server.accept()
