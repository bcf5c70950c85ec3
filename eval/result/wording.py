"""The sentences of a result in English or Chinese, and when each is said: words.en.yaml, words.zh.yaml, rules.yaml."""

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, Undefined

from common.paired_loss import change_told
from common.yaml_files import read_yaml

RULES = Path(__file__).with_name("rules.yaml")


class Unknown(Undefined):
    """A fact that is not there: "no" to a sentence that asks for it, an error to one that says it."""

    __str__ = __iter__ = Undefined._fail_with_undefined_error


class Wording:
    """One language: `tell("key", fact=...)` is a sentence, on one line."""

    def __init__(self, name: str, folder: Path = RULES.parent) -> None:
        self.name = name
        self.words: dict[str, Any] = read_yaml(folder / f"words.{name}.yaml")
        environment = Environment(undefined=Unknown, autoescape=False)
        environment.filters |= FILTERS | {"names": self.names}
        self._template = cache(lambda key: environment.from_string(self.words[key]))

    def __call__(self, key: str, /, **facts: Any) -> str:
        """Return the sentence `key`."""
        return " ".join(self._template(key).render(facts | {"key": key}).split())

    @cached_property
    def _rules(self) -> dict[str, dict[str, Any]]:
        say = Environment(autoescape=False).compile_expression
        return {of: {key: say(str(when)) for key, when in keys.items()} for of, keys in read_yaml(RULES).items()}

    def told(self, of: str, facts: Mapping[str, Any]) -> list[str]:
        """Return the sentences on one thing whose rules hold for its facts."""
        return [self(key, **facts) for key, holds in self._rules[of].items() if holds(facts)]

    def first(self, of: str, facts: Mapping[str, Any]) -> str:
        """Return the first sentence on one thing whose rule holds for its facts."""
        return self(next(key for key, holds in self._rules[of].items() if holds(facts)), **facts)

    @staticmethod
    def join(sentences: Sequence[str]) -> str:
        """Return sentences as one text; Chinese ones have no blank between them."""
        return "".join(f"{said} " if said[-1:].isascii() else said for said in sentences).strip()

    def names(self, names: Sequence[Any]) -> str:
        """Return "a, b and c"."""
        *first, last = map(str, names or (self.words["nothing"],))
        return f"{self.words['comma'].join(first)}{self.words['and']}{last}" if first else last


@cache
def wording(language: str) -> Wording:
    """Return the sentences of a result in a language."""
    return Wording(language)


def rate(value: float | None, interval: Sequence[float]) -> str:
    """Return a rate with its interval, as percentages; "-" where there is none."""
    return "-" if value is None else f"{value:.1%} [{interval[0]:.0%}, {interval[1]:.0%}]"


def points(change: Mapping[str, float]) -> str:
    """Return a difference of shares with its interval, in percentage points."""
    return interval({name: 100 * value for name, value in change.items()}, "+.1f", "")


def share(value: float | None) -> str:
    """Return a share as a percentage, "-" when it cannot be said."""
    return "-" if value is None else f"{value:.0%}"


def p_value(p: float | None) -> str:
    """Return a p-value as it is usually written, "-" where nothing was tested."""
    return "-" if p is None else "p<0.001" if p < 0.001 else f"p={p:.3f}"


def interval(change: Mapping[str, float], form: str, level: str = "95 % ") -> str:
    """Return a difference with its interval, each number written in this form."""
    mean, low, high = (format(change[name], form) for name in ("mean", "low", "high"))
    return f"{mean} [{level}{low}, {high}]"


FILTERS: dict[str, Any] = {
    "form": format, "rate": rate, "points": points, "share": share, "p": p_value, "interval": interval,
    "change": change_told,
}  # fmt: skip
