"""The smallest picture that proves the sentence of a cause."""

from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.charts.distribution import distribution
from tocsin.charts.layers import dataset, layered
from tocsin.charts.theme import Spec

# Which explicit bins a cause of a kind speaks of.
SPOKEN_OF = {
    "nulls": (("null", "non-finite"), "no value"),
    "unseen": (("unseen",), "never seen before"),
    "out_of_range": (("below", "above"), "outside the range"),
}


def cause_evidence(cause: Mapping[str, Any]) -> Spec | None:
    """The picture of a cause as `Cause.to_dict` gives it; None when it has no distribution."""
    evidence = cause["evidence"]
    if evidence is None:
        return None
    title = str(cause["sentence"]).replace("`", "")
    bins, regular = evidence["bins"], evidence["regular"]
    reference, current = evidence["reference"], evidence["current"]
    if cause["kind"] in SPOKEN_OF:
        wanted, words = SPOKEN_OF[cause["kind"]]
        at = [i for i in range(regular, len(bins)) if bins[i] in wanted]
        before, now = (sum(float(shares[i]) for i in at) for shares in (reference, current))
        return _two_bars(before, now, words=words, title=title)
    return distribution(bins, regular, reference, current, title=title)


def _two_bars(before: float, now: float, *, words: str, title: str) -> Spec:
    import altair as alt

    rows: Sequence[dict[str, Any]] = [
        {"when": "now", "share": now, "text": f"{now:.1%}"},
        {"when": "reference", "share": before, "text": f"{before:.1%}"},
    ]
    base = dataset("shares").encode(
        y=alt.Y("when:N", sort=None, title=None, scale=alt.Scale(paddingInner=0.35)),
        x=alt.X(
            "share:Q",
            title=f"rows with {words}" if words == "no value" else f"rows that are {words}",
            scale=alt.Scale(domain=[0, min(1.0, max(now, before, 0.01) * 1.25)], nice=False),
            axis=alt.Axis(format=".0%", grid=True, tickCount=5),
        ),
    )
    return layered(
        [
            base.transform_filter("datum.when == 'now'").mark_bar(style="bar-now"),
            base.transform_filter("datum.when != 'now'").mark_bar(
                style="bar-reference", filled=False
            ),
            base.mark_text(style="strong-word", align="left", dx=6).encode(text="text:N"),
        ],
        {"shares": rows},
        title=title,
        height=96,
    )
