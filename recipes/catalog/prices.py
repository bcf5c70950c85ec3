"""What an hour of some hardware costs: PRICE_PER_HOUR where the user says it, else a dated list of cloud prices."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from common.errors import UserError
from common.yaml_files import read_yaml
from recipes.catalog.catalog import HERE, Hardware

PRICES = HERE / "cloud_prices.yaml"
NEAR = 0.15
"""By so much a card's usable memory may differ from what its name says."""


class Price(NamedTuple):
    """Dollars an hour of all cards together, and where that is from."""

    dollars: float
    source: str


@cache
def listed() -> list[dict[str, Any]]:
    """Return the rows of the list."""
    rows: list[dict[str, Any]] = read_yaml(PRICES, list)
    return rows


def price_per_hour(hardware: Hardware, given: Mapping[str, str] = os.environ) -> Price | None:
    """Return what an hour costs; None where nothing says so, or it is a machine without a card."""
    if own := given.get("PRICE_PER_HOUR", "").strip():
        try:
            dollars = float(own.removeprefix("$"))
        except ValueError:
            dollars = -1.0
        if not 0 <= dollars < float("inf"):
            raise UserError(f"PRICE_PER_HOUR={own} is no number of dollars", "PRICE_PER_HOUR=2.5")
        return Price(dollars * hardware.nodes, f"PRICE_PER_HOUR={own}")
    for row in listed() if hardware.kind == "cuda" else ():
        if row["card"] in hardware.title and abs(hardware.memory_gb / row["gib"] - 1) < NEAR:
            source = f"{row['card']} at {row['of']}, {row['read']}; PRICE_PER_HOUR= says yours"
            return Price(row["dollars"] * hardware.world, source)
    return None
