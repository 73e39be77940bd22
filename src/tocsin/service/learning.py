"""Which columns cannot be judged yet, as too few earlier windows are like the one in question."""

from sqlalchemy.engine import Connection

from tocsin.declared import parse_monitor
from tocsin.drift import ENOUGH_HISTORY
from tocsin.records import evaluations, models
from tocsin.records.alerts import Incident
from tocsin.service.views import Learning
from tocsin.service.windows import example_ends


def learning_at(connection: Connection, incident: Incident) -> Learning | None:
    """What was still being learned in the window of an incident; None where nothing was."""
    record = models.model_named(connection, incident.model)
    monitor = parse_monitor(record.name, record.monitor)
    size, end = incident.window_size, incident.window_end
    spec = next((spec for spec in monitor.windows if spec.size == size), None)
    found = evaluations.at(connection, record.id, size, [end]).get(end)
    if spec is None or found is None:
        return None
    unknown = [name for name, shift in found.shifts.items() if shift.usual is None]
    if not unknown:
        return None
    past = evaluations.usual_distances(
        connection, record.id, size, example_ends(monitor, spec, end)
    )
    known = {name: sum(name in window for window in past.values()) for name in unknown}
    missing = {name: max(ENOUGH_HISTORY - n, 1) for name, n in known.items()}
    return Learning(tuple(unknown), max(missing.values()))
