"""`python -m eval annotate`."""

import re

import click

from common import local_page
from common.errors import UserError
from eval.commands import options
from eval.judging.people import Ballot


@click.command()
@options.place
@options.compared
@options.taking("annotate")
def command(*, place: options.Place, compared: options.Compared, name: str, port: int, open_browser: bool) -> None:
    """Judge pairs by eye on a web page, without knowing who wrote what; go on at any time."""
    folder = place.existing()
    if not re.fullmatch(r"[\w-]*", name):
        raise UserError(f"{name!r} cannot name a judge", "use letters, digits and dashes: --name anna")
    _, pairings, language = compared.pairings(folder)
    ballot = Ballot(folder, f"human-{name}" if name else "human", pairings, language)
    site = ballot.site(port)
    said = f"{len(ballot.votes)} of {len(ballot.pairings)} pairs have a vote."
    click.echo(f"{said} Judge at {local_page.address(site)} ; Ctrl-C ends.")
    local_page.serve(site, open_browser=open_browser)
    if ballot.votes:
        options.show_result(folder)
