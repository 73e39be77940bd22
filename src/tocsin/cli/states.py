"""How the server and its models are, in lines."""

from collections.abc import Iterable, Iterator
from typing import Any

# What became of rows, by the counter of the model; those that are 0 are left out but the first.
_BECAME = (
    ("predictions", "predictions"),
    ("outcomes", "outcomes"),
    ("joined", "predictions have a label"),
    ("repeated", "predictions repeat an id and were not counted again"),
    ("outcomes_too_late", "outcomes are later than labels.max after their prediction: not counted"),
    (
        "outcomes_too_early",
        "outcomes are more than a day older than their prediction: not counted",
    ),
    ("quarantined", "rows did not fit and went to quarantine"),
    ("replayed", "of these were taken up again"),
    ("erased", "predictions were erased"),
    ("dropped_by_clients", "rows were dropped by clients before they were sent"),
)


def server_lines(status: dict[str, Any]) -> Iterator[str]:
    """How far the server is behind, and what keeps failing in it."""
    yield f"Tocsin {status['version']} monitors {_models(status['models'])}."
    yield f"{status['waiting_rows']:,} rows wait to be folded."
    if status["changed_models"]:
        have = "has" if status["changed_models"] == 1 else "have"
        yield (
            f"{_models(status['changed_models'])} {have} windows to evaluate; those whose labels "
            "are still coming wait for more of them."
        )
    yield from disabled_lines(status.get("disabled", []))
    for rebuilding in status["rebuilding"]:
        yield f"{rebuilding['model']}: {_rebuilt(rebuilding)}"
    for trouble in status["trouble"]:
        of = f" of {trouble['model']}" if trouble["model"] else ""
        times = "once" if trouble["failures"] == 1 else f"{trouble['failures']:,} times in a row"
        yield (
            f"{trouble['work']}{of} failed {times}, again in {trouble['again_s']:.0f} s: "
            f"{trouble['error']}"
        )


def disabled_lines(disabled: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The channels to which nothing is sent, and what ends that."""
    for channel in disabled:
        since = f" since {channel['since'][:16].replace('T', ' ')}Z" if channel["since"] else ""
        yield (
            f"{channel['name']} is told nothing{since}: {channel['why']}. Put it again, or let "
            f"`{channel['enable']}` find that it takes messages."
        )


def _models(count: int) -> str:
    return "1 model" if count == 1 else f"{count:,} models"


def model_lines(model: dict[str, Any]) -> Iterator[str]:
    """What became of a model's rows, and what was assumed of it."""
    yield f"{model['name']}, version {model['version']}: {model['condition']}"
    if model["rebuilding"]:
        yield f"  {_rebuilt(model['rebuilding'])}"
    counts = model["counts"]
    for name, words in _BECAME:
        if counts.get(name, 0) or name == "predictions":
            yield f"  {counts.get(name, 0):,} {words}"
    for note in model["notes"]:
        yield f"  {note}"


def _rebuilt(rebuilding: dict[str, Any]) -> str:
    if rebuilding["days"] is None:
        return "profiles wait to be rebuilt"
    return (
        f"profiles are rebuilt, {rebuilding['days_done']:,} of {rebuilding['days']:,} days are done"
    )
