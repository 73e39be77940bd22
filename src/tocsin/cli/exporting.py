"""`tocsin export`: what other programs are to know of the monitors here."""

import typer

from tocsin.cli.options import Url, remote_at

export_commands = typer.Typer(name="export")


@export_commands.callback(invoke_without_command=True)
def export(context: typer.Context, url: Url = None) -> None:
    """Print what the server has as one file, which `check` takes and `plan` finds unchanged."""
    if context.invoked_subcommand is not None:
        return
    from tocsin.declared.yaml_text import as_yaml

    typer.echo(as_yaml(remote_at(url).get("export")), nl=False)


@export_commands.command(name="prometheus-rules")
def prometheus_rules(url: Url = None) -> None:
    """Print alerting rules for a Prometheus that scrapes /metrics."""
    # Few commands need it.
    import yaml

    found = remote_at(url).get("export", "prometheus-rules")
    for why in found.pop("left_out"):
        typer.echo(f"# Left out: {' '.join(why.split())}")
    typer.echo(yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=100), nl=False)
