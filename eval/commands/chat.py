"""`python -m eval chat`."""

import re
import sys
import time
from typing import Any

import click

from common.errors import UserError
from common.local_page import address, serve
from eval.answering.chat import Talk, sides
from eval.commands import options
from eval.records.judgments import MARKS

HELP = "Type a question. 1, 2 or = marks the better answer and keeps the pair; /new starts over; Ctrl-D ends."


@click.command()
@options.place
@options.taking("chat")
@options.sampling_512
def command(
    *, place: options.Place, who: tuple[str, ...], system: str | None, web: bool, port: int, sampling: options.Sampling
) -> None:
    """Talk to the base and the tuned model side by side; pairs that you mark are kept as votes."""
    names = who or ("base", "tuned")
    if len(set(names)) != len(names) or len(names) > 2:
        raise UserError(f"one or two different models can be talked to, got {', '.join(names)}", "WHO='base tuned'")
    folder = place.existing()
    sampling = sampling.beside_thoughts(folder.path, names)
    with sides(folder.path, names, options.system_of(folder, place.task or folder.task, system)) as talked_to:
        talk = Talk(talked_to, folder.path / "chat", sampling.settings)
        if web:
            site = talk.site(port)
            click.echo(f"talk to them at {address(site)} (Ctrl-C ends)")
            serve(site)
        else:
            _in_terminal(talk)
    if talk.kept:
        click.echo(f"your votes: make result RUN={folder.path}/chat")


def _in_terminal(talk: Talk) -> None:
    """Talk until the input ends."""
    told = HELP if len(talk.sides) == 2 else "Type a question; /new starts over; Ctrl-D ends."
    click.echo(told)
    while (text := _typed()) not in ("/quit", "/exit", "/bye"):
        if text in MARKS and len(talk.sides) == 2:
            if talk.state()["whole"]:
                kept = talk.mark({"mark": text})["kept"]
                click.echo(f"kept in {talk.folder.path} ({kept} today)")
            else:
                click.echo("nothing to mark yet: ask something first; a pair is marked once")
        elif text == "/new":
            talk.new()
        elif re.fullmatch(r"/\w*", text):
            click.echo(told)
        elif text:
            talk.ask({"text": text})
            _show(talk)


def _typed() -> str:
    """Return the next line; at the end of the input, the word that ends the conversation."""
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except (EOFError, KeyboardInterrupt):
        return "/quit"


def _show(talk: Talk) -> None:
    """Show the answers as they come."""
    from rich.console import Console
    from rich.live import Live
    from rich.markup import escape
    from rich.table import Table

    def shown(state: dict[str, Any]) -> Table:
        names = (escape(f"{n}: {name}") for n, name in enumerate(state["names"], 1))
        table = Table(*names, expand=True, padding=(0, 1))
        table.add_row(*map(escape, state["said"]))
        return table

    with Live(shown(talk.state()), console=Console(), refresh_per_second=8, vertical_overflow="visible") as live:
        while (state := talk.state())["busy"]:
            live.update(shown(state))
            time.sleep(1 / 8)
        live.update(shown(state))
