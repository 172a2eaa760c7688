"""``ffzero doctor``: what FFmpeg, its encoders, the hardware and the filesystem really do here."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Any

import click

import ffzero
from ffzero.cli.console import Console
from ffzero.cli.draw import columns
from ffzero.cli.text import byte_count, count, printable, seconds
from ffzero.errors import FFmpegNotFoundError

if TYPE_CHECKING:
    from ffzero.ffmpeg.binary import FFmpegBinary
    from ffzero.ffmpeg.hardware import EncoderProbe

__all__ = ["doctor"]

_PROTOCOLS = ("file", "pipe", "fd", "subfile", "concatf", "concat", "http", "https", "srt", "rtmp")
_SOURCES = {
    "explicit": "--ffmpeg",
    "environment": "FFZERO_FFMPEG",
    "path": "PATH",
    "bundled": "the package imageio-ffmpeg",
}


@click.command()
@click.argument("folder", type=click.Path(), default=".", metavar="[FOLDER]")
@click.option("--ffmpeg", "ffmpeg_path", type=click.Path(), metavar="PROGRAM", help="The FFmpeg to look at.")
@click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def doctor(console: Console, folder: str, ffmpeg_path: str | None, json_wanted: bool) -> None:
    """Show which FFmpeg is used, which encoders encoded a probe frame with it, and what FOLDER's filesystem can do.

    FOLDER (default: this one) is where outputs will be written. The exit status is 1 where there is no FFmpeg.
    """
    from ffzero.ffmpeg.binary import find_ffmpeg
    from ffzero.ffmpeg.hardware import probe_encoders

    report: dict[str, Any] = {**_system(), "storage": _storage(folder), "ffmpeg": None, "encoders": []}
    failure: FFmpegNotFoundError | None = None
    try:
        binary = find_ffmpeg(ffmpeg_path)
        report["ffmpeg"] = _program(binary)
        report["encoders"] = [_encoder(probe) for probe in probe_encoders(binary)]
    except FFmpegNotFoundError as error:
        failure = error
        report["error"] = str(error)
    if json_wanted:
        console.object(report)
    else:
        console.lines(_described(report))
    if failure is not None:
        if not json_wanted:
            console.failure(failure)
        raise click.exceptions.Exit(failure.exit_code)


def _system() -> dict[str, Any]:
    import av
    import numpy as np

    return {
        "ffzero": ffzero.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "pyav": av.__version__,
        "pyav_libraries": {name: ".".join(map(str, version)) for name, version in av.library_versions.items()},
        "numpy": np.__version__,
    }


def _storage(folder: str) -> dict[str, Any]:
    from ffzero.storage.abilities import probe_folder, probe_memory_file

    found = probe_folder(folder)
    abilities = {
        "reflink": found.reflink,
        "copy_file_range": found.copy_file_range,
        "anonymous_file": found.anonymous_file,
        "memory_file": probe_memory_file(),
    }
    return {
        "path": found.path,
        "free_bytes": found.free_bytes,
        "total_bytes": found.total_bytes,
        **{name: {"works": reason is None, "reason": reason} for name, reason in abilities.items()},
    }


def _program(binary: FFmpegBinary) -> dict[str, Any]:
    return {
        "path": binary.path,
        "source": binary.source,
        "version": binary.version,
        "protocols": sorted(binary.protocols),
        "hwaccels": sorted(binary.hwaccels),
        "encoders_listed": len(binary.encoders),
        "decoders_listed": len(binary.decoders),
        "filters_listed": len(binary.filters),
    }


def _encoder(probe: EncoderProbe) -> dict[str, Any]:
    return {
        "name": probe.name,
        "works": probe.works,
        "hardware": probe.hardware,
        "reason": probe.reason or None,
        "elapsed_s": round(probe.elapsed_s, 3),
    }


def _described(report: dict[str, Any]) -> list[str]:
    libavcodec = report["pyav_libraries"].get("libavcodec", "?")
    lines = [
        f"ffzero {report['ffzero']}, Python {report['python']} ({sys.implementation.name}), {report['system']}",
        f"PyAV {report['pyav']} (libavcodec {libavcodec}), numpy {report['numpy']}",
    ]
    program = report["ffmpeg"]
    if program is not None:
        lines += ["", "FFmpeg", *_described_program(program)]
        for title, hardware in (("Encoders", False), ("Hardware encoders", True)):
            rows = [_encoder_row(probe) for probe in report["encoders"] if bool(probe["hardware"]) == hardware]
            lines += ["", f"{title} (each was given a probe frame)", *columns(rows or [["none are listed"]])]
    else:
        lines += ["", "FFmpeg", "  none was found"]
    return [*lines, "", "Storage", *_described_storage(report["storage"])]


def _described_program(program: dict[str, Any]) -> list[str]:
    known = [name for name in _PROTOCOLS if name in program["protocols"]]
    listed = (count(program[f"{noun}s_listed"], noun) for noun in ("encoder", "decoder", "filter"))
    return columns(
        [
            ["program", printable(program["path"])],
            ["found by", _SOURCES.get(program["source"], program["source"])],
            ["version", printable(program["version"])],
            ["lists", ", ".join(listed)],
            ["protocols", f"{', '.join(known)} ({len(program['protocols'])} in all)"],
            ["hardware", ", ".join(program["hwaccels"]) or "none"],
        ]
    )


def _encoder_row(probe: dict[str, Any]) -> list[str]:
    if probe["works"]:
        return ["ok", probe["name"], seconds(probe["elapsed_s"])]
    return ["--", probe["name"], printable(probe["reason"] or "")]


def _described_storage(storage: dict[str, Any]) -> list[str]:
    names = {
        "reflink": "share blocks (reflink)",
        "copy_file_range": "copy in the kernel (copy_file_range)",
        "anonymous_file": "files without a name (O_TMPFILE)",
        "memory_file": "files in memory (memfd)",
    }
    free = f"{byte_count(storage['free_bytes'])} of {byte_count(storage['total_bytes'])} free"
    rows = [
        ["ok" if storage[key]["works"] else "--", name, storage[key]["reason"] or ""] for key, name in names.items()
    ]
    return [f"  {printable(storage['path'])}: {free}", *columns(rows)]
