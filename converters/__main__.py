"""python -m converters convert|list|new|rows|report|self-instruct|rewrite|score|replay: everything about the rows.

python -m converters convert --task medical_en --source converters/examples/medical_en
python -m converters list
"""

import click

from common.errors import UserError, run_cli
from common.names import MIX, VARIANT
from common.options import NAME
from common.overrides import parse_settings, unchecked
from common.paths import data_folder
from common.typed import note
from converters.generate.commands import replay, rewrite, score, self_instruct


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Raw rows, from the hub or a local file, to clean JSONL that LLaMA-Factory trains on."""


def _named(task: str) -> str:
    if not task:
        raise UserError("no TASK was named", "TASK=medical_en, or see `python -m converters list`")
    return task


@cli.command()
@click.option("--task", default="", type=NAME, help="A task's name: medical_en, law_zh ...")
@click.option("--source", default="", help="A file or folder in the hub's schema, instead of the hub.")
@click.option("--limit", type=int, help="Read only so many rows, shared out evenly among the files.")
@click.option(
    "--format", "formatting", default="", help="alpaca (instruction, input, output) or sharegpt (conversations)."
)
@click.option("--set", "overrides", default="", help='"key=value ...": see `list --task NAME`.')
@click.option("--workers", type=click.IntRange(min=0), default=0, help="Processes; 0 takes all processors.")
@click.option("--variant", default="", help="Other settings for the training rows alone: data/TASK~VARIANT/.")
@click.option("--force", is_flag=True, help="Convert even when nothing has changed.")
@click.option("--push", default="", help="Upload the splits, with a dataset card, to you/name on the hub.")
def convert(
    *, task: str, source: str, limit: int | None, formatting: str, overrides: str, workers: int, variant: str,
    force: bool, push: str,
) -> None:  # fmt: skip
    """Write data/TASK/{train,val,test,rejected}.jsonl and card.json, and register them for LLaMA-Factory.

    TASK=law_zh+self_instruct mixes the finished rows of law_zh with what was made from them. TASK=law_zh~raw, or
    VARIANT=raw, converts them with other settings, to be held against law_zh on its own test rows.
    """
    from converters.convert import convert as run
    from converters.listing import summary
    from converters.registry import load_task
    from converters.variants import convert_variant, named

    given = unchecked(overrides) | ({"format": formatting} if formatting else {})
    chosen = load_task(_named(task))
    if push and MIX in task:
        raise UserError(f"{task} is a mix, and only converted rows are pushed", "leave PUSH out")
    if variant or (VARIANT in task and MIX not in task):
        name = VARIANT.join(named(task, variant))
        card = convert_variant(name, source, limit=limit, given=given, force=force, processes=workers)
    elif MIX in task:
        from converters.generate.mixing import mix

        if source or limit is not None:
            base = task.rpartition(MIX)[0]
            raise UserError(f"{task} is made of finished rows", f"SOURCE and LIMIT go with: make convert TASK={base}")
        mix(task, parse_settings(overrides) | ({"format": formatting} if formatting else {}), force)
        note(data_folder(task), always=True)
        return
    else:
        card = run(chosen, source, limit=limit, given=given, force=force, processes=workers)
    note(data_folder(card["task"]), always=True)
    print(summary(card))
    if push:
        from converters.output.publish import push as upload

        print(f"  pushed  {upload(card, push)}")


@cli.command(name="list")
@click.option("--task", default="", type=NAME, help="Show one task and everything that SET can set for it.")
def list_(task: str) -> None:
    """Show all tasks, or one with its settings."""
    from converters.listing import all_tasks, one_task

    print(one_task(task) if task else all_tasks())


@cli.command()
@click.argument("name")
@click.option("--source", required=True, help="A file, a folder, or a data set's id on the hub (org/name).")
@click.option("--instruction", default="", help="The column that asks.")
@click.option("--input", "given", default="", help="The column with what is asked about, if there is one.")
@click.option("--output", default="", help="The column that answers.")
@click.option("--conversations", default="", help="The column with the turns, in place of these.")
@click.option("--language", default="", help="en, zh ...")
@click.option("--domain", default="", help="law, cooking ...")
@click.option("--system", default="", help="A system prompt for the task.")
@click.option("--yes", is_flag=True, help="Take the proposal without asking.")
def new(
    *, name: str, source: str, instruction: str, given: str, output: str, conversations: str, language: str,
    domain: str, system: str, yes: bool,
) -> None:  # fmt: skip
    """Make a task of your own: look at rows, propose a mapping, show three converted rows, write tasks/NAME.yaml."""
    import sys

    from converters.new_task.command import new as run

    chosen = {"instruction": instruction, "input": given, "output": output}
    chosen |= {"conversations": conversations, "language": language, "domain": domain, "system": system}
    run(name, source, chosen, ask=not yes and sys.stdin.isatty())


@cli.command()
@click.option("--task", default="", type=NAME, help="A task whose rows have been converted.")
def report(task: str) -> None:
    """Draw data/TASK/report.html: what came in, what was dropped and why, what is left."""
    from converters.output.report_page import write_report
    from converters.registry import load_task

    print(f"wrote {write_report(load_task(_named(task)).name)}")


@cli.command()
@click.option("--task", default="", type=NAME, help="A task whose rows have been converted.")
@click.option("--port", default=0, help="Port on this machine (default: a free one).")
@click.option("--open/--no-open", "open_browser", default=True, help="Open the page in the browser.")
def rows(*, task: str, port: int, open_browser: bool) -> None:
    """Look at kept and rejected rows on a local page; drop, keep or edit single ones (data/TASK/decisions.jsonl)."""
    from common import local_page
    from converters.output.rows_page import Rows, server

    page = Rows(_named(task))
    site = server(page, port)
    print(f"{len(page.index.rows):,} rows at {local_page.address(site)} ; Ctrl-C ends.", flush=True)
    local_page.serve(site, open_browser=open_browser)
    if page.state()["pending"]:
        print(f"your decisions are not in the rows yet: make convert TASK={task}")


for command in (self_instruct, rewrite, score, replay):
    cli.add_command(command)


if __name__ == "__main__":
    run_cli(cli)
