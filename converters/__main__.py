"""python -m converters convert|list|new|rows|report|self-instruct|rewrite|score|replay: everything about the rows.

python -m converters convert --task medical_en --source converters/examples/medical_en
python -m converters list
"""

from pathlib import Path

import click

from common.errors import UserError, run_cli
from common.names import MIX, VARIANT
from common.options import options_of
from common.overrides import parse_settings, unchecked
from common.paths import data_folder
from common.typed import note
from converters.generate.commands import replay, rewrite, score, self_instruct

options = options_of(Path(__file__).with_name("options.yaml"))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Raw rows, from the hub or a local file, to clean JSONL that LLaMA-Factory trains on."""


def _named(task: str) -> str:
    if not task:
        raise UserError("no TASK was named", "TASK=medical_en, or see `python -m converters list`")
    return task


@cli.command()
@options("convert")
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
@options("list")
def list_(task: str) -> None:
    """Show all tasks, or one with its settings."""
    from converters.listing import all_tasks, one_task

    print(one_task(task) if task else all_tasks())


@cli.command()
@click.argument("name")
@options("new")
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
@options("report")
def report(task: str) -> None:
    """Draw data/TASK/report.html: what came in, what was dropped and why, what is left."""
    from converters.output.report_page import write_report
    from converters.registry import load_task

    print(f"wrote {write_report(load_task(_named(task)).name)}")


@cli.command()
@options("rows")
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
