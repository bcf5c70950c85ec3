"""What can be trained, as a table for the terminal."""

from common.templates import fill
from converters.registry import load_task, task_names
from recipes.catalog.catalog import Backbone, backbones, hardware_profiles, methods
from recipes.catalog.datasets import own_names
from recipes.prepare.prepare import model_path
from recipes.render import TEMPLATES


def listing() -> str:
    """Return every MODEL, METHOD, HARDWARE and TASK with what must be known of each."""
    own = [name for name in own_names() if not name.endswith("_val")]
    return fill(
        TEMPLATES / "listing.txt.jinja", backbones=backbones().values(), methods=methods().values(), own=own,
        hardware=hardware_profiles().values(), tasks=map(load_task, task_names()), notes=notes, template_of=template_of,
    ).rstrip()  # fmt: skip


def details(backbone: Backbone) -> str:
    """Return all that is known of one backbone."""
    path = model_path(backbone)
    return fill(TEMPLATES / "backbone.txt.jinja", backbone=backbone, path=path, notes=notes, switches=switches).rstrip()


def template_of(backbone: Backbone) -> str:
    """Return LLaMA-Factory's template, or where else the chat format comes from."""
    return backbone.template or "(in its folder)"


def notes(backbone: Backbone) -> list[str]:
    """Return what a user must know before choosing it."""
    found = [backbone.licence]
    found += ["gated"] if backbone.gated else []
    found += ["prepared first"] if backbone.prepare else []
    found += ["runs code from the hub"] if backbone.trust_remote_code else []
    return found + ([backbone.note] if backbone.note else [])


def switches(backbone: Backbone) -> list[str]:
    """Return LLaMA-Factory's speed switches that take effect on it; the others are passed over without a word."""
    return [name for name in ("sdpa", "liger", "unsloth") if getattr(backbone, name)]
