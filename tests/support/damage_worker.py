"""Tries damaged files one after the other in a process of its own; run as ``python -m support.damage_worker``.

Arguments: a JSON file with the cases, the first case to run, and a folder to work in. A line says that it is ready,
then for each case a line of JSON goes to standard output: what came of it, how long it took and the process's peak
memory. A case that hangs ends the process with a traceback (``faulthandler`` does so even inside native code), so its
line is missing.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from support.boxes import top_level
from support.mutate import mutated

HANG_S = 5.0
ADDRESS_SPACE_BYTES = 6 << 30
BMFF = frozenset({".mp4", ".mov", ".m4v"})
CUTS = ((0.2, 0.7), (None, None))


def main(jobs: str, first: str, folder: str) -> None:
    with contextlib.suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    import numpy

    import ffzero

    assert numpy.__version__, "loaded first, so that it does not count as a case's"
    assert callable(ffzero.open)
    print("ready", flush=True)
    for case in json.loads(Path(jobs).read_text())[int(first) :]:
        print(json.dumps(_run(case, Path(folder))), flush=True)


def _run(case: dict[str, Any], folder: Path) -> dict[str, Any]:
    victim, told = _victim(case, folder)
    _reset_peak()
    faulthandler.dump_traceback_later(HANG_S, exit=True)
    begin = time.perf_counter()
    outcome, bad = _try(victim, folder / "out")
    seconds = time.perf_counter() - begin
    faulthandler.cancel_dump_traceback_later()
    return {"outcome": outcome, "bad": bad, "seconds": seconds, "peak_mb": _peak_mb(), "damage": told}


def _victim(case: dict[str, Any], folder: Path) -> tuple[Path, str]:
    source = Path(case["path"])
    if "seed" not in case and "length" not in case:
        return source, "as it is"
    data = source.read_bytes()
    hurt, told = (
        mutated(data, case["seed"]) if "seed" in case else (data[: case["length"]], f"first {case['length']} bytes")
    )
    victim = folder / f"victim{source.suffix}"
    victim.write_bytes(hurt)
    return victim, told


def _try(victim: Path, out: Path) -> tuple[str, str | None]:
    """Return what happened, and what is wrong with that (``None``: nothing)."""
    from ffzero.errors import FFZeroError

    out.mkdir(exist_ok=True)
    done: list[str] = []
    try:
        _use(victim, out, done)
        outcome, bad = "done", None
    except FFZeroError as error:
        outcome, bad = type(error).__name__, _unclear(error)
    except BaseException:
        outcome, bad = "other exception", traceback.format_exc(limit=-6)
    left = sorted(path.name for path in out.iterdir() if path.name not in done)
    if bad is None and left:
        bad = f"left behind: {left}"
    for path in out.iterdir():
        path.unlink()
    return outcome, bad


def _use(victim: Path, out: Path, done: list[str]) -> None:
    """Open, describe, plan and write; a cut that is refused does not keep the next one from being tried."""
    import ffzero
    from ffzero.errors import FFZeroError

    refused: FFZeroError | None = None
    with ffzero.open(victim) as movie:
        json.dumps(movie.info().to_dict())
        for number, (start, end) in enumerate(CUTS):
            name = f"cut{number}{victim.suffix or '.mp4'}"
            try:
                clip = movie[start:end]
                str(clip.plan(boundary="auto"))
                clip.write(out / name, overwrite=True)
            except FFZeroError as error:
                refused = error
                continue
            if victim.suffix in BMFF:
                kinds = [box.kind for box in top_level(out / name)]
                assert kinds.index(b"moov") < kinds.index(b"mdat"), f"the output holds {kinds}"
                assert top_level(out / name)[-1].end == (out / name).stat().st_size, (
                    "the output's boxes do not end with it"
                )
            done.append(name)
    if refused is not None:
        raise refused


def _unclear(error: Exception) -> str | None:
    text = str(error)
    if not text.strip() or "\n" in text or len(text) > 1000 or "Traceback" in text:
        return f"not a clear message: {text!r}"
    return None


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main(*sys.argv[1:])
