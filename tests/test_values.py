"""``ffzero.values.dataclass`` makes what ``dataclasses.dataclass`` makes, later."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ffzero import values


@values.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Two numbers and what is said of them."""

    x: int
    y: int = 2
    names: tuple[str, ...] = dataclasses.field(default_factory=tuple)
    note: str = dataclasses.field(default="", compare=False, repr=False)


@values.dataclass(slots=True)
class Counter:
    total: int
    seen: list[int] = dataclasses.field(default_factory=list)


@values.dataclass(frozen=True, kw_only=True)
class Checked:
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.high < self.low:
            raise ValueError("upside down")


@values.dataclass(frozen=True, slots=True)
class Pair:
    first: int
    second: int = dataclasses.field(kw_only=True)


@values.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ByIdentity:
    x: int


@values.dataclass(frozen=True, slots=True, kw_only=True)
class Child(Point):
    z: int = 3


@values.dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    x: int

    def __repr__(self) -> str:
        return f"<{self.x}>"


CLASSES = (Point, Counter, Checked, Pair, Child, Named)
OPTIONS: dict[type, dict[str, bool]] = {
    Point: {"frozen": True, "slots": True, "kw_only": True},
    Counter: {"slots": True},
    Checked: {"frozen": True, "kw_only": True},
    Pair: {"frozen": True, "slots": True},
    Child: {"frozen": True, "slots": True, "kw_only": True},
    Named: {"frozen": True, "slots": True, "kw_only": True},
}
GIVEN: dict[type, dict[str, Any]] = {
    Point: {"x": 1, "names": ("a",), "note": "n"},
    Counter: {"total": 4},
    Checked: {"low": 1, "high": 2},
    Pair: {"first": 1, "second": 2},
    Child: {"x": 1},
    Named: {"x": 5},
}


def standard(cls: type) -> Any:
    """Return a class of the same fields and own methods, made by the standard decorator."""
    methods = {name: vars(cls)[name] for name in ("__post_init__",) if name in vars(cls)}
    methods |= {"__repr__": cls.__repr__} if cls is Named else {}
    fields: list[Any] = [(field.name, field.type, copy.copy(field)) for field in dataclasses.fields(cls)]
    options: Any = OPTIONS[cls]
    return dataclasses.make_dataclass(cls.__name__, fields, namespace=methods, **options)


@pytest.mark.parametrize("cls", CLASSES)
def test_methods_do_what_the_standard_ones_do(cls: Any) -> None:
    theirs = standard(cls)
    ours, peer = cls(**GIVEN[cls]), theirs(**GIVEN[cls])
    assert repr(ours) == repr(peer)
    assert dataclasses.asdict(ours) == dataclasses.asdict(peer)
    assert ours == cls(**GIVEN[cls]) and ours != peer
    assert (cls.__hash__ is None) == (theirs.__hash__ is None)
    if cls.__hash__ is not None:
        assert hash(ours) == hash(peer)
    assert list(inspect.signature(cls).parameters) == list(inspect.signature(theirs).parameters)
    kinds = [parameter.kind for parameter in inspect.signature(cls).parameters.values()]
    assert kinds == [parameter.kind for parameter in inspect.signature(theirs).parameters.values()]
    assert cls.__match_args__ == theirs.__match_args__


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("given", [{}, {"x": 1, "unknown": 2}])
def test_wrong_arguments_are_refused(cls: Any, given: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        cls(**given)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_are_equal(cls: Any, again: Callable[[Any], Any]) -> None:
    value = cls(**GIVEN[cls])
    assert again(value) == value and again(value) is not value


def test_keyword_only_values_take_no_positions() -> None:
    with pytest.raises(TypeError, match="positional"):
        Point(1)  # type: ignore[misc]
    assert Pair(1, second=2).first == 1


def test_frozen_values_stay_as_they_are() -> None:
    point: Any = Point(x=1)
    for attempt in (lambda: setattr(point, "x", 2), lambda: delattr(point, "x"), lambda: setattr(point, "other", 2)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            attempt()
    assert point.x == 1 and dataclasses.replace(point, x=3) == Point(x=3)
    assert not hasattr(point, "__dict__")


def test_values_that_change_are_no_keys() -> None:
    counter = Counter(1)
    counter.total += 1
    assert counter == Counter(2) and counter.seen is not Counter(2).seen
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)


def test_fields_left_out_of_comparing_do_not_count() -> None:
    assert Point(x=1, note="a") == Point(x=1, note="b")
    assert hash(Point(x=1, note="a")) == hash(Point(x=1, note="b"))
    assert "note" not in repr(Point(x=1, note="a"))


def test_identity_is_kept_where_wanted() -> None:
    one = ByIdentity(x=1)
    assert one != ByIdentity(x=1) and one in {one}


def test_a_class_that_compares_itself_and_says_no_hash_is_no_key() -> None:
    @values.dataclass(frozen=True, slots=True)
    class Own:
        x: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own)

        __hash__ = None  # type: ignore[assignment]

    assert Own(1) == Own(2)
    with pytest.raises(TypeError, match="unhashable"):
        hash(Own(1))  # the standard decorator would make a hash of the fields, which differ for equals


def test_checks_after_init_run() -> None:
    with pytest.raises(ValueError, match="upside down"):
        Checked(low=2, high=1)


def test_a_subclass_takes_the_fields_of_its_parent() -> None:
    assert Child(x=1).y == 2 and repr(Child(x=1)).startswith("Child(x=1, y=2")
    assert Child(x=1) != Point(x=1)


def test_threads_may_make_the_first_values_at_once() -> None:
    for _ in range(20):

        @values.dataclass(frozen=True, slots=True, kw_only=True)
        class Fresh:
            x: int

        make: Callable[[int], Any] = lambda number, cls=Fresh: cls(x=number)  # type: ignore[misc]  # noqa: E731
        with ThreadPoolExecutor(8) as pool:
            assert [value.x for value in pool.map(make, range(32))] == list(range(32))


def test_nothing_is_generated_before_it_is_needed() -> None:
    code = "from ffzero.storage.outputs import Destination as c; print(type(vars(c)['__init__']).__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "_Later"
