"""Every Python block and every ``ffzero`` line of the README runs as it is written, on generated media."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest

from ffzero.cli import run
from support.samples import copy_sample

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OTHER_COMMANDS = {"make", "pip"}


def blocks(language: str) -> list[tuple[int, str]]:
    """Return (line, text) of each block of that language."""
    text = README.read_text(encoding="utf-8")
    found = [match for match in BLOCK.finditer(text) if match[1] == language]
    return [(text.count("\n", 0, match.start(2)) + 1, match[2]) for match in found]


def command_lines() -> list[list[str]]:
    lines = [line for _, block in blocks("sh") for line in block.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines]
    return [command for command in commands if command]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_sample(tmp_path, "in.mp4", "a.mp4", "b.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("line", "code"), [pytest.param(*block, id=f"line {block[0]}") for block in blocks("python")])
def test_python_block(folder: Path, line: int, code: str) -> None:
    exec(compile("\n" * (line - 1) + code, str(README), "exec"), {"__name__": "readme"})
    for name in re.findall(r"(?:write\(|\"-frames:v\", \"1\", )\"([^\"]+)\"", code):
        assert (folder / name).stat().st_size > 0, f"the block did not make {name}"


def test_command_lines(folder: Path) -> None:
    made = []
    for command in command_lines():
        if command[0] in OTHER_COMMANDS:
            continue
        assert command[0] == "ffzero"
        stdout, stderr = io.StringIO(), io.StringIO()
        if "-o" in command and "--dry-run" not in command and "-y" not in command:
            made.append(folder / command[command.index("-o") + 1])
            assert not made[-1].exists()
        assert run(command[1:], stdout, stderr) == 0, f"{command}: {stderr.getvalue()}"
        assert stdout.getvalue()
        assert stderr.getvalue() == ""
    assert made
    assert all(path.stat().st_size > 0 for path in made)


def test_the_blocks_are_found() -> None:
    assert len(blocks("python")) >= 4
    assert [line for line in command_lines() if line[:2] == ["make", "demo"]]


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8")):
        assert "://" in target or (README.parent / target).exists(), target
