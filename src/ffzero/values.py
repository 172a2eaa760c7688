"""``dataclass`` for values: the standard one, but what it generates is generated when it is first needed.

The standard decorator compiles six functions for each class. That takes half a millisecond, and a cut loads over a
hundred classes, of which it makes a third and compares next to none: a quarter of the whole program's time. Here a
class gets its fields at once, its ``__init__`` when it is first made, and the standard ``__repr__``, ``__eq__`` and
``__hash__`` when one of them is first looked up. A class with an ``__eq__`` of its own keeps the
``__hash__`` that it has. Type checkers see ``dataclasses.dataclass`` itself.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from dataclasses import dataclass

__all__ = ["dataclass"]

_GENERATED = ("__init__", "__repr__", "__eq__", "__hash__")


class _Later:
    """Stands for a method of a class until it is first looked up."""

    __slots__ = ("generate", "name", "owner")

    def __init__(self, owner: type, name: str, generate: Callable[[type, str], Any]) -> None:
        self.owner, self.name, self.generate = owner, name, generate

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        method = vars(self.owner)[self.name]
        if method is self:  # no other thread was quicker
            method = self.generate(self.owner, self.name)
            method.__module__, method.__qualname__ = self.owner.__module__, f"{self.owner.__qualname__}.{self.name}"
            setattr(self.owner, self.name, method)
        return method if instance is None else method.__get__(instance, owner)


if not TYPE_CHECKING:

    def dataclass(*, frozen=False, slots=False, kw_only=False, init=True, eq=True):
        """Return the decorator; the arguments are those of ``dataclasses.dataclass``."""

        def decorate(cls):
            cls.__doc__ = cls.__doc__ or cls.__name__  # else the standard one asks for the signature
            wanted = (init, True, eq, eq and frozen)
            names = [name for name, is_wanted in zip(_GENERATED, wanted, strict=True) if is_wanted]
            names = [name for name in names if name not in vars(cls)]
            if "__eq__" in names and not frozen and "__hash__" not in vars(cls):
                cls.__hash__ = None  # equal by what it holds, which can change
            cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
            for name in names:
                make = _standard if name != "__init__" else _frozen_init if frozen else _init
                setattr(cls, name, _Later(cls, name, make))
            if frozen:
                cls.__setattr__, cls.__delattr__ = _refuse, _refuse
                if slots:
                    cls.__getstate__, cls.__setstate__ = _state, _set_state
            return cls

        return decorate


def _standard(cls: type, name: str) -> Any:
    """Return a method as the standard decorator makes it for a class of the same fields."""
    fields = [(field.name, field.type, copy.copy(field)) for field in dataclasses.fields(cls)]
    return vars(dataclasses.make_dataclass(cls.__name__, fields, init=False, unsafe_hash=name == "__hash__"))[name]


def _init(cls: type, _name: str) -> Any:
    return _compiled_init(cls, "self.{0} = {1}")


def _frozen_init(cls: type, _name: str) -> Any:
    return _compiled_init(cls, "_put_(self, {0!r}, {1})")


def _compiled_init(cls: type, assignment: str) -> Any:
    """Return ``__init__`` with a parameter for each field, as the standard one has them."""
    scope: dict[str, Any] = {"_put_": object.__setattr__, "_made_": object()}
    parameters: dict[bool, list[str]] = {False: [], True: ["*"]}
    body = []
    for field in dataclasses.fields(cls):
        name, value = field.name, field.name
        if field.default_factory is not dataclasses.MISSING:
            scope[f"_default_{name}"], scope[f"_make_{name}"] = scope["_made_"], field.default_factory
            value = f"_make_{name}() if {name} is _made_ else {name}"
        elif field.default is not dataclasses.MISSING:
            scope[f"_default_{name}"] = field.default
        default = f"=_default_{name}" if f"_default_{name}" in scope else ""
        parameters[bool(field.kw_only)].append(name + default)
        body.append(assignment.format(name, value))
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    heads = [*parameters[False], *(parameters[True] if len(parameters[True]) > 1 else [])]
    exec(f"def __init__({', '.join(['self', *heads])}):\n    " + "\n    ".join(body or ["pass"]), scope)
    made = scope["__init__"]
    made.__annotations__ = {field.name: field.type for field in dataclasses.fields(cls)} | {"return": None}
    return made


def _refuse(self: object, name: str, *_value: object) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to or delete {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
