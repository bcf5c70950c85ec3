"""LLaMA-Factory's web UI, with our recipes among its saved configurations and our models among its paths.

The UI (LlamaBoard) reads `llamaboard_config/*.yaml`, flat files of "tab.element: value", and remembers model paths in
`llamaboard_cache/user_config.yaml`, both relative to where it is started. Nothing of it is changed.
"""

import os
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError
from common.files import write_text
from common.paths import DATA
from common.process import tool
from recipes.catalog.datasets import is_own
from recipes.llamafactory.board import CUSTOM, saved_configuration
from recipes.recipe import Recipe

CONFIGS = Path("llamaboard_config")
USER_CONFIG = Path("llamaboard_cache/user_config.yaml")


def offer(recipe: Recipe) -> None:
    """Put a recipe among the UI's saved configurations, and its model where the UI looks for one of its own."""
    name = recipe.folder.removeprefix("runs/").replace("/", "--")
    # as it is stored: the folder that names another precision is only made when we train
    page = saved_configuration(recipe.settings | {"model_name_or_path": recipe.model_path})
    page["train.dataset_dir"] = "." if is_own(recipe.task) else DATA.as_posix()
    write_text(CONFIGS / f"{name}.yaml", yaml.safe_dump(page, allow_unicode=True))
    known: dict[str, Any] = {"lang": None, "hub_name": None, "last_model": None, "path_dict": {}, "cache_dir": None}
    if USER_CONFIG.is_file():
        known |= yaml.safe_load(USER_CONFIG.read_text(encoding="utf-8")) or {}
    if CUSTOM not in known["path_dict"]:
        known["path_dict"][CUSTOM] = recipe.model_path
        known["last_model"] = known["last_model"] or CUSTOM
        write_text(USER_CONFIG, yaml.safe_dump(known, allow_unicode=True))


def launch(port: int) -> None:
    """Become `llamafactory-cli webui`, on this machine only unless GRADIO_SERVER_NAME says otherwise."""
    if not (DATA / "dataset_info.json").is_file():
        raise UserError("no rows have been converted yet, so there is nothing to show", "make convert TASK=medical_en")
    print(f"the web UI of LLaMA-Factory: http://127.0.0.1:{port}  (Ctrl-C ends it)")
    names = ", ".join(sorted(path.name for path in CONFIGS.glob("*.yaml")))
    print(f"recipes to load there, under Train, Config path: {names or 'none yet (make recipe)'}")
    defaults = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    program = tool("llamafactory-cli")  # which the UI itself starts by its bare name
    path = f"{Path(program).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    os.execve(program, ["llamafactory-cli", "webui"], {**defaults, **os.environ, "PATH": path})
