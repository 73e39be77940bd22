"""Rules as people read them."""

from collections.abc import Mapping

from tocsin.charts import Threshold
from tocsin.estimation import is_estimate, plain_name
from tocsin.metrics import Metric
from tocsin.quality import FEATURE_CHECKS, MODEL_CHECKS, VOLUME
from tocsin.rules import DRIFT, LABEL_DRIFT, PREDICTION_DRIFT, QUALITY, Operator, Rule
from tocsin.service.signals import check_title
from tocsin.web.words import check_level, count, level, percent

_DRIFTS = {
    DRIFT: "any feature has drifted",
    PREDICTION_DRIFT: "what the model says has drifted",
    LABEL_DRIFT: "the outcomes have drifted",
}


def rule_condition(rule: Rule, metrics: Mapping[str, Metric]) -> str:
    """What has to be true for a rule to alert."""
    if rule.metric in _DRIFTS:
        return _DRIFTS[rule.metric]
    if rule.metric == QUALITY:
        return "any check of the data finds what is not expected"
    metric = metrics.get(plain_name(rule.metric))
    name = check_title(rule.metric) if metric is None else metric.title
    if rule.by:
        name = f"{name} of any {rule.by}"
    if is_estimate(rule.metric):
        name = f"{name}, estimated before labels,"
    if rule.value is None:
        falls, rises = "lower than usual", "higher than usual"
        better = _higher_is_better(rule, metric)
        if rule.op is None and better is None:
            return f"{name} stays {falls}, or {rises}"
        worse = rule.op or (Operator.BELOW if better else Operator.ABOVE)
        return f"{name} stays {falls if worse is Operator.BELOW else rises}"
    side = "below" if rule.op == "<" else "above"
    value = check_level(rule.metric, rule.value) if metric is None else level(metric, rule.value)
    return f"{name} {side} {value}"


def _higher_is_better(rule: Rule, metric: Metric | None) -> bool | None:
    """Which side is the better one of what a rule looks at, if there is one."""
    if metric is not None:
        return metric.higher_is_better
    return None if rule.metric == VOLUME else not (FEATURE_CHECKS | MODEL_CHECKS)[rule.metric].share


def rule_patience(rule: Rule, metrics: Mapping[str, Metric]) -> str:
    """What a rule waits for."""
    parts = []
    if rule.for_windows > 1:
        parts.append(f"{rule.for_windows} windows in a row")
    if rule.metric in metrics and metrics[rule.metric].needs_labels:
        parts.append(f"{percent(rule.min_coverage)} labelled")
    if rule.min_samples > 1:
        parts.append(f"{count(rule.min_samples)} rows")
    if rule.value is not None and rule.confident and rule.metric != VOLUME:
        parts.append("the whole 95 % interval beyond it")
    return ", ".join(parts)


def thresholds(rules: tuple[Rule, ...], metric: Metric, size: int) -> list[Threshold]:
    """The lines of the rules on a metric's chart."""
    return [
        Threshold(
            rule.value,
            f"alert {'below' if rule.op == '<' else 'above'} {level(metric, rule.value)}",
        )
        for rule in rules
        if rule.metric == metric.name and rule.window == size and rule.value is not None
    ]
