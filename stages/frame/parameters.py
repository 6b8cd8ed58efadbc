"""Ground floor: reads params.yaml, and checks a section against the signature of the function that takes it."""

import copy
import difflib
import functools
import inspect
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal, TypeVar

import yaml

from stages.frame.errors import UserError
from stages.frame.text import read_text


@dataclass(frozen=True)
class Range:
    """The closed interval [low, high] of a number; `above` makes the lower end open."""

    low: float = float("-inf")
    high: float = float("inf")
    above: bool = False

    def holds(self, value: float) -> bool:
        """Whether `value` lies in the interval; NaN never does."""
        return (value > self.low if self.above else value >= self.low) and value <= self.high

    def __str__(self) -> str:
        return f"{'>' if self.above else '>='} {self.low:g}" + (
            "" if self.high == float("inf") else f" and <= {self.high:g}"
        )


@dataclass(frozen=True)
class Harmless:
    """A name that becomes that of a file or folder of ours, or with `/` of one in another: it leads nowhere else."""

    def holds(self, value: str) -> bool:
        """Whether no part of the name is empty, begins with a dot, or has a backslash or what can't be seen."""
        return value.isprintable() and "\\" not in value and all(p and p[0] != "." for p in value.split("/"))

    def __str__(self) -> str:
        return "that a file of ours can have"


Schema = TypeVar("Schema")
# The sections that a study's section `own` may have, see `with_own`.
OWN = ("victims", "finished", "attacked")
Count = Annotated[int, Range(1)]
NonNegativeInt = Annotated[int, Range(0)]
Positive = Annotated[float, Range(0, above=True)]
NonNegative = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]
Name = Annotated[str, Harmless()]

# Numbers whose squares and quotients float32 still holds, and whole ones that every library counts by.
SMALLEST, LARGEST, MOST = 1e-18, 1e18, 2**31 - 1


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML as DVC writes it: `1e-05` is a number (PyYAML alone reads text), and a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice[0]!r} twice", node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"),
    list("-+0123456789."),
)
# The float pattern matches whole numbers too; integers must be tried first.
for first in "-+0123456789":
    resolvers = _Loader.yaml_implicit_resolvers[first]
    resolvers.sort(key=lambda entry: entry[0].endswith(":float"))


def read(path: str | Path = "params.yaml") -> dict[str, Any]:
    """All parameters as they stand there, which is what DVC compares; see `with_own`.

    Raises:
        UserError: the file is missing, not in UTF-8 or no YAML mapping.
    """
    return copy.deepcopy(_values(path))


def with_own(values: dict[str, Any], path: str | Path = "params.yaml") -> dict[str, Any]:
    """All parameters, with every entry in the section of its kind, wherever it is written.

    The entries of a study's `own` come to those of its section of the same name; where a study's graph names the
    paper's one by one, they have stages of their own. The `attack` that an adversarial set carries becomes an entry of
    `attacks`, and what a finished model says in `attacked` one of that section, both of the name of who carries them.

    Raises:
        UserError: `own` has other sections than `OWN`, a finished model that does not say by what it is attacked, or
            names that are taken.
    """
    return {
        name: _by_kind(f"{path}: {name}", given) if isinstance(given, dict) else given for name, given in values.items()
    }


def _by_kind(where: str, given: dict[str, Any]) -> dict[str, Any]:
    """The sections of a study, each with all entries of its kind."""
    own = _own(where, given)
    given = given | {name: _joined(given, name, own[name], f"{where}.own.{name}") for name in own}
    models, sets = _taken_out(given, "finished", "attacked")
    if sets:
        known = {name: {key: models[name].get(key) for key in ("network", "inputs")} for name in sets}
        sets = {name: {"victims": [name]} | known[name] | one for name, one in sets.items()}
        given |= {"finished": models, "attacked": _joined(given, "attacked", sets, f"{where}.finished")}
    sets, attacks = _taken_out(given, "attacked", "attack")
    if attacks:
        sets |= {name: sets[name] | {"attacks": [*sets[name].get("attacks", []), name]} for name in attacks}
        given |= {"attacked": sets, "attacks": _joined(given, "attacks", attacks, f"{where}.attacked")}
    return given


def _own(where: str, given: dict[str, Any]) -> dict[str, Any]:
    """The section `own` of a study, none if it has none."""
    own = given.get("own", {})
    known = isinstance(own, dict) and own.keys() <= set(OWN)
    if not known or not all(isinstance(entries, dict) for entries in own.values()):
        raise UserError(f"{where}.own", f"entries in {', '.join(OWN)}", repr(own), "put others into their section")
    carrying = _taken_out(own, "finished", "attacked")[1]
    if lacking := sorted(own.get("finished", {}).keys() - carrying.keys()):
        do = "add `attacked: {attacks: [...], plan: ...}`"
        raise UserError(f"{where}.own.finished.{lacking[0]}", "by what it is attacked", "nothing of this", do)
    return own


def _taken_out(given: dict[str, Any], section: str, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entries of a section without the mapping that some carry as `key`, and those mappings by their names."""
    entries = given.get(section)
    if not isinstance(entries, dict):
        return {}, {}
    mappings = {name: one for name, one in entries.items() if isinstance(one, dict)}
    carried = {name: one[key] for name, one in mappings.items() if isinstance(one.get(key), dict)}
    without = {name: {other: value for other, value in entries[name].items() if other != key} for name in carried}
    return entries | without, carried


def _joined(given: dict[str, Any], section: str, more: dict[str, Any], where: str) -> dict[str, Any]:
    """The entries of a section, and more of them, which are written at `where`."""
    known = given.get(section) or {}
    if twice := sorted(known.keys() & more.keys()):
        raise UserError(where, f"names that {section} has not", twice[0], "rename it")
    return known | more


def _values(path: str | Path) -> dict[str, Any]:
    """As `read`, but to be changed by nobody."""
    if not Path(path).is_file():
        raise UserError(path, "the parameters", "no such file", "run from the repository's top folder")
    try:
        values = _parsed(read_text(path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # of numbers and dates ValueErrors
        raise UserError(path, "valid YAML", str(error), "mend that line") from error
    if not isinstance(values, dict):
        raise UserError(path, "a mapping", type(values).__name__, "see params.yaml in git")
    return values


@functools.lru_cache(maxsize=1)
def _parsed(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)  # noqa: S506 (_Loader is a SafeLoader)


def section(name: str, path: str | Path = "params.yaml") -> dict[str, Any]:
    """The mapping at a dotted name, such as `attacks.deepfool`, entries of one's own among those of their section.

    Raises:
        UserError: no such name, where the nearest one is suggested, one that can't name a file, or no mapping.
    """
    value = with_own(_values(path), path)
    for depth, key in enumerate(parts := name.split(".")):
        where = ".".join(parts[: depth + 1])
        if not isinstance(value, dict) or key not in value:
            known = [str(other) for other in value] if isinstance(value, dict) else []
            raise UserError(f"{path}: {where}", "a parameter of this name", "none", suggestion(key, known))
        if not Harmless().holds(key) or "/" in key:
            raise UserError(f"{path}: {where}", f"a name {Harmless()}", repr(key), "rename it, without / and \\")
        value = value[key]
    if not isinstance(value, dict):
        raise UserError(f"{path}: {name}", "a mapping", repr(value), "see params.yaml in git")
    return copy.deepcopy(value)


def entry(schema: Callable[..., Schema], name: str, path: str | Path = "params.yaml") -> Schema:
    """The section `name`, such as `events.attacked.vgg13-lbfgs`, as what `schema` makes of it; see `bind`.

    Raises:
        UserError: there is no such section, or it does not fit.
    """
    return bind(schema, name, section(name, path))()


def bind(function: Callable, name: str, values: dict[str, Any], *, passed: tuple[str, ...] = ()) -> Callable:
    """`function` with its keyword-only arguments taken from the section `name`, checked one by one.

    The signature is the schema, of a function or of a frozen keyword-only dataclass: keyword-only arguments without a
    default must be present, and annotations (`int`, `float`, `bool`, `str`, `Literal`, `list[...]`, `dict[...]`,
    `X | None`, `Annotated[..., Range]`, another such dataclass) give type and range. Those in `passed` are no
    parameters of params.yaml: the caller gives them later.

    Raises:
        UserError: a missing, unknown, mistyped or out-of-range parameter, or a number that networks can't work with.
    """
    if not isinstance(values, dict):
        raise UserError(f"params.yaml: {name}", "a mapping", repr(values), "see params.yaml in git")
    hints = _hints(function)
    known = {
        key: p
        for key, p in inspect.signature(function).parameters.items()
        if p.kind is p.KEYWORD_ONLY and key not in passed
    }
    for key in values:
        if key not in known:
            raise UserError(
                f"params.yaml: {name}.{key}",
                f"one of {', '.join(known) or 'no parameters'}",
                repr(key),
                suggestion(key, list(known)),
            )
    for key, parameter in known.items():
        if key not in values and parameter.default is parameter.empty:
            raise UserError(f"params.yaml: {name}.{key}", "a value", "none", "add it, see params.yaml in git")
    return partial(
        function, **{key: _checked(f"{name}.{key}", value, hints.get(key, Any)) for key, value in values.items()}
    )


def _hints(function: Callable) -> dict[str, Any]:
    """The annotations of arguments; what a function returns can name types that are imported for a checker alone."""
    if isinstance(function, type):
        return typing.get_type_hints(function, include_extras=True)
    own = {name: hint for name, hint in function.__annotations__.items() if name != "return"}
    return typing.get_type_hints(SimpleNamespace(__annotations__=own), function.__globals__, include_extras=True)


def _checked(name: str, value: Any, hint: Any) -> Any:
    """`value` as `hint` asks for it: an int where a float is due becomes a float, a mapping a dataclass."""
    options = (hint, *typing.get_args(hint))
    nested = next((one for one in options if isinstance(one, type) and is_dataclass(one)), None)
    if nested is not None and isinstance(value, dict):
        return bind(nested, name, value)()
    if not fits(value, hint):
        raise UserError(
            f"params.yaml: {name}", described(hint), repr(value), "correct it in params.yaml or in the -S option"
        )
    if not _workable(value):
        raise UserError(
            f"params.yaml: {name}",
            f"whole numbers up to {MOST}, others 0 or of a magnitude from {SMALLEST:g} to {LARGEST:g}",
            repr(value),
            "correct it in params.yaml or in the -S option",
        )
    bare = typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint
    return float(value) if bare is float else value


def _workable(value: Any) -> bool:
    """Whether all numbers in a value are such that networks can work with them."""
    if isinstance(value, dict | list):
        return all(map(_workable, value.values() if isinstance(value, dict) else value))
    if isinstance(value, float):
        return value == 0 or SMALLEST <= abs(value) <= LARGEST
    return not isinstance(value, int) or abs(value) <= MOST


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is what an annotation asks for; see `bind` for those that are known."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin is Annotated:
        return fits(value, arguments[0]) and all(check.holds(value) for check in arguments[1:])
    if origin in (types.UnionType, typing.Union):
        return any(fits(value, option) for option in arguments)
    if origin is Literal:
        return value in arguments
    if origin is list:
        return isinstance(value, list) and all(fits(item, arguments[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(
            fits(k, arguments[0]) and fits(v, arguments[1]) for k, v in value.items()
        )
    if hint is None or hint is type(None):
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def described(hint: Any) -> str:
    """What an annotation asks for, in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return f"{described(arguments[0])} {' and '.join(map(str, arguments[1:]))}"
    if origin in (types.UnionType, typing.Union):
        return " or ".join(map(described, arguments))
    if origin is Literal:
        return "one of " + ", ".join(map(repr, arguments))
    if origin in (list, dict):
        return f"a {origin.__name__} of {' to '.join(map(described, arguments))}"
    if is_dataclass(hint):
        return "a mapping"
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "text", type(None): "null"}
    return (words | {Any: "anything"}).get(hint, str(hint))


def suggestion(key: str, known: list[str]) -> str:
    """What to do about a name that is not known: the nearest one that is, or all."""
    near = difflib.get_close_matches(key, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known) or 'none'}"
