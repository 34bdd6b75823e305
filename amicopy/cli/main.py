"""The ``amicopy`` command: its subcommands by name, and the one place where an error becomes text and an exit code."""

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from amicopy.cli.environment import Environment
from amicopy.core.errors import AmicopyError, ExitCode, Interrupted, UsageError
from amicopy.core.version import __version__

# Name: module and first line of its help. A test compares the lines with the commands' own.
COMMANDS = {
    "copy": ("amicopy.cli.commands.copy", "Copy AMIs to other regions, faithfully and exactly once."),
    "sync": ("amicopy.cli.commands.sync", "Apply a manifest: copy each image where it belongs."),
    "status": ("amicopy.cli.commands.status", "Show every copy of AMIs: its region, its state, and what is missing."),
    "verify": ("amicopy.cli.commands.verify", "Check that copies match their source."),
    "scan": ("amicopy.cli.commands.scan", "Find references to an image's region in its files, before you copy it."),
    "cancel": ("amicopy.cli.commands.cancel", "Cancel copies: deregister them and delete their snapshots."),
    "retire": ("amicopy.cli.commands.retire", "Take a release back everywhere: unshare, deprecate and disable it."),
    "boot": ("amicopy.cli.commands.boot", "Launch an instance of each copy, wait for its status checks, terminate it."),
    "iam-policy": ("amicopy.cli.commands.iam_policy", "Print the smallest IAM policy for a command line."),
    "sandbox": ("amicopy.cli.commands.sandbox", "Serve a local EC2 for tests and demos: no account, no cost."),
}

EPILOG = "Most options can be set with an environment variable, such as AMICOPY_TO for --to. Exit codes: amicopy "
"COMMAND --help."


class LazyGroup(click.Group):
    """Knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order in which a person meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name; of a mistyped one, name the nearest."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(COMMANDS)}."
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=EPILOG,
)
@click.version_option(__version__, prog_name="amicopy")
def amicopy() -> None:
    """Copy Amazon EC2 machine images (AMIs) to other regions.

    \b
      amicopy copy ami-0abcdef1234567890 --to us-west-2,eu-west-1
      amicopy copy ami-0abcdef1234567890 --to all --dry-run
      amicopy copy ami-0abcdef1234567890 --to eu-west-1 --sandbox

    Run the same command again to continue: it waits for pending copies, completes incomplete ones, and writes nothing
    if everything is up to date.
    """


def main(argv: Sequence[str], environment: Environment) -> int:
    """Run the command line ``argv``; return the exit code, having told why it is not 0."""
    environment.argv = tuple(argv)
    if argv and argv[0] == "help":
        argv = [*argv[1:], "--help"]
    if os.environ.get("_AMICOPY_COMPLETE", "").startswith("fish"):
        import_module("amicopy.cli.fish")
    if isinstance(sys.stdout, io.TextIOWrapper):  # what the locale cannot write is escaped, as Python does on stderr
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = amicopy.main(args=list(argv), prog_name="amicopy", obj=environment, standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(error.format_message() + "\n")
        return ExitCode.USAGE
    except click.UsageError as error:
        return _usage(error, argv)
    except click.Abort:
        return _tell(Interrupted("Interrupted."), ExitCode.INTERRUPTED)
    except AmicopyError as error:
        return _tell(error, error.exit_code)
    except OSError as error:
        return _stdout_failed(error)
    except Exception as error:
        from amicopy.cli.terminal import reported_bug

        return _tell(reported_bug(error), ExitCode.BUG)
    return int(code or ExitCode.OK)


def _usage(error: click.UsageError, argv: Sequence[str]) -> int:
    named = f"amicopy {argv[0]}" if argv and argv[0] in COMMANDS else "amicopy"
    what, next_step = error.format_message(), f"See: {error.ctx.command_path if error.ctx else named} --help"
    if isinstance(error, click.NoSuchOption):
        name = error.option_name
        if not name.startswith("--"):
            mistyped = next((word for word in argv if len(word) > 2 and word.startswith(name)), "")
            what += f" Long options begin with two hyphens: -{mistyped}" if mistyped else ""
        elif argv[0] == "sync" and (key := _manifest_key(name)):
            what = f"sync has no option {name}: the manifest has it."
            next_step = f"Set {key!r} in the manifest; amicopy sync --schema describes its keys."
    ours = UsageError(what, next_step=next_step)
    output = _asked_output(argv)
    if output in {"json", "jsonl"}:
        from amicopy.cli.terminal import tell_failure

        command = error.ctx.info_name if error.ctx and error.ctx.parent else ""
        return tell_failure(command or "", ours, ExitCode.USAGE, output)
    return _tell(ours, ExitCode.USAGE)


def _manifest_key(option: str) -> str:
    """Return the key of manifests for an option of copy; empty if there is none."""
    from amicopy.core.request import MANIFEST, OPTIONS

    field = next((field for field, name in OPTIONS.items() if name == option), "")
    return "" if field == "regions" else MANIFEST.get(field, field)


def _asked_output(argv: Sequence[str]) -> str:
    """Return the requested format, from the arguments themselves: click may have failed before parsing it."""
    for word, run_output in zip(argv, [*argv, ""][1:], strict=True):
        if word == "--output":
            return run_output
        if word.startswith("--output="):
            return word.partition("=")[2]
    return os.environ.get("AMICOPY_OUTPUT", "")


def _tell(error: AmicopyError, code: ExitCode) -> int:
    from amicopy.cli.terminal import say
    from amicopy.render.text import error_lines

    say(error_lines(error))
    return int(code)


def _stdout_failed(error: OSError) -> int:
    """Leave when what was to be said went nowhere; quietly where its reader has gone."""
    from amicopy.cli.terminal import to_stdout

    def fail() -> None:
        raise error

    return int(to_stdout(fail))
