"""The trailing reference: what came in shortly before a window."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy.engine import Connection

from tocsin.declared import Monitor, ReferenceKind
from tocsin.declared.drift import watched_columns
from tocsin.drift import Method
from tocsin.profiles import Profile
from tocsin.records.models import ModelRecord
from tocsin.service.stacks import window_profiles
from tocsin.values import Window


def trailing_profiles(
    connection: Connection, record: ModelRecord, monitor: Monitor, windows: Sequence[Window]
) -> Profile:
    """The stack of what came before each window, as far back as the monitor says.

    windows: by ascending start. It ends where the window begins: no row is compared with itself.
    """
    span = monitor.drift.trailing
    before = [Window(window.start - span, window.start) for window in windows]
    stack, _ = window_profiles(connection, record, monitor.granularity, before)
    return stack


def reference_of(
    connection: Connection,
    record: ModelRecord,
    monitor: Monitor,
    windows: Sequence[Window],
    stack: Profile,
) -> Profile:
    """What drift of these windows is measured from: one profile, or a stack of one for each.

    stack: the profiles of the windows. A trailing reference with fewer rows than its window tells
    less than the frozen one, which is taken instead.
    """
    if monitor.drift.reference == "frozen":
        return record.reference
    trailing = trailing_profiles(connection, record, monitor, windows)
    enough = trailing.total("n") >= stack.total("n")
    vectors = np.where(enough[:, None], trailing.vector, record.reference.vector)
    return Profile(record.plan, vectors)


def measured_from(monitor: Monitor, reference: ReferenceKind) -> Monitor:
    """The monitor as it would judge by this reference, without knowing what is usual.

    Columns without a method get a Jensen-Shannon distance with the usual threshold.
    """
    plain = dict.fromkeys(watched_columns(monitor.schema), Method.named("jensen_shannon"))
    drift = replace(monitor.drift, methods=plain | dict(monitor.drift.methods), reference=reference)
    return replace(monitor, drift=drift)
