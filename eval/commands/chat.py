"""`python -m eval chat`."""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click

from common.errors import UserError
from common.local_page import address, serve
from eval.answering.chat import Side, Votes, sides
from eval.answering.chat_page import Talk
from eval.commands import options
from eval.records.judgments import MARKS

HELP = "Type a question. 1, 2 or = marks the better answer and keeps the pair; /new starts over; Ctrl-D ends."


@click.command()
@options.place
@click.option("--who", multiple=True, help="One or two: base, tuned (default: both), a run's folder, MODEL@URL.")
@click.option("--system", default=None, help="System prompt; default: that of the training rows.")
@click.option("--web", is_flag=True, help="In a page on this machine instead of the terminal.")
@click.option("--port", default=0, help="The page's port (default: a free one).")
@options.sampling(512)
def command(
    *, place: options.Place, who: tuple[str, ...], system: str | None, web: bool, port: int, sampling: options.Sampling
) -> None:
    """Talk to the base and the tuned model side by side; pairs that you mark are kept as votes."""
    names = who or ("base", "tuned")
    if len(set(names)) != len(names) or len(names) > 2:
        raise UserError(f"one or two different models can be talked to, got {', '.join(names)}", "WHO='base tuned'")
    folder = place.existing()
    sampling = sampling.beside_thoughts(folder.path, names)
    votes, kept = Votes(folder.path / "chat"), 0
    with sides(folder.path, names, options.system_of(folder, place.task or folder.task, system)) as talked_to:
        if web:
            talk = Talk(talked_to, votes, sampling.settings)
            site = talk.site(port)
            click.echo(f"talk to them at {address(site)} (Ctrl-C ends)")
            serve(site)
            click.echo(f"{talk.kept} kept; make result RUN={folder.path}/chat" if talk.kept else "")
            return
        told = HELP if len(names) == 2 else "Type a question; /new starts over; Ctrl-D ends."
        click.echo(told)
        while (text := _typed()) not in ("/quit", "/exit", "/bye"):
            if text in MARKS and len(names) == 2:
                if not talked_to[0].turns:
                    click.echo("nothing to mark yet: ask something first")
                    continue
                votes.keep(talked_to, text)
                kept += 1
                click.echo(f"kept in {folder.path}/chat ({kept} today)")
            elif text == "/new":
                for side in talked_to:
                    side.turns = []
            elif re.fullmatch(r"/\w*", text):
                click.echo(told)
            elif text:
                _answer(talked_to, text, sampling.settings)
    if kept:
        click.echo(f"your votes: make result RUN={folder.path}/chat")


def _typed() -> str:
    """Return the next line; at the end of the input, the word that ends the conversation."""
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except (EOFError, KeyboardInterrupt):
        return "/quit"


def _answer(talked_to: list[Side], text: str, settings: dict[str, Any]) -> None:
    """Ask all at once and show the answers as they come."""
    from rich.console import Console
    from rich.live import Live
    from rich.markup import escape
    from rich.table import Table

    said = ["" for _ in talked_to]

    def shown() -> Table:
        table = Table(
            *(escape(f"{n}: {side.name}") for n, side in enumerate(talked_to, 1)), expand=True, padding=(0, 1)
        )
        table.add_row(*map(escape, said))
        return table

    def ask(number: int) -> None:
        for piece in talked_to[number].ask(text, settings):
            said[number] += piece
            if live.is_started:
                live.update(shown())

    with Live(shown(), console=Console(), refresh_per_second=8, vertical_overflow="visible") as live:
        with ThreadPoolExecutor(len(said)) as pool:
            list(pool.map(ask, range(len(said))))
        live.update(shown())
