"""A small set of combinations in which every pair of values of any two factors occurs. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product

Row = dict[str, str]


def every_pair(factors: Mapping[str, Sequence[str]]) -> list[Row]:
    """Return rows that cover every pair of values: built on the two largest factors, the others filled greedily."""
    names = sorted(factors, key=lambda name: -len(factors[name]))
    missing = {pair for first, second in combinations(names, 2) for pair in _pairs(factors, first, second)}
    rows = []
    for first, second in product(factors[names[0]], factors[names[1]]):
        row = {names[0]: first, names[1]: second}
        for name in names[2:]:
            row[name] = max(factors[name], key=lambda value: _gain(row, name, value, missing))
        missing -= set(_pairs_of(row))
        rows.append(row)
    while missing:
        first, value, second, other = min(missing)
        row = {first: value, second: other}
        for name in names:
            if name not in row:
                row[name] = max(factors[name], key=lambda value: _gain(row, name, value, missing))
        missing -= set(_pairs_of(row))
        rows.append(row)
    return rows


def all_of(factors: Mapping[str, Sequence[str]]) -> list[Row]:
    """Return every combination."""
    return [dict(zip(factors, values, strict=True)) for values in product(*factors.values())]


Pair = tuple[str, str, str, str]
"""(name, value, other name, other value), names in order."""


def _pair(name: str, value: str, other: str, other_value: str) -> Pair:
    return (name, value, other, other_value) if name < other else (other, other_value, name, value)


def _pairs(factors: Mapping[str, Sequence[str]], first: str, second: str) -> Iterator[Pair]:
    return (_pair(first, a, second, b) for a in factors[first] for b in factors[second])


def _pairs_of(row: Row) -> Iterator[Pair]:
    return (_pair(a, row[a], b, row[b]) for a, b in combinations(row, 2))


def _gain(row: Row, name: str, value: str, missing: set[Pair]) -> int:
    return sum(_pair(name, value, other, row[other]) in missing for other in row)
