"""A profile of each hour, and the merge of them all, with whylogs."""

from functools import reduce

import task
import whylogs
from whylogs.core import DatasetProfileView

_, current = task.frames()
numbers, categories = task.features(current)
columns = current[[*numbers, *categories, "score", "prediction"]]
hours = current["timestamp"].dt.floor("h")


def profiles() -> list[DatasetProfileView]:
    return [whylogs.log(pandas=rows).profile().view() for _, rows in columns.groupby(hours)]


def merged(views: list[DatasetProfileView]) -> DatasetProfileView:
    return reduce(lambda total, view: total.merge(view), views)


whylogs.log(pandas=columns[:1_000])  # What whylogs imports late is not counted.
profiling, views = task.timed(profiles)
merging, _ = task.timed(lambda: merged(views))
task.report(whylogs.__version__, {"profiles": profiling, "merge": merging})
