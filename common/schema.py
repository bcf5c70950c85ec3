"""What a user may write, as pydantic models: SET, a task's YAML, a sweep's YAML, the catalogue's YAML.

The text under a field is its help. `build` reports everything that is wrong at once, with the nearest name:

    class Settings(Schema):
        near: Share = 0.85
        \"\"\"Drop rows at least so similar to an earlier one.\"\"\"

    settings = build(Settings, {"neer": 1, "near": "much"}, "SET")
    # SET has 2 invalid entries:
    #   - unknown key 'neer'; did you mean near?
    #   - near must be a number, got 'much'
"""

import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError
from pydantic.fields import FieldInfo

from common.errors import UserError, nearest
from common.overrides import MALFORMED

LONGEST_GOT = 80


class Schema(BaseModel):
    """A model that takes no unknown key and no value of another type: "3" is no number, 1 is not true."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
        validate_default=False,
        defer_build=True,
    )


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_as_text)]
"""A text that YAML may have read as a number: `VARIANT: 2`."""
Texts = Annotated[tuple[Text, ...], Strict(False)]
"""A YAML list of texts."""
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]

Model = TypeVar("Model", bound=BaseModel)

KINDS = {
    "bool_type": "true or false", "int_type": "a whole number", "int_from_float": "a whole number",
    "float_type": "a number", "string_type": "a text", "list_type": "a list", "tuple_type": "a list",
    "set_type": "a list", "dict_type": "a mapping", "model_type": "a mapping", "none_required": "null",
    "finite_number": "a finite number",
}  # fmt: skip
BOUNDS = {"greater_than_equal": "at least {ge}", "less_than_equal": "at most {le}", "greater_than": "above {gt}",
          "less_than": "below {lt}"}  # fmt: skip


def build(
    kind: type[Model], given: Mapping[str, Any], what: str, *, hint: str = "", known: Iterable[str] = (),
    problems: Sequence[str] = (),
) -> Model:  # fmt: skip
    """Return `kind` made of what a user wrote; UserError with everything that is wrong in it, and `problems` beside it.

    `what` is where it stands ("SET", a file's path), `hint` the way out (else the model's keys), `known` the names that
    an unknown key may have meant, when they are others than the model's fields.
    """
    made, wrong = check(kind, given, known)
    if problems := [*problems, *wrong]:
        raise invalid(what, problems, hint or f"its keys: {', '.join(known or _names(kind))}")
    assert made is not None
    return made


def check(kind: type[Model], given: Mapping[str, Any], known: Iterable[str] = ()) -> tuple[Model | None, list[str]]:
    """Return the model, None when something is wrong, and what is wrong."""
    names = list(known) or _names(kind)
    problems = [f"{key!r} is not key=value" for key, value in given.items() if value is MALFORMED]
    left = {str(key): value for key, value in given.items() if value is not MALFORMED}
    missing = {f"missing key {key!r}" for key in given}  # those left out below are not missing
    while True:
        try:
            made = kind.model_validate(left)
        except ValidationError as error:
            problems += [told for told in _told(kind, error, names) if told not in missing]
            # Rules about several keys are looked at only when each key alone is right: leave the wrong ones out.
            wrong = {str(one["loc"][0]) for one in error.errors() if one["loc"]}
            if not wrong & set(left):
                return None, list(dict.fromkeys(problems))
            left = {key: value for key, value in left.items() if key not in wrong}
        else:
            return (None if problems else made), list(dict.fromkeys(problems))


def invalid(what: str, problems: Sequence[str], hint: str) -> UserError:
    """Return the error that lists all problems of one place."""
    count = f"{len(problems)} invalid entr{'y' if len(problems) == 1 else 'ies'}"
    return UserError(f"{what} has {count}:\n  - " + "\n  - ".join(problems), hint)


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return that a key is unknown, and which one may have been meant."""
    return "; ".join(filter(None, [f"unknown key {key!r}", nearest(key, known)]))


def meanings(kind: type[BaseModel]) -> Iterator[tuple[str, Any, str]]:
    """Yield (key, default, meaning) of each field."""
    for name, field in kind.model_fields.items():
        yield name, field.get_default(call_default_factory=True), " ".join((field.description or "").split())


def typed(value: Any) -> str:
    """Return a value as a user types it in SET."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _names(kind: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in kind.model_fields.items()]


def _told(kind: type[BaseModel], error: ValidationError, names: Sequence[str]) -> list[str]:
    """Word pydantic's errors. The alternatives of one field (true, or a text) become one problem."""
    problems: list[str] = []
    alternatives: dict[str, tuple[list[str], Any]] = {}
    for one in error.errors(include_url=False):
        loc, code, got = one["loc"], one["type"], one["input"]
        field = kind.model_fields.get(str(loc[0])) if loc else None
        if field and _is_union(field) and code != "extra_forbidden":
            loc = loc[:1]
        place = ".".join(map(str, loc))
        if code == "extra_forbidden":
            within = f"{'.'.join(map(str, loc[:-1]))}: " if len(loc) > 1 else ""
            problems.append(within + unknown_key(str(loc[-1]), names if len(loc) == 1 else _inner_names(kind, loc)))
        elif code == "missing":
            problems.append(f"missing key {place!r}")
        elif code == "value_error":
            lines = str(one["ctx"]["error"]).splitlines()  # a rule may find several problems, one a line
            problems += [": ".join(filter(None, [place, line])) for line in lines]
        elif code in KINDS or code == "literal_error":
            kinds, _ = alternatives.setdefault(place, ([], got))
            choices = str(one.get("ctx", {}).get("expected", "")).replace(" or ", ", ").replace("'", "")
            kinds.append(KINDS.get(code) or f"one of {choices}")
        elif code in BOUNDS:
            problems.append(
                f"{place} must be {_bounds(field, len(loc)) or BOUNDS[code].format(**one['ctx'])}, got {got}"
            )
        else:
            problems.append(f"{place}: {one['msg']}, got {_shown(got)}")
    problems += [
        f"{place} must be {', or '.join(dict.fromkeys(kinds))}, got {_shown(got)}"
        for place, (kinds, got) in alternatives.items()
    ]
    return problems


def _is_union(field: FieldInfo) -> bool:
    return len([one for one in typing.get_args(field.annotation) if one is not type(None)]) > 1 and not isinstance(
        typing.get_origin(field.annotation), type
    )


def _bounds(field: FieldInfo | None, depth: int) -> str:
    """Return "from 0 to 1" for a field that has both bounds."""
    limits = {
        key: getattr(one, key)
        for one in (field.metadata if field and depth == 1 else ())
        for key in ("ge", "le")
        if hasattr(one, key)
    }
    return f"from {limits['ge']:g} to {limits['le']:g}" if len(limits) == 2 else ""


def _inner_names(kind: Any, loc: Sequence[int | str]) -> list[str]:
    """Return the keys of the model inside `kind` that a place lies in."""
    for step in loc[:-1]:
        if isinstance(kind, type) and issubclass(kind, BaseModel) and step in kind.model_fields:
            kind = _model_in(kind.model_fields[str(step)].annotation) or kind
    return _names(kind)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model of `Shape`, `Shape | None`, `tuple[Shape, ...]` or `dict[str, Shape]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in typing.get_args(annotation) if (found := _model_in(one))), None)


def _shown(value: Any) -> str:
    shown = "nothing" if value is None else repr(value)
    return shown if len(shown) <= LONGEST_GOT else f"{shown[:LONGEST_GOT]} ..."
