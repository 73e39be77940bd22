"""An evaluation, and its parts as they are stored."""

from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa

from tocsin.drift import Shift, Verdict
from tocsin.trends import Pace, Trend
from tocsin.values import Bounded, Measure, Undefined, Window

# Where a stored shift says whether it was usual.
USUAL = 9
# An empty map, of evaluations that were stored before there was such a column.
NOTHING = b"\x80"
_PARTS = ("measures", "shifts", "estimates", "quality", "trends")


@dataclass(frozen=True)
class Evaluation:
    """Everything measured of one window.

    revision: 1 at first, one more each time late truth changed the window.
    delays: labelled rows by label delay, in the bins of profiles.
    versions: rows by model version. plan: the digest of the bins. shifts: by feature, and of the
    output under its name. estimates, quality: empty where none were made. trends: by rule and
    instance, of rules that are `auto`.
    """

    window: Window
    revision: int
    rows: int
    labelled: int
    versions: Mapping[str, int]
    measures: Mapping[str, Measure]
    shifts: Mapping[str, Shift]
    delays: tuple[int, ...]
    plan: str
    known_offset: int
    known_at: int
    estimates: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)
    trends: Mapping[str, Mapping[str, Trend]] = field(default_factory=dict)

    @property
    def coverage(self) -> float:
        """Share of the predictions whose outcome is known."""
        return self.labelled / self.rows if self.rows else 0.0


def encoded_measures(measures: Mapping[str, Measure]) -> bytes:
    """Measures as they are stored."""
    return msgspec.msgpack.encode(
        {
            name: (m.reason, m.n)
            if isinstance(m, Undefined)
            else (m.value, m.error, m.low, m.high, m.n)
            for name, m in measures.items()
        }
    )


def encoded_shifts(shifts: Mapping[str, Shift]) -> bytes:
    """Shifts as they are stored; `USUAL` says where one is said to be usual."""
    return msgspec.msgpack.encode(
        {
            name: (
                s.js_distance, s.psi, s.p_value, s.n, s.minimum_n, s.z, s.usual, s.verdict,
                s.reason, s.is_usual, *((s.method, s.value, s.threshold) if s.method else ()),
            )
            for name, s in shifts.items()
        }
    )  # fmt: skip


def encoded_trends(trends: Mapping[str, Mapping[str, Trend]]) -> bytes:
    """Trends as they are stored."""
    return msgspec.msgpack.encode(
        {
            rule: {name: astuple(trend) for name, trend in instances.items()}
            for rule, instances in trends.items()
        }
    )


def _decode_trends(stored: bytes) -> dict[str, dict[str, Trend]]:
    return {
        rule: {name: Trend(Pace(pace), *rest) for name, (pace, *rest) in instances.items()}
        for rule, instances in msgspec.msgpack.decode(stored).items()
    }


def decoded(row: sa.Row[Any], parts: Collection[str] = _PARTS) -> Evaluation:
    """An evaluation of a row; of `parts` only these columns are decoded, the others are empty."""

    def part(name: str) -> bytes:
        return (getattr(row, name) if name in parts else None) or NOTHING

    measures = msgspec.msgpack.decode(part("measures"))
    shifts: dict[str, Any] = msgspec.msgpack.decode(part("shifts"))
    return Evaluation(
        window=Window(row.window_end - row.window_size, row.window_end),
        revision=row.revision,
        rows=row.rows,
        labelled=row.labelled,
        versions=row.versions,
        measures={
            name: Undefined(*parts) if isinstance(parts[0], str) else Bounded(*parts)
            for name, parts in measures.items()
        },
        shifts={
            name: Shift(*parts[:7], Verdict(parts[7]), parts[8], *parts[USUAL + 1 :])  # type: ignore[call-arg]
            for name, parts in shifts.items()
        },
        delays=msgspec.msgpack.decode(row.delays or b"\x90", type=tuple[int, ...]),
        plan=row.plan_digest,
        known_offset=row.known_offset,
        known_at=row.known_at,
        estimates=msgspec.msgpack.decode(part("estimates")),
        quality=msgspec.msgpack.decode(part("quality")),
        trends=_decode_trends(part("trends")),
    )
