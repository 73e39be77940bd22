"""Answers of the API as tables."""

from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

_STYLES = {
    "breach": "bold red",
    "watch": "yellow",
    "at risk": "yellow",
    "healthy": "green",
    "open": "bold red",
}
# Letters of the longest bar.
_BAR = 24


def models_table(models: list[dict[str, Any]]) -> RenderableType:
    """Two lines a model: they fit into 80 columns and can be searched."""
    return Group(*(line for model in models for line in _model_lines(model)))


def _model_lines(model: dict[str, Any]) -> tuple[str, str]:
    incidents = ", ".join(f"#{number}" for number in model["open_incidents"])
    labelled = "" if model["coverage"] is None else f", {model['coverage']:.0%} labelled"
    return (
        f"{_styled(model['condition'])}  [bold]{escape(model['name'])}[/], "
        f"version {escape(model['version'])}" + (f", open: {incidents}" if incidents else ""),
        f"    {model['metric']} {measure_words(model['latest'])}, reference "
        f"{measure_words(model['reference'])}{labelled}",
    )


def metrics_table(series: dict[str, Any], last: int) -> RenderableType:
    """The newest windows of a metric."""
    table = Table("Window end", series["metric"], "Labelled", "Rows", "Revision", "State", box=None)
    for point in series["points"][-last:]:
        table.add_row(
            point["end"],
            measure_words(point),
            f"{point['coverage']:.0%}",
            f"{point['rows']:,}",
            str(point["revision"]),
            point["state"],
        )
    known = series["reference"]["value"] is not None
    has = (
        f"the reference has {measure_words(series['reference'])}"
        if known
        else "without a reference"
    )
    return Group(
        f"{series['window']} windows, each {series['every']}; {has}",
        table,
    )


def operations_table(points: list[dict[str, Any]]) -> RenderableType:
    """What serving cost, by windows, in 80 columns."""
    table = Table("Until", "Requests", "Rows", "4xx", "Failed", box=None, padding=(0, 1))
    for name in ("p50 p95 p99 ms", "CPU", "MB", "Version"):
        table.add_column(name, no_wrap=True)
    for point in points:
        latencies = (point["latency_s"][name]["value"] for name in ("p50", "p95", "p99"))
        table.add_row(
            point["end"][5:16].replace("T", " ") + ("" if point["complete"] else "*"),
            f"{point['requests']:,}",
            f"{point['rows']:,}",
            f"{point['client_errors']:,}",
            f"{point['server_errors'] + point['timeouts']:,}",
            " ".join("-" if value is None else f"{value * 1000:.3g}" for value in latencies),
            f"{point['cpu']:.0%}",
            f"{point['rss_bytes'] // 2**20:,}",
            escape(" ".join(point["versions"])),
        )
    priced = [point for point in points if point["price_of_1000"] is not None]
    paid = f" 1,000 predictions cost {_priced(priced[-1])} in the newest window." if priced else ""
    lost = sum(point["dropped"] + point["unreadable"] for point in points)
    told = f" {lost:,} requests were answered but not recorded." if lost else ""
    return Group(table, f"Times are UTC; * is not over yet.{paid}{told}")


def _priced(point: dict[str, Any]) -> str:
    price = point["price_of_1000"]
    if price["value"] is None:
        return f"nothing: {price['reason']}"
    return escape(f"{price['value']:.3g} {price['currency']}".rstrip())


def segments_table(view: dict[str, Any]) -> RenderableType:
    """A metric by the values of each segment."""
    head = f"{view['metric']} of the window until {view['end']}: {measure_words(view['all'])}"
    if not view["segments"]:
        return f"{head}\nNo segments are declared: add `segments` to the monitor."
    table = Table("Segment", view["metric"], "Rows", box=None)
    for values in view["segments"].values():
        for value in values:
            table.add_row(
                escape(value["segment"]), measure_words(value["measure"]), f"{value['rows']:,}"
            )
    return Group(head, table)


def groups_table(view: dict[str, Any]) -> RenderableType:
    """The criteria of fairness, and the groups that differ most."""
    table = Table("Criterion", "Difference", "Between", "p", box=None)
    for found in view["criteria"]:
        sides = (found["highest"], found["lowest"])
        between = "" if None in sides else escape(" and ".join(sides))
        p_value = "" if found["p_value"] is None else f"{found['p_value']:.2g}"
        table.add_row(found["criterion"], measure_words(found["difference"]), between, p_value)
    head = f"Groups of {escape(view['attribute'])} in the window until {view['end']}"
    return Group(head, table)


def incidents_table(incidents: list[dict[str, Any]]) -> RenderableType:
    """Two lines an incident: what, and why."""
    lines = [line for incident in incidents for line in _incident_lines(incident)]
    return Group(*lines, "One in full: `tocsin incidents NUMBER`.")


def _incident_lines(incident: dict[str, Any]) -> tuple[str, str]:
    causes = incident["causes"]
    return (
        f"#{incident['id']}  {_styled(incident['state'])}  {incident['severity']}  "
        f"{incident['opened']}  {escape(incident['model'])}: {escape(incident['title'])}",
        f"    {escape(causes[0]['sentence']) if causes else 'no cause found'}",
    )


def incident_table(incident: dict[str, Any]) -> RenderableType:
    """One incident in full."""
    causes = Table("Score", "Verdict", "Cause", "Of the window", box=None)
    for cause in incident["causes"]:
        window = f"{cause['window']} until {cause['window_end']}"
        sentence = escape(cause["sentence"])
        causes.add_row(f"{cause['score']:.2f}", cause["verdict"], sentence, window)
    timeline = Table("Event time", "What happened", box=None)
    for entry in incident["timeline"]:
        timeline.add_row(entry["event_time"], escape(entry["text"]))
    head = (
        f"Incident {incident['id']} of {escape(incident['model'])}: {escape(incident['title'])}\n"
        f"{_styled(incident['state'])}, {incident['severity']}, since {incident['opened']}\n"
    )
    why = causes if incident["causes"] else _no_cause(incident["learning"])
    return Group(head, why, "", timeline)


def _no_cause(learning: dict[str, Any] | None) -> str:
    """Why no cause is named."""
    if learning is None:
        return "No cause stands out: nothing is unlike earlier windows."
    columns = escape(", ".join(learning["columns"]))
    return (
        f"No cause can be named yet: {columns} are still being learned; what is usual for them is "
        f"known after {learning['missing']} more windows at the same time of day."
    )


def measure_words(measure: dict[str, Any] | None) -> str:
    """A number with its interval, as one cell."""
    if measure is None:
        return "no window yet"
    if measure["value"] is None:
        return str(measure["reason"])
    ends = [measure["low"], measure["high"]]
    if ends == [None, None]:
        return f"{measure['value']:.3g}"
    low, high = ("unknown" if end is None else f"{end:.3g}" for end in ends)
    return f"{measure['value']:.3g} \\[{low}, {high}]"


def _styled(word: str) -> str:
    return f"[{_STYLES[word]}]{word}[/]" if word in _STYLES else word


def quarantine_table(groups: list[dict[str, Any]]) -> RenderableType:
    """Why rows did not fit, the most frequent first."""
    table = Table("Rows", "Kind", "Reason", "Last", box=None)
    for group in groups:
        last = group["last"][:19].replace("T", " ")
        table.add_row(f"{group['rows']:,}", group["kind"], escape(group["reason"]), last)
    return table


def attribution_table(found: dict[str, Any]) -> RenderableType:
    """The share of each feature in all importance, on the reference and on recent rows."""
    recent = found["recent"]
    table = Table("Feature", "Reference", "±", "Recent", "±", "Rank", "", box=None)
    for each in recent["features"]:
        ranks = f"{each['rank']} → {each['rank_now']}"
        table.add_row(
            escape(each["feature"]),
            f"{each['share']:.1%}",
            f"{each['error']:.1%}",
            f"{each['share_now']:.1%}",
            f"{each['error_now']:.1%}",
            ranks if each["rank"] != each["rank_now"] else str(each["rank"]),
            "differs" if each["differs"] else "",
        )
    head = (
        f"Version {escape(found['version'])}, rows from {recent['start']} to {recent['end']}: "
        f"{recent['described']}\n{escape(recent['sentence'].replace('`', ''))}."
    )
    return Group(head, table)


def importance_table(found: dict[str, Any]) -> RenderableType:
    """The features by their importance, with a bar each."""
    table = Table("Feature", "Importance", "±", "", box=None)
    for feature in found["features"]:
        bar = "█" * round(_BAR * feature["reliance"])
        value, error = f"{feature['value']:.3g}", f"{feature['error']:.1g}"
        table.add_row(escape(feature["feature"]), value, error, bar or "·")
    head = f"Version {escape(found['version'])}: {found['described']}"
    return Group(head, table)
