"""Models as people read them: how they are, when their numbers are final, what they do."""

from collections.abc import Mapping

from tocsin.records.models import Rebuilding
from tocsin.schema import Schema, Task
from tocsin.service.views import Condition, ModelDetail, Overview
from tocsin.web.words import count, duration, series_sentence


def headline(overview: Overview) -> str:
    """How a model is going, in a sentence."""
    return series_sentence(overview.headline, overview.headline.telling)


def state_of_all(overviews: list[Overview]) -> str:
    """How the models are, in a sentence: the first thing on the first page."""
    bad = sum(
        o.condition in (Condition.BREACH, Condition.AT_RISK, Condition.WATCH) for o in overviews
    )
    total = len(overviews)
    models = "1 model" if total == 1 else f"{total} models"
    if bad:
        return f"{bad} of {models} {'needs' if bad == 1 else 'need'} attention"
    blind = sum(o.condition is not Condition.HEALTHY for o in overviews)
    if blind == total:
        return f"{models}, {'' if total == 1 else 'all of them '}still waiting for numbers"
    if blind:
        return f"No model is in breach; {blind} of {models} {'waits' if blind == 1 else 'wait'}"
    return "The model is healthy" if total == 1 else f"All {models} are healthy"


def healthy_words(detail: ModelDetail) -> str:
    """What `healthy` rests on: on rules that are silent, not on numbers that are good."""
    if detail.overview.condition is not Condition.HEALTHY:
        return ""
    rules = len(detail.monitor.rules)
    if not rules:
        return "no rule watches it"
    silent = "its rule is" if rules == 1 else f"its {rules} rules are"
    return f"{silent} silent, and no threshold is ahead"


def labels_sentence(detail: ModelDetail) -> str:
    """When the windows of a model are final, and how that is known."""
    after = duration(detail.final_after)
    learned = detail.maturity
    if detail.monitor.label_delay is not None:
        return f"{after} after it ends, as declared"
    if learned is None or learned.delay is None:
        return f"{after} after it ends, the longest that labels may take"
    return f"{after} after it ends, as learned from {count(learned.labels)} labels"


def rebuilding_sentence(rebuilding: Rebuilding) -> str:
    """How far a rebuild is, and what that means for the numbers."""
    if rebuilding.done is None or rebuilding.days is None:
        progress = "wait to be rebuilt"
    else:
        progress = f"are being rebuilt: {count(rebuilding.done)} of {count(rebuilding.days)} days"
    return f"The profiles {progress}. Until then the numbers stay, and new rows wait."


def uncountable_sentence(counts: Mapping[str, int], horizon: int) -> str:
    """How many outcomes can never count, and why; nothing when there are none.

    horizon: how long labels are waited for, microseconds.
    """
    late, early = counts.get("outcomes_too_late", 0), counts.get("outcomes_too_early", 0)
    parts = []
    if late:
        parts.append(f"{count(late)} later than {duration(horizon)} after their prediction")
    if early:
        parts.append(f"{count(early)} more than a day before it")
    return ", ".join(parts)


def task(schema: Schema) -> str:
    """What a model predicts, in words."""
    if schema.task is Task.REGRESSION:
        return "Regression"
    if schema.task is Task.BINARY:
        return "Binary classifier"
    return f"Classifier of {len(schema.classes)} classes"
