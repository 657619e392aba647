"""The `tracelens` command: its subcommands, and what a person sees when something goes wrong.

Exit codes: 0 done; 1 asked for something that is not there; 2 bad input or use; 130 stopped by Ctrl-C; 70 a defect
of TraceLens itself. `record` ends with the exit code of the recorded command.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from tracelens import __version__
from tracelens_indexer.errors import TraceLensError

# Each subcommand's module is imported when it is called: the help and the start of the others must not wait for it.
_COMMANDS = {
    "index": "index",
    "record": "record",
    "hook": "hook",
    "import": "importing",
    "hot": "hot",
    "show": "show",
    "calls": "calls",
    "failures": "failures",
    "fix": "fix",
    "fixes": "fixes",
    "replay": "replay",
    "test": "test",
    "annotate": "annotate",
    "cache": "cache",
    "search": "search",
    "context": "context",
    "graph": "graph",
    "diff": "diff",
    "report": "report",
    "export": "export",
    "runs": "runs",
    "watch": "watch",
    "doctor": "doctor",
    "sandbox": "sandbox",
    "mcp": "mcp",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = import_module(f"tracelens.cli.{module}").command
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tracelens")
def cli() -> None:
    """Runtime truth on the code that is there now.

    \b
    The first minute, in the folder of a Python project:
      tracelens record -- pytest       run the tests and keep what happened
      tracelens hot                    where the time went, and what failed
      tracelens show NAME              what was seen of one function
    or with a trace you have already:
      tracelens import profile.pstats trace.json app.log

    With --debug anywhere an error shows its traceback.
    """


def main() -> None:
    """Entry point of the console script."""
    arguments, debug = _without_debug(sys.argv[1:])
    try:
        code = cli.main(arguments, prog_name="tracelens", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        code = exit_.exit_code
    except click.Abort:
        code = _stopped()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except KeyboardInterrupt:
        code = _stopped()
    except BrokenPipeError:
        # The reader of a pipe has gone (`tracelens hot | head`): not an error, and nothing more to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except TraceLensError as error:
        if debug:
            raise
        click.echo(f"tracelens: {error}", err=True)
        code = error.exit_code
    except Exception as error:
        if debug:
            raise
        what = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
        click.echo(
            f"tracelens: a defect of TraceLens: {type(error).__name__}: {what}. Add --debug to see where", err=True
        )
        code = 70
    sys.exit(code if isinstance(code, int) else 0)


def _without_debug(arguments: list[str]) -> tuple[list[str], bool]:
    """--debug may stand anywhere before the `--` that begins a recorded command."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    own = [argument for argument in arguments[:end] if argument != "--debug"]
    return own + arguments[end:], len(own) < end


def _stopped() -> int:
    click.echo("\ntracelens: stopped; what was stored before is untouched", err=True)
    return 130
