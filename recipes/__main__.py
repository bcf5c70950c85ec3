"""`python -m recipes`: list what can be trained, render a recipe, train, measure, export, or run the whole pipeline."""

import sys
from pathlib import Path
from typing import Any

import click

from common.errors import run_cli
from common.options import options_of
from common.typed import note


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """What to train and how: backbones, methods and hardware as data; LLaMA-Factory does the training."""


options = options_of(Path(__file__).with_name("options.yaml"))


def tracked(overrides: str, track: str | None) -> str:
    """Return the words of SET with those of TRACK."""
    return f"{overrides} report_to={track}".strip() if track else overrides


@main.command("list")
@options("model")
def list_command(model: str) -> None:
    """Show every backbone, method, hardware profile and task, or one backbone in full."""
    from recipes.catalog.lookup import find_backbone
    from recipes.listing import details, listing

    click.echo(details(find_backbone(model)) if model else listing())


@main.command()
@options("run", "recipe")
def render(**names: Any) -> None:
    """Write recipe.yaml, export.yaml and serve/*.yaml of a run, and print the first; trains nothing."""
    from recipes import manifest, webui
    from recipes.recipe import make_recipe

    recipe = make_recipe(**names)
    click.echo(manifest.render_only(recipe))
    webui.offer(recipe)


@main.command()
@options("run", "recipe", "training")
def train(source: str, limit: int | None, force: bool, track: str | None, **names: Any) -> None:
    """Convert the rows if need be, prepare the model, render the recipe, and train; resumes where it stopped."""
    from recipes import run, webui
    from recipes.recipe import fetch, make_recipe
    from recipes.render import announcement

    names["overrides"] = tracked(names["overrides"], track)
    recipe = fetch(make_recipe(**names), source, limit)
    click.echo(announcement(recipe))
    check(recipe, force)
    webui.offer(recipe)
    run.train(recipe, force)
    note(Path(recipe.folder))


@main.command("plan")
@options("run", "recipe", "limit")
def plan_command(**names: Any) -> None:
    """Check data, template, hardware, memory, disk, time, packages and licence of a run; starts nothing."""
    from recipes.recipe import make_recipe

    check(make_recipe(**names), force=False)


def check(recipe: Any, force: bool) -> None:
    """Print the plan of a recipe; refuse one that cannot work, unless the user insists."""
    from recipes.preflight.checks import checks, refuse, text
    from recipes.preflight.surroundings import look_around

    found = checks(recipe, look_around(recipe, thorough=True))
    click.echo(text(found))
    refuse(found, force)


@main.command()
@options("run", "recipe", "export")
def export(push: str, gguf: str, if_it_fits: bool, **names: Any) -> None:
    """Merge what was trained into its backbone: a model folder that anything can load, its model card in it."""
    from common.hub import Repository
    from recipes import run
    from recipes.export import gguf as gguf_export
    from recipes.export import model_card
    from recipes.recipe import make_recipe

    if kind := gguf.lower():
        gguf_export.check_kind(kind)
    recipe = make_recipe(**names)
    if if_it_fits and recipe.why_four_bits and (why := run.too_big_to_merge(recipe)):
        click.echo(f"not exported: {why}; served on 4-bit weights with {recipe.folder}/adapter beside them")
        return
    run.export(recipe)
    note(Path(recipe.folder))
    if kind:
        gguf_export.export_gguf(recipe, kind)
    card = model_card.write_model_card(recipe)
    click.echo(f"model card: {card}")
    if push:
        click.echo(f"uploaded to {Repository(push).upload(card.parent, 'Upload a fine-tuned model')}")


@main.command()
@options("run", "recipe")
def card(**names: Any) -> None:
    """Write the exported model's card again, with what has been measured since."""
    from recipes.export import model_card
    from recipes.recipe import make_recipe

    click.echo(f"model card: {model_card.write_model_card(make_recipe(**names))}")


@main.command()
@options("run", "recipe", "heldout")
def heldout(split: str, **names: Any) -> None:
    """Measure the loss of base and tuned model on rows that neither was trained on."""
    from recipes.heldout import measure
    from recipes.recipe import make_recipe

    recipe = make_recipe(**names)
    measure(recipe, split)
    note(Path(recipe.folder))


@main.command()
@options("model", "prepare")
def prepare(model: str, template: str, dtype: str) -> None:
    """Make the local folder of a backbone that needs one; check a model that is not in our list (train does both)."""
    from recipes.catalog.lookup import find_backbone
    from recipes.prepare.prepare import make_ready, model_path

    backbone = find_backbone(model)
    make_ready(backbone, template, dtype)
    click.echo(f"{model} is loaded from {model_path(backbone, dtype)}")


@main.command()
@options("model", "twin")
def twin(model: str, out: str, seed: int) -> None:
    """Make a backbone's twin: a tiny random-weight model of the same kind, to try everything on without a GPU."""
    from recipes.catalog.lookup import find_backbone
    from recipes.prepare.prepare import correct, preparation
    from recipes.rehearsal.twins import make_twin, training_command

    backbone = find_backbone(model)
    folder = make_twin(backbone, Path(out) if out else None, seed)
    correct(folder, preparation(backbone))
    click.echo(f"twin of {model}: {folder}\n  next: {training_command(backbone, folder)}")


@main.command()
@options("rehearse")
def rehearse(**words: str) -> None:
    """Run the whole pipeline on a tiny model of MODEL's own kind, with 60 of your rows, on a CPU, before you pay."""
    from recipes.rehearsal.rehearse import rehearse

    rehearse(**words)


@main.command()
@options("webui")
def webui(port: int) -> None:
    """Start LLaMA-Factory's web UI here: the converted rows and the rendered recipes are in its menus."""
    from recipes.webui import launch

    launch(port)


@main.command("run")
@options("run", "recipe", "training", "judging")
def run_command(judge: str, **options: Any) -> None:
    """Run the whole pipeline: convert, train, held-out loss, export, answers, judgement. Finished steps are skipped."""
    from recipes.pipeline import run_all

    run_all(judge=judge or "auto", **options)


@main.command()
def demo() -> None:
    """Run the whole pipeline on a laptop: smollm2-135m, bundled medical_en rows, no hub, no GPU, no key."""
    from recipes.pipeline import DEMO, run_all

    run_all(**DEMO)


@main.command()
@options("sweep", "training", "judging", "sweeping")
def sweep(*, sweep: str, status: bool, only: str | None, compare: bool, track: str | None, **options: Any) -> None:
    """Run models x tasks x methods x any recipe keys from one file, and compare them; run it again to continue."""
    from recipes.sweeping import command

    if status:
        click.echo(command.status(sweep))
    elif compare:
        command.compare_only(sweep)
    elif only is not None:
        sys.exit(0 if command.do_one(sweep, only) else 1)
    else:
        options["overrides"] = tracked(options["overrides"], track)
        sys.exit(0 if command.sweep(sweep, **options) else 1)


@main.command()
def keys() -> None:
    """Print every key that SET takes, with its type."""
    from recipes.llamafactory.keys import known_keys

    for key, entry in known_keys().items():
        kind = "|".join(entry["choices"]) if entry.get("choices") else entry["type"]
        click.echo(f"{key:<48} {kind}{' or null' if entry['optional'] else ''}")


if __name__ == "__main__":
    run_cli(main)
