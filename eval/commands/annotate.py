"""`python -m eval annotate`."""

import contextlib
import re
import webbrowser

import click

from common.errors import UserError
from common.options import existing_run, run_options
from eval.judging.people import Ballot, server
from eval.records.folder import Folder
from eval.records.questions import language_of
from eval.result import metrics as results
from eval.result import page
from eval.result.tables import show


@click.command()
@run_options
@click.option("--run", default="", help="A run's folder, instead of its names.")
@click.option("--name", default="", help="Who judges; each name has votes of its own.")
@click.option("--who", multiple=True, help="Judge only these contestants (default: all who answered).")
@click.option("--baseline", default="", help="Compare everyone with this contestant only.")
@click.option("--port", default=0, help="Port on this machine (default: a free one).")
@click.option("--open/--no-open", "open_browser", default=True, help="Open the page in the browser.")
def command(
    *, task: str, model: str, method: str, variant: str, run: str, name: str, who: tuple[str, ...], baseline: str,
    port: int, open_browser: bool,
) -> None:  # fmt: skip
    """Judge pairs by eye on a web page, without knowing who wrote what; go on at any time."""
    place = existing_run(run, task, model, method, variant)
    if not re.fullmatch(r"[\w-]*", name):
        raise UserError(f"{name!r} cannot name a judge", "use letters, digits and dashes: --name anna")
    folder = Folder(place)
    questions = folder.judged_questions
    pairings = folder.pairings(questions, who, baseline)
    language = language_of([question.text for question in questions])
    ballot = Ballot(folder, f"human-{name}" if name else "human", pairings, language)
    try:
        site = server(ballot, port)
    except OSError as error:
        raise UserError(f"port {port} cannot be used: {error.strerror}", "leave --port out") from None
    url = f"http://127.0.0.1:{site.server_address[1]}/"
    click.echo(f"{len(ballot.votes)} of {len(ballot.pairings)} pairs have a vote. Judge at {url} ; Ctrl-C ends.")
    if open_browser:
        webbrowser.open(url)
    with contextlib.suppress(KeyboardInterrupt), site:
        site.serve_forever()
    if ballot.votes:
        found = results.build(place)
        results.save(place, found)
        page.save(place, found)
        show(found)
