from typing import Annotated, Literal, Self

import pytest
from pydantic import Field, model_validator

from common.errors import UserError
from common.overrides import unchecked
from common.schema import Schema, Share, Text, Texts, build, meanings


class Inner(Schema):
    layers: int = 1


class Settings(Schema):
    near: Share = 0.85
    """Drop rows at least so similar
    to an earlier one."""
    system: bool | Text = False
    files: Texts = ()
    inner: Inner = Inner()
    several: dict[str, Inner] = Field(default_factory=dict)
    mode: Literal["grid", "one"] = "grid"
    rows: Annotated[int, Field(ge=1)] = 3
    rank: int | None = None
    name: Text = ""
    low: float = 0
    high: float = 1

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


def test_build_takes_what_yaml_gives():
    built = build(
        Settings, {"near": 1, "files": ["a", 2], "inner": {"layers": 2}, "name": 7, "system": "Be kind.", "rank": None},
        "SET",
    )  # fmt: skip
    assert (built.near, built.files, built.inner.layers, built.name, built.system, built.rank) == (
        1.0, ("a", "2"), 2, "7", "Be kind.", None,
    )  # fmt: skip
    assert isinstance(built.near, float)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"neer": 1}, "unknown key 'neer'; did you mean near?"),
        ({"near": "much"}, "near must be a number, got 'much'"),
        ({"near": True}, "near must be a number, got True"),
        ({"near": 2}, "near must be from 0 to 1, got 2"),
        ({"rows": 0}, "rows must be at least 1, got 0"),
        ({"rows": 1.5}, "rows must be a whole number, got 1.5"),
        ({"rank": "x"}, "rank must be a whole number, got 'x'"),
        ({"system": [1]}, "system must be true or false, or a text, got [1]"),
        ({"mode": "gird"}, "mode must be one of grid, one, got 'gird'"),
        ({"files": "a"}, "files must be a list, got 'a'"),
        ({"inner": {"layer": 2}}, "inner: unknown key 'layer'; did you mean layers?"),
        ({"several": {"a": {"layer": 2}}}, "several.a: unknown key 'layer'; did you mean layers?"),
        ({"inner": 3}, "inner must be a mapping, got 3"),
        ({"name": None}, "name must be a text, got nothing"),
        ({"low": 2}, "low is above high"),
    ],
)  # fmt: skip
def test_each_mistake_is_told(given, problem):
    with pytest.raises(UserError) as caught:
        build(Settings, given, "SET")
    assert caught.value.message == f"SET has 1 invalid entry:\n  - {problem}"
    assert caught.value.hint.startswith("its keys: near, system, files")


def test_all_mistakes_are_told_at_once_with_words_that_set_nothing_and_rules_about_several_keys():
    with pytest.raises(UserError) as caught:
        build(Settings, unchecked("near=x nera=1 loose low=5"), "SET", hint="see docs", problems=["first"])
    assert caught.value.message.splitlines() == [
        "SET has 5 invalid entries:", "  - first", "  - 'loose' is not key=value",
        "  - unknown key 'nera'; did you mean near?", "  - near must be a number, got 'x'", "  - low is above high",
    ]  # fmt: skip
    assert caught.value.hint == "see docs"


def test_a_missing_key_is_told():
    class Named(Schema):
        hub: str

    with pytest.raises(UserError, match="missing key 'hub'"):
        build(Named, {}, "x.yaml")
    with pytest.raises(UserError) as caught:
        build(Named, {"hub": 1}, "x.yaml")
    assert caught.value.message == "x.yaml has 1 invalid entry:\n  - hub must be a text, got 1"


def test_the_text_under_a_field_is_its_help():
    assert next(meanings(Settings)) == ("near", 0.85, "Drop rows at least so similar to an earlier one.")
