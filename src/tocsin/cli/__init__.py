"""The command line: `tocsin --help`."""

import sys


def main() -> None:
    """Run the command line; errors of ours are one sentence on standard error."""
    try:
        from tocsin.cli.commands import commands
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("tocsin"):
            raise
        sys.exit(
            f"tocsin: the command line needs {error.name}; install it with "
            "pip install 'tocsin[server]'"
        )
    from tocsin.errors import TocsinError

    try:
        commands()
    except TocsinError as error:
        sys.exit(f"tocsin: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
