"""The error tree: what each class is besides, what its text says, and that it survives a trip between processes."""

from __future__ import annotations

import inspect
import pickle

import pytest

from ffzero import errors
from ffzero.errors import FFZeroError

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, FFZeroError)]
WHERE = {
    "path": "a b.mp4",
    "offset_bytes": 48,
    "box_path": "moov/trak[1]/mdia",
    "expected": "stsz or stz2",
    "found": ["stsd"],
    "hint": "Try another file",
}


@pytest.mark.parametrize("kind", CLASSES)
class TestEveryError:
    def test_text_names_what_where_and_what_to_do(self, kind: type[FFZeroError]) -> None:
        assert str(kind("no sample sizes", **WHERE)) == (
            "a b.mp4, box moov/trak[1]/mdia, byte 48: no sample sizes (expected stsz or stz2, found ['stsd'])."
            " Try another file"
        )

    def test_text_alone(self, kind: type[FFZeroError]) -> None:
        error = kind("no sample sizes")
        assert str(error) == "no sample sizes"
        assert error.args == ("no sample sizes",)

    def test_pickles(self, kind: type[FFZeroError]) -> None:
        again = pickle.loads(pickle.dumps(kind("no sample sizes", **WHERE)))
        assert type(again) is kind
        assert str(again) == str(kind("no sample sizes", **WHERE))
        assert again.found == ["stsd"]

    def test_is_exported_and_documented_in_the_tree(self, kind: type[FFZeroError]) -> None:
        assert kind.__name__ in errors.__all__
        assert errors.__doc__ is not None
        assert kind.__name__ in errors.__doc__

    def test_exit_code(self, kind: type[FFZeroError]) -> None:
        assert kind.exit_code == (2 if issubclass(kind, errors.UsageError) else 1)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.UsageError, ValueError),
        (errors.TimeRangeError, ValueError),
        (errors.OutputExistsError, FileExistsError),
        (errors.SourceError, OSError),
        (errors.SourceNotFoundError, FileNotFoundError),
        (errors.InvalidDataError, ValueError),
        (errors.TruncatedError, EOFError),
        (errors.UnsupportedError, NotImplementedError),
        (errors.IncompatibleError, ValueError),
        (errors.RenderRequiredError, NotImplementedError),
        (errors.OutputError, OSError),
        (errors.DiskFullError, OSError),
        (errors.FFmpegError, RuntimeError),
        (errors.FFmpegNotFoundError, FileNotFoundError),
        (errors.FFmpegTimeoutError, TimeoutError),
    ],
)
def test_is_caught_as_the_builtin_that_fits(kind: type[FFZeroError], builtin: type[Exception]) -> None:
    with pytest.raises(builtin):
        raise kind("x")


def test_offset_zero_is_a_place() -> None:
    assert str(FFZeroError("bad magic", offset_bytes=0)) == "byte 0: bad magic"


def test_located_fills_only_what_is_missing() -> None:
    inner = errors.TruncatedError("ends early", offset_bytes=7)
    outer = inner.located(path="x.mp4", offset_bytes=99)
    assert (type(outer), outer.path, outer.offset_bytes) == (errors.TruncatedError, "x.mp4", 7)
    assert inner.path is None


@pytest.mark.parametrize("kind", [errors.FFmpegError, errors.FFmpegNotFoundError, errors.FFmpegTimeoutError])
def test_a_failed_ffmpeg_keeps_what_was_run_and_said(kind: type[errors.FFmpegError]) -> None:
    error = kind(
        "failed", argv=["ffmpeg", "-i", "x"], returncode=-9, stderr_tail="Killed", cause="killed", hint="Retry"
    )
    again = pickle.loads(pickle.dumps(error.located(path="x")))
    assert (again.argv, again.returncode, again.stderr_tail, again.cause) == (
        ("ffmpeg", "-i", "x"),
        -9,
        "Killed",
        "killed",
    )
    assert str(again) == "x: failed. Retry"
