"""eval runs on a laptop: no module of it needs torch, and its start-up needs nothing slow."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import ROOT

MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "eval").rglob("*.py")
    if not path.stem.startswith("__")
)
TABLES = (
    "eval.statistics.pooling",
    "eval.reporting",
    "eval.commands.report",
    "eval.commands.runs",
    "eval.result.overview",
)  # several runs together: pandas is worth it
NEVER = ["torch", "transformers", "llamafactory", "datasets"]
NOT_AT_START = [*NEVER, "openai", "scipy", "statsmodels", "pandas", "numpy", "matplotlib", "sacrebleu", "krippendorff"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["import", "judge"])
def test_loads_nothing_heavy(kind: str, run: Path) -> None:
    loads = "; ".join(f"import {name}" for name in MODULES if kind == "judge" or not name.startswith(TABLES))
    # The whole command with the stand-in may load what it computes with, and still no torch.
    judges = f"; from eval.__main__ import main; main(['judge', '--run', {str(run)!r}], standalone_mode=False)"
    forbidden = NOT_AT_START if kind == "import" else NEVER
    script = (
        f"import sys; {loads}{judges if kind == 'judge' else ''}; print(sorted(set({forbidden}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
