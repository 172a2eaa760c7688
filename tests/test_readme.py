"""Every Python block and every ``ffzero`` line of both READMEs runs as it is written, on generated media."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest

from ffzero.cli import run
from support.snippets import ROOT, blocks, lay_out_media, run_block

DOCUMENTS = {name: ROOT / name for name in ("README.md", "README.zh-CN.md")}
EACH = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
PYTHON = [
    pytest.param(document, line, code, id=f"{name} line {line}")
    for name, document in DOCUMENTS.items()
    for line, code in blocks(document, "python")
]
OUTPUT = re.compile(r"(?:write\(|\"-frames:v\", \"1\", |output_path=|\.mp4\", )\"([^\"{]+)\"")
OTHER_COMMANDS = {"make", "pip"}


def command_lines(document: Path) -> list[list[str]]:
    lines = [line for _, block in blocks(document, "sh") for line in block.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines]
    return [command for command in commands if command]


def without_comments(document: Path) -> list[str]:
    """Return the Python blocks with what people read, not machines, taken out: comments, texts of ``print``."""
    code = [re.sub(r"\s*#.*|print\(.*", "", block) for _, block in blocks(document, "python")]
    return ["\n".join(line for line in block.splitlines() if line.strip()) for block in code]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lay_out_media(tmp_path)
    darken = 'def darken(chunk):\n    return chunk.apply("eq=brightness=-0.1", 0, 1)\n'
    (tmp_path / "darken.py").write_text(darken, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("document", "line", "code"), PYTHON)
def test_python_block(folder: Path, document: Path, line: int, code: str) -> None:
    before = set(folder.iterdir())
    run_block(document, line, code)
    for name in OUTPUT.findall(code):
        assert (folder / name).stat().st_size > 0, f"the block did not make {name}"
    assert set(folder.iterdir()) > before or not re.search(r"write\(|cut_video\(|concat_videos\(|process\(\(", code)


@EACH
def test_command_lines(folder: Path, document: Path) -> None:
    made = []
    for command in command_lines(document):
        if command[0] in OTHER_COMMANDS:
            continue
        assert command[0] == "ffzero"
        stdout, stderr = io.StringIO(), io.StringIO()
        if "-o" in command and "--dry-run" not in command and "-y" not in command:
            name = command[command.index("-o") + 1]
            made.append(folder / (name % 1 if "%" in name else name))
            assert not made[-1].exists()
        assert run(command[1:], stdout, stderr) == 0, f"{command}: {stderr.getvalue()}"
        assert stdout.getvalue()
        assert stderr.getvalue() == ""
    assert made
    assert all(path.stat().st_size > 0 for path in made)


@EACH
def test_the_blocks_are_found(document: Path) -> None:
    assert len(blocks(document, "python")) >= 10
    assert [line for line in command_lines(document) if line[:2] == ["make", "demo"]]


def test_both_languages_show_the_same_code() -> None:
    english, chinese = (without_comments(document) for document in DOCUMENTS.values())
    assert english == chinese
    assert len({tuple(map(tuple, command_lines(document))) for document in DOCUMENTS.values()}) == 1


@EACH
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        assert "://" in target or (document.parent / target).exists(), target
