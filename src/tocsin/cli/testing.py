"""Try what would only be needed at night."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from tocsin.cli.options import Url, remote_at
from tocsin.errors import InvalidInputError


class _OrFiles(TyperGroup):
    """`tocsin test FILE` is `tocsin test rules FILE`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is named, or that of a file."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["rules", *args]
        return super().resolve_command(ctx, args)


test_commands = typer.Typer(
    name="test",
    cls=_OrFiles,
    help="Try rules (`tocsin test FILE`) and receivers before they are needed.",
    no_args_is_help=True,
)
_out = Console(highlight=False)


@test_commands.callback()
def _group() -> None:
    """Without it, the only command would have no name."""


@test_commands.command()
def receiver(
    name: Annotated[str, typer.Argument(help="The receiver's name.")], url: Url = None
) -> None:
    """Send a message that says it is a test, the way that alerts go."""
    answer = remote_at(url).post("receivers", name, "test", document={})
    if not answer["taken"]:
        _out.print(f"{escape(name)} did not take it: {escape(answer['error'])}")
        raise typer.Exit(1)
    _out.print(f"{escape(name)} took the message.")


@test_commands.command()
def rules(
    files: Annotated[list[Path], typer.Argument(help="Files of tests.")],
) -> None:
    """Let windows go through the rules of files, and say which alert is not as expected."""
    from tocsin.service.rule_tests import run_tests

    failed = total = 0
    refused = False
    for file in files:
        try:
            tested = run_tests(file)
        except InvalidInputError as error:
            _out.print(str(error), markup=False, soft_wrap=True)
            refused = True
            continue
        for test in tested:
            total += 1
            failed += bool(test.failures)
            word = "FAULTY" if test.faulty else "FAILED" if test.failures else "ok"
            _out.print(f"{word:6} {test.name}", markup=False)
            for failure in test.failures:
                _out.print(f"       {failure}", markup=False, soft_wrap=True)
    _out.print(f"{total - failed} of {total} tests passed.")
    raise typer.Exit(1 if failed or refused else 0)
