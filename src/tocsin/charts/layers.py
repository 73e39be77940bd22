"""Layers to a whole picture, each data set in it once."""

from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.charts.theme import Spec

Rows = Sequence[Mapping[str, Any]]


def dataset(name: str) -> Any:
    """A chart on a named data set; Altair would repeat the rows in every layer."""
    import altair as alt

    return alt.Chart(alt.NamedData(name))


def layered(
    layers: Sequence[Any], datasets: Mapping[str, Rows], *, title: str, height: int
) -> Spec:
    """The picture of these layers, as wide as where it is put."""
    import altair as alt

    chart = alt.layer(*layers).properties(
        width="container",
        height=height,
        title=title,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    )
    return {**chart.to_dict(validate=False), "datasets": dict(datasets)}
