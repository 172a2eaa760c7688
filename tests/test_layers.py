"""The house rules, proved from the source: imports point one way, lists of names are sorted, importing is quick."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import ffzero

SRC = Path(__file__).parent.parent / "src"

# Each layer may import the ones before it and itself, except that modules of one entry's different names may not
# import each other: ffmpeg and frames, cli and web stand side by side.
LAYERS = (
    ("errors", "timebase", "reporting", "values"),
    ("extents",),
    ("storage",),
    ("containers",),
    ("edits",),
    ("ffmpeg", "frames"),
    ("engines",),
    ("pipelines",),
    ("api",),
    ("integrations",),
    ("cli", "web"),
    ("__main__",),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
ROOTS = {"errors", "timebase", "reporting", "values"}
HEAVY = {"av", "click", "imageio_ffmpeg", "numpy", "rich"}


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted((SRC / "ffzero").rglob("*.py")):
        parts = path.relative_to(SRC).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(name: str, path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, module) for each ffzero module that is imported anywhere in the file, functions included."""
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.split(".")[0] == "ffzero")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            if node.module and node.module.split(".")[0] == "ffzero":
                for alias in node.names:
                    submodule = f"{node.module}.{alias.name}"
                    yield node.lineno, submodule if submodule in MODULES else node.module


def layer(module: str) -> str | None:
    """Return the layer's name: the first folder or module under ffzero; ``None`` for ffzero itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


@pytest.mark.parametrize("name", MODULES)
def test_every_module_belongs_to_a_layer(name: str) -> None:
    assert layer(name) is None or layer(name) in RANK


@pytest.mark.parametrize("name", [name for name in MODULES if name != "ffzero"])
def test_imports_point_one_way(name: str) -> None:
    own = layer(name)
    assert own is not None
    for line, target in imported(name, MODULES[name]):
        other = layer(target)
        where = f"{name}:{line} imports {target}"
        if other is None:
            assert RANK[own] > RANK["api"], f"{where}: only what stands above api may import the package itself"
        elif other != own:
            allowed = RANK[other] < RANK[own] or (own in ROOTS and other in ROOTS)
            assert allowed, f"{where}: {own} may not import {other}"


def test_no_cycles_between_modules() -> None:
    """A package's ``__init__`` may import its modules, so they import each other by module, never from the package."""
    # The package's own names are lazy: what imports them imports api.
    graph = {name: {target for _, target in imported(name, path)} - {"ffzero"} for name, path in MODULES.items()}
    graph["ffzero"] = set()
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(error.args[1][::-1]))


def test_the_package_itself_imports_nothing() -> None:
    tree = ast.parse(MODULES["ffzero"].read_bytes())
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in imports] == ["from __future__ import annotations"]


@pytest.mark.parametrize("name", MODULES)
def test_every_all_is_a_sorted_literal_of_defined_names(name: str) -> None:
    tree = ast.parse(MODULES[name].read_bytes())
    lists = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]
    ]
    if not lists:
        public = [
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        ]
        assert not public, f"{name} defines {public} and has no __all__"
        return
    names = ast.literal_eval(lists[0])
    assert names == sorted(set(names), key=isort_style)
    assert set(names) <= bound_names(tree.body), set(names) - bound_names(tree.body)


def isort_style(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order that ruff's RUF022 keeps."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def bound_names(body: list[ast.stmt]) -> set[str]:
    names: set[str] = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(
            node,
            ast.Assign | ast.AnnAssign | ast.TypeAlias if sys.version_info >= (3, 12) else ast.Assign | ast.AnnAssign,
        ):
            names |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        elif isinstance(node, ast.If | ast.Try):
            names |= bound_names([*node.body, *node.orelse, *getattr(node, "finalbody", [])])
    return names


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import ffzero", set()),
        ("import ffzero.errors, ffzero.timebase, ffzero.reporting", set()),
        ("import ffzero.cli", set()),
        ("import ffzero.cli.app", {"click"}),
    ],
)
def test_importing_is_quick(statement: str, allowed: set[str]) -> None:
    code = f"import sys; {statement}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == allowed


def test_help_loads_no_engine() -> None:
    code = (
        "import sys, io; from ffzero.cli import run; assert run(['cut', '--help'], sys.stdout, sys.stderr) == 0;"
        f"print(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    assert done.stdout.startswith("Usage: ffzero cut")
    assert done.stderr.split() == ["click"]


def test_lazy_names_are_those_of_the_api() -> None:
    from ffzero import api

    for name in ffzero.__all__:
        assert getattr(ffzero, name) is not None
    assert ffzero.Movie is api.Movie
    assert set(ffzero.__all__) <= set(dir(ffzero))
    with pytest.raises(AttributeError, match="no_such_name"):
        ffzero.no_such_name  # noqa: B018 - looking it up is the test


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SRC)}
