"""From the names that a user types to what they stand for."""

from pathlib import Path

from common.errors import UserError, unknown
from recipes.catalog import unknown_model
from recipes.catalog.catalog import Backbone, Hardware, Method, backbones, hardware_profiles, methods

LIST = "python -m recipes list"


def find_backbone(name: str) -> Backbone:
    """Return a backbone by name, or make one for a local folder or any other hub id (org/name)."""
    if not name:
        raise UserError("no MODEL was named", f"MODEL=smollm2-135m, or see `{LIST}`")
    if name in backbones():
        return backbones()[name]
    if Path(name).is_dir():
        return unknown_model.from_folder(name)
    for backbone in backbones().values():
        if name.lower() == backbone.hub.lower():
            return backbone
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return unknown_model.from_hub(name)
    if "/" in name:
        raise UserError(f"there is no model folder {name}", "give an existing folder, a hub id or a name")
    raise unknown("MODEL", name, backbones(), LIST)


def find_method(name: str) -> Method:
    """Return a method by name."""
    if name not in methods():
        raise unknown("METHOD", name, methods(), LIST)
    return methods()[name]


def find_hardware(name: str) -> Hardware:
    """Return a hardware profile by name."""
    if name in hardware_profiles():
        return hardware_profiles()[name]
    wrong = unknown("HARDWARE", name, ["auto", *hardware_profiles()], LIST)
    for_card = [profile.name for profile in hardware_profiles().values() if name.lower() in profile.title.lower()]
    if name and for_card:  # the name of a card: a100
        wrong.hint = f"for that card: HARDWARE={' or '.join(for_card)}; {wrong.hint}"
    raise wrong
