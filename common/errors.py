"""Mistakes a user can make, told in one place: what was wrong, what was got, the next command."""

import difflib
import errno
import io
import sys
from collections.abc import Callable, Iterable

import click

from common import proxies

_FULL = ("no space left on disk", "free some space")
_FORBIDDEN = ("no permission", "become its owner, or name another place")
REFUSALS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: ("a file grew larger than is allowed here", "raise the limit (ulimit -f)"),
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: ("the disk can only be read", "work in a folder that can be written to"),
}
"""What the system refuses and a user can fix: what it means, and the way out."""


class UserError(Exception):
    """A mistake the user can fix. `hint` says how, best as a command to type; `close` is the nearest name."""

    def __init__(self, message: str, hint: str = "", close: str = "") -> None:
        super().__init__(message)
        self.message, self.hint, self.close = message, hint, close


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return "did you mean X?" for the closest of `choices`, or "" when none is close."""
    found = difflib.get_close_matches(name.lower(), list(choices), n=1, cutoff=0.5)
    return f"did you mean {found[0]}?" if found else ""


def unknown(kind: str, name: str, choices: Iterable[str], listing: str) -> UserError:
    """Build the error for a `name` that is none of `choices`; `listing` is the command that shows them."""
    choices = sorted(choices)
    close = nearest(name, choices)
    hint = " ".join(filter(None, [close, f"`{listing}` shows all: {', '.join(choices)}"]))
    return UserError(f"unknown {kind}: {name!r}", hint, close)


def run_cli(main: Callable[[], object]) -> None:
    """Run a click command so that a user's mistake ends in one message and never in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a console of another encoding shows what it can
    proxies.tidy()
    try:
        if isinstance(main, click.Command):
            main(standalone_mode=False)  # else click itself ends an interrupted command, with "Aborted!"
        else:
            main()
    except UserError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  next: {error.hint}", file=sys.stderr)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        print("\ninterrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader (head, less) went away
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        what, way_out = REFUSALS[error.errno]
        print(f"error: {what} ({error.filename or 'while writing'})", file=sys.stderr)
        print(f"  next: {way_out}; the same command then goes on from here", file=sys.stderr)
        sys.exit(2)
