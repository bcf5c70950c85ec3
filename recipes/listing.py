"""What can be trained, as a table for the terminal."""

from converters.registry import load_task, task_names
from recipes.catalog.catalog import Backbone, backbones, hardware_profiles, methods
from recipes.catalog.datasets import own_names
from recipes.prepare.prepare import model_path


def listing() -> str:
    """Return every MODEL, METHOD, HARDWARE and TASK with what must be known of each."""
    lines = [f"{'MODEL':<19} {'size':>6} {'context':>7}  {'hub':<42} {'template':<14} notes"]
    for backbone in backbones().values():
        lines.append(
            f"  {backbone.name:<17} {backbone.size:>6} {backbone.context:>7}  {backbone.hub:<42} "
            f"{template_of(backbone):<14} {'; '.join(notes(backbone))}".rstrip()
        )
    lines += ["  or any hub id (org/name) or local folder, its template taken from its tokenizer", "", "METHOD"]
    lines += [f"  {method.name:<16} {method.title}: {method.summary}" for method in methods().values()]
    lines += ["", "HARDWARE", "  auto             what this machine has"]
    lines += [f"  {hardware.name:<16} {hardware.title}" for hardware in hardware_profiles().values()]
    lines += ["", "TASK"]
    lines += [f"  {name:<16} {load_task(name).title}" for name in task_names()]
    lines += [f"  {name:<16} your own, in dataset_info.json" for name in own_names() if not name.endswith("_val")]
    return "\n".join(lines)


def details(backbone: Backbone) -> str:
    """Return all that is known of one backbone."""
    facts = {
        "weights": backbone.size,
        "hub": f"{backbone.hub}, revision {backbone.revision}" if backbone.hub else "",
        "ModelScope": backbone.modelscope,
        "template": backbone.template or "the chat template in its folder",
        "architecture": backbone.architecture,
        "context": f"{backbone.context:,} tokens" if backbone.context else "",
        "weights stored in": backbone.dtype + ("" if backbone.float16 else "; overflows in float16"),
        "LoRA targets": backbone.lora_target,
        "speed switches": ", ".join(switches(backbone)),
        "own settings": ", ".join(f"{key}={value}" for key, value in backbone.settings.items()),
        "loaded from": model_path(backbone),
        "licence, notes": "; ".join(filter(None, notes(backbone))),
    }
    return "\n".join([backbone.name, *(f"  {name:<18} {fact or '-'}" for name, fact in facts.items())])


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
    found = {"sdpa": backbone.sdpa, "liger": backbone.liger, "unsloth": backbone.unsloth}
    return [name for name, works in found.items() if works]
