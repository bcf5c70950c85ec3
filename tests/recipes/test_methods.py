"""The methods as LLaMA-Factory takes them: each trains a twin from its rendered recipe; what it left is exported."""

import json
import math
import os
import subprocess
import sys
from typing import Any

import pytest

from recipes.catalog.catalog import methods
from recipes.preflight.conflicts import ROWS
from tests.checkout import ROOT
from tests.recipes.train_methods import EXPORTED


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "recipes" / "train_methods.py")],
        cwd=tmp_path_factory.mktemp("methods"), capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"method"')]
    assert len(lines) == len(methods()), done.stderr[-2000:]
    return {line["method"]: line for line in lines}


@pytest.mark.slow
@pytest.mark.parametrize("name", methods())
def test_a_method_trains_a_twin_from_its_rendered_recipe(name: str, trained: dict[str, dict[str, Any]]) -> None:
    result = trained[name]
    if result.get("skipped"):
        pytest.skip(f"needs {', '.join(methods()[name].needs)}, which is not installed")
    assert "error" not in result, result
    assert math.isfinite(result["loss"])
    assert result["exported"] == (name in EXPORTED)


@pytest.mark.slow
def test_the_files_of_a_t4_load_four_bits_with_the_adapter_beside_them(trained: dict[str, dict[str, Any]]) -> None:
    base, tuned = trained["qlora"]["base"], trained["qlora"]["tuned"]
    assert 1 <= base["tokens"] <= 4
    assert 1 <= tuned["tokens"] <= 4
    assert "bitsandbytes" in base["quantized"].lower().replace("_", "")
    assert (base["adapter"], tuned["adapter"]) == (False, True)


def test_every_method_says_what_it_trades() -> None:
    for method in methods().values():
        assert len(method.summary) > 30, method.name
        assert method.rows in ROWS
        assert set(method.why) <= set(method.settings), method.name


def test_stages_are_llamafactorys_own() -> None:
    assert {method.stage for method in methods().values()} == {"sft", "dpo", "kto", "rm"}
