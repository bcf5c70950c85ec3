"""`python -m eval`: answer, judge, annotate, show, report. Each command's module is loaded only when it is used."""

from importlib import import_module

import click

from common.errors import nearest, run_cli

COMMANDS = {
    "answer": ("eval.commands.answer", "Get answers: from a run's models, any endpoint, or a file."),
    "judge": ("eval.commands.judge", "Judge answers in both orders and show the result."),
    "general": ("eval.commands.general", "Ask base and tuned plain instructions, checked by program."),
    "compare": ("eval.commands.compare", "Judge the answers of two runs or more against each other."),
    "result": ("eval.commands.result", "Show results again, of one run or pooled over several."),
    "chat": ("eval.commands.chat", "Talk to base and tuned model side by side."),
    "runs": ("eval.commands.runs", "Show every run in one table; free disk."),
    "annotate": ("eval.commands.annotate", "Judge by eye: a blind web page whose votes count as a judge."),
    "report": ("eval.commands.report", "Write the report of a sweep or of runs: Markdown, HTML, LaTeX, PDF."),
    "export": ("eval.commands.exchange:export", "Write answers and judgments in FastChat's or alpaca_eval's layout."),
    "import": ("eval.commands.exchange:import_", "Read answers from FastChat's or alpaca_eval's layout."),
}


class Lazy(click.Group):
    """A group that imports a command's module on first use, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names in their natural order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in COMMANDS:
            hint = nearest(cmd_name, COMMANDS)
            raise click.UsageError(f"no command {cmd_name!r}; {hint or 'one of ' + ', '.join(COMMANDS)}")
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name or "command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=Lazy)
def main() -> None:
    """Questions, answers, a judge in both orders, statistics, the result."""


if __name__ == "__main__":
    run_cli(main)
