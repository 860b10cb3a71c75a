"""The group of all verbs: errors in words, exit codes, `--debug`, examples in help."""

from __future__ import annotations

import sys
from typing import Any

import click

from errata.cli_examples import EXAMPLES
from errata.cli_helpers import to_stderr
from errata.errors import EXIT_INTERRUPTED, EXIT_OTHER, EXIT_USAGE, ErrataError, UsageError

TRUST_HOSTS = click.option(
    "--trust-hosts", multiple=True, metavar="HOST", help="Let a provider's key go there.  [repeatable]"
)
TRACE = click.option("--trace", metavar="FILE|URL", help="OpenTelemetry spans: JSON lines, or a collector's address.")
TRACE_TEXTS = click.option("--trace-texts", is_flag=True, help="Spans hold messages and replies too.")
"""Options of several verbs."""


LONGEST = 1_000
"""Letters of a verb's first sentence: none has as many."""


class Listed(click.Group):
    """A group whose help has each command's whole first sentence: what does not fit is wrapped, not cut."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(LONGEST)) for name, each in commands if each])


class Verbs(Listed):
    """Turns errors into found / why / do on stderr and the exit codes of errata; every verb takes --debug and has
    examples below its options."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        cmd.params.append(debug_option())
        cmd.epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in EXAMPLES[name or str(cmd.name)])
        super().add_command(cmd, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the work, as they were added."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ErrataError as error:
            _traceback_if_debug(ctx)
            to_stderr(str(error))
            ctx.exit(error.exit_code)
        except click.NoSuchOption as error:
            if error.possibilities or not _takes_overrides(error.ctx):
                raise
            to_stderr(str(_written_as_key(error)))
            ctx.exit(EXIT_USAGE)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(EXIT_INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            _traceback_if_debug(ctx)
            at_fault = ErrataError(
                f"{type(error).__name__}: {error}", "errata itself is at fault", "see more with --debug"
            )
            to_stderr(str(at_fault))
            ctx.exit(EXIT_OTHER)


def _takes_overrides(ctx: click.Context | None) -> bool:
    return ctx is not None and any(each.name == "overrides" for each in ctx.command.params)


def _written_as_key(error: click.NoSuchOption) -> UsageError:
    key = error.option_name.lstrip("-").replace("-", "_")
    return UsageError(
        f"there is no option {error.option_name}",
        "a recipe's own keys are overridden as key=value, without dashes",
        f"write {key}=VALUE behind the recipe; other options: errata {error.ctx.info_name if error.ctx else ''} --help",
    )


def debug_option() -> click.Option:
    return click.Option(
        ["--debug"], is_flag=True, expose_value=False, callback=_set_debug, help="Show tracebacks and a debug log."
    )


def _set_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_root().meta["errata.debug"] = True
        import logging

        logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
        logging.getLogger("errata").setLevel(logging.DEBUG)


def _traceback_if_debug(ctx: click.Context) -> None:
    if ctx.find_root().meta.get("errata.debug"):
        import traceback

        traceback.print_exc()
