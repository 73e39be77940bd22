"""Alerting rules for a Prometheus that scrapes Tocsin: on Tocsin itself, and on declared limits."""

from typing import Any

from tocsin.declared import Monitor, parse_monitor
from tocsin.records import Records, models
from tocsin.rules import Rule
from tocsin.service.signals import needs_labels
from tocsin.service.watch_self import EVALUATION_LAG, FOLD_LAG
from tocsin.service.windows import spec_of
from tocsin.values import SECOND, format_duration


class PrometheusRules:
    """Makes them of the monitors as they are."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def document(self) -> dict[str, Any]:
        """`groups`, as Prometheus reads them, and why rules of monitors were `left_out`."""
        with self._records.read() as connection:
            records = models.all_models(connection)
        left_out: list[str] = []
        groups = [{"name": "tocsin", "rules": own_rules()}]
        for record in records:
            monitor = parse_monitor(record.name, record.monitor)
            made = [
                rule_of(record.name, rule, monitor)
                for rule in monitor.rules
                if _can(record.name, rule, monitor, left_out)
            ]
            if made:
                groups.append({"name": f"tocsin/{record.name}", "rules": made})
        return {"groups": groups, "left_out": left_out}


def own_rules() -> list[dict[str, Any]]:
    """On Tocsin itself: what it cannot tell when it is down, and what it tells too."""
    return [
        _own("TocsinAbsent", "absent(tocsin_fold_lag_seconds)", "5m", "Tocsin is not scraped."),
        _own(
            "TocsinFoldLag",
            f"tocsin_fold_lag_seconds > {FOLD_LAG // SECOND}",
            "1m",
            "Rows wait to be folded: see /ready for what fails.",
        ),
        _own(
            "TocsinEvaluationLag",
            f"tocsin_evaluation_lag_seconds > {EVALUATION_LAG // SECOND}",
            "1m",
            "Windows wait to be evaluated: see /ready for what fails.",
            "warning",
        ),
        _own(
            "TocsinOutboxStuck",
            "tocsin_outbox_oldest_age_seconds > 900",
            "1m",
            "A notification has waited for 15 minutes: see tocsin outbox list --state pending.",
        ),
        _own(
            "TocsinDeadLetters",
            "tocsin_outbox_dead > 0",
            "0s",
            "Notifications were given up: see tocsin outbox list --state dead.",
        ),
    ]


def rule_of(model: str, rule: Rule, monitor: Monitor) -> dict[str, Any]:
    """A rule on a metric, as Prometheus has it; its interval and its clear value are ours alone."""
    series = _selector(model=model, metric=rule.metric, segment="")
    enough = _enough(model, rule, monitor)
    lasting = (rule.for_windows - 1) * spec_of(monitor, rule.window).every
    return {
        "alert": rule.name,
        "expr": f"tocsin_performance{series} {rule.op} {rule.value!r}{enough}",
        "for": format_duration(lasting) if lasting else "0s",
        "labels": {**dict(rule.labels), "severity": rule.severity, "category": rule.category},
        "annotations": {
            "summary": f"{rule.metric} of {model} is {{{{ $value }}}}.",
            **({"runbook_url": rule.runbook_url} if rule.runbook_url else {}),
        },
    }


def _enough(model: str, rule: Rule, monitor: Monitor) -> str:
    """That the number rests on as many rows as the rule wants, labelled where it needs labels.

    A share times a number is whole but for rounding.
    """
    if rule.min_samples <= 1:
        return ""
    of = _selector(model=model)
    rows = f"tocsin_window_samples{of}"
    if needs_labels(rule.metric, monitor):
        rows = f"round({rows} * tocsin_label_coverage_ratio{of})"
    return f" and on (model, version) {rows} >= {rule.min_samples}"


def _can(model: str, rule: Rule, monitor: Monitor, left_out: list[str]) -> bool:
    exported = spec_of(monitor, None)
    if rule.metric not in monitor.metrics or rule.value is None:
        left_out.append(f"{model}/{rule.name}: {rule.metric} has no fixed limit on a metric")
    elif rule.window != exported.size:
        left_out.append(
            f"{model}/{rule.name}: it looks at {format_duration(rule.window)}, and /metrics tells "
            f"windows of {exported.name}"
        )
    else:
        return True
    return False


def _own(alert: str, expr: str, lasting: str, summary: str, severity: str = "critical") -> Any:
    return {
        "alert": alert,
        "expr": expr,
        "for": lasting,
        "labels": {"severity": severity, "category": "operations"},
        "annotations": {"summary": summary},
    }


def _selector(**labels: str) -> str:
    quoted = (
        f'{name}="{value.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"'
        for name, value in labels.items()
    )
    return f"{{{','.join(quoted)}}}"
