"""Files that are wrong, each in one way: the line of the fault, words of the message, and whether
a JSON Schema alone can refuse it."""

from dataclasses import dataclass

HEAD = """\
apiVersion: tocsin/v1
monitors:
- name: late
  schema:
    features:
    - {name: distance, kind: numeric}
    - {name: carrier, kind: categorical}
    score: p
    label: late
"""
RULES = HEAD + "  rules:\n"
GOOD_RULE = """\
  - alert: AucLow
    expr: {metric: roc_auc, window: 24h, op: "<", value: 0.7, clear: 0.72}
    for: 2
    labels: {severity: critical, team: flights}
"""
OPS = """\
apiVersion: tocsin/v1
receivers: [{name: ops, webhook: {url: 'https://a.example/'}}]
"""
RECEIVERS = HEAD + "receivers:\n"


@dataclass(frozen=True)
class Faulty:
    """A file with a fault in one line; words: of the fault's field and message."""

    name: str
    text: str
    line: int
    words: tuple[str, ...]
    schema: bool = True


def _rule(
    name: str,
    expr: str,
    words: tuple[str, ...],
    *,
    more: str = "",
    line: int = 12,
    schema: bool = True,
) -> Faulty:
    text = f"{RULES}  - alert: A\n    expr: {{{expr}}}\n{more}"
    return Faulty(name, text, line, words, schema)


def _monitor(
    name: str, lines: str, words: tuple[str, ...], *, line: int = 10, schema: bool = True
) -> Faulty:
    return Faulty(name, HEAD + lines, line, words, schema)


def _receiver(
    name: str, lines: str, words: tuple[str, ...], *, line: int = 11, schema: bool = True
) -> Faulty:
    return Faulty(name, RECEIVERS + lines, line, words, schema)


def _routing(
    name: str, lines: str, words: tuple[str, ...], *, line: int = 3, schema: bool = True
) -> Faulty:
    return Faulty(name, OPS + lines, line, words, schema)


_AUC = 'metric: roc_auc, window: 24h, op: "<"'

# fmt: off
FAULTY = [
    # YAML
    Faulty("nothing", "", 1, ("empty", "apiVersion: tocsin/v1")),
    Faulty("only a comment", "# monitors\n", 1, ("empty",)),
    Faulty("a list", "- name: late\n", 1, ("mapping", "apiVersion")),
    Faulty("an open bracket", "apiVersion: tocsin/v1\nmonitors: [\n", 3, ("no YAML",)),
    Faulty("a tab", "apiVersion: tocsin/v1\nmonitors:\n\t- name: x\n", 3, ("spaces",)),
    Faulty("two documents", "apiVersion: tocsin/v1\n---\na: 1\n", 2, ("second document", "own")),
    Faulty("no such anchor", "apiVersion: tocsin/v1\nmonitors: *mine\n", 2, ("anchor", "before")),
    Faulty("a tag", HEAD + "  version: !!python/name:os.system ''\n", 10, ("tag", "plain")),
    Faulty("a key that is a list", HEAD + "  ? [a]\n  : 1\n", 10, ("plain word",),
           schema=False),
    Faulty("a key twice", HEAD + "  publish: true\n  publish: false\n", 11, ("line 10", "remove"),
           schema=False),
    _monitor("yes", "  publish: yes\n", ("publish", "true or false", "quotes")),
    _monitor("no for Norway", "  version: no\n", ("version", '"no"', "quotes"), schema=False),
    _monitor("a leading zero", "  version: 007\n", ("version", "007", "quotes")),
    _monitor("infinity", "  false_alarms: .inf\n", ("false_alarms", "finite")),
    # The file as a whole
    Faulty("no version", "monitors: []\n", 1, ("apiVersion", "required")),
    Faulty("another version", "apiVersion: tocsin/v2\n", 1, ("tocsin/v2", "tocsin/v1")),
    Faulty("an unknown key", "apiVersion: tocsin/v1\nmonitor: []\n", 2,
           ("`monitor`", "did you mean `monitors`?")),
    Faulty("a mapping for a list", "apiVersion: tocsin/v1\nmonitors: {late: {}}\n", 2,
           ("a mapping", "list")),
    Faulty("a monitor twice", HEAD + HEAD.partition("monitors:\n")[2], 10,
           ("'late'", ":3:3", "name of its own"), schema=False),
    Faulty("a name with a slash", HEAD.replace("name: late", "name: a/b"), 3, ("name", "form")),
    Faulty("no schema", "apiVersion: tocsin/v1\nmonitors:\n- name: late\n", 3,
           ("schema", "required")),
    # Fields of a monitor
    _monitor("a misspelt key", "  granularty: 1h\n", ("`granularty`", "`granularity`")),
    _monitor("a number for text", "  version: 1.10\n", ("version", '"1.10"', "quotes")),
    _monitor("text for a number", '  false_alarms: "2"\n', ("false_alarms", "number", "quotes")),
    _monitor("a kind", "  segments:\n  - {colum: carrier}\n", ("`colum`", "`column`"), line=11),
    _monitor("no duration", "  lateness: 1 hour\n", ("lateness", "15m")),
    _monitor("a number for a duration", "  retention: 90\n", ("retention", "duration")),
    _monitor("a window of no time", "  windows: [1h, 0h]\n", ("windows.1", "no room"),
             schema=False),
    _monitor("windows and granularity", "  granularity: 1h\n  windows: [1h, 90m]\n",
             ("windows.1", "90m", "multiple"), line=11, schema=False),
    _monitor("a granularity too fine", "  granularity: 30s\n  windows: [1h]\n",
             ("granularity", "between 1m and 1d"), schema=False),
    _monitor("too short a retention", "  retention: 2d\n", ("retention", "at least"),
             schema=False),
    _monitor("an unknown column", "  segments: [carrier, contry]\n", ("segments.1", "'contry'"),
             schema=False),
    _monitor("a needed column dropped", "  privacy: {drop: [distance]}\n", ("privacy", "distance"),
             schema=False),
    _monitor("costs of nothing", "  metrics:\n  - {name: money, costs: {false_postive: 3}}\n",
             ("metrics.money", "false_positive"), line=11, schema=False),
    _monitor("a metric of two kinds", "  metrics:\n  - {name: m, sum: distance, function: f}\n",
             ("metrics.m", "either"), line=11, schema=False),
    _monitor("a drift method", "  drift: {method: pssi}\n", ("drift.method", "psi"),
             schema=False),
    _monitor("drift of no column", "  drift: {features: {distence: {method: psi}}}\n",
             ("drift", "'distence'"), schema=False),
    _monitor("a share above one", "  quality: {features: {distance: {null_rate: 5}}}\n",
             ("null_rate", "at most 1")),
    _monitor("quality of no feature", "  quality: {features: {distence: {null_rate: 0.1}}}\n",
             ("quality", "'distence'"), schema=False),
    _monitor("a reference of two places", "  reference: {file: a.parquet, dataset: training}\n",
             ("reference", "either"), schema=False),
    _monitor("a reference of rows and of a window", "  reference: {sha256: %s, window: 7d}\n"
             % ("a" * 64), ("reference", "either", "`window`"), schema=False),
    _monitor("a reference of no time", "  reference: {window: 4 weeks}\n",
             ("4 weeks", "24h")),
    # Rules
    _rule("an unknown metric", 'metric: roc_acu, window: 24h, op: "<", value: 0.7',
          ("rules.A.expr.metric", "did you mean `roc_auc`?"), schema=False),
    _rule("clear on the wrong side", _AUC + ", value: 0.7, clear: 0.6",
          ("expr.clear", "breached side", "good side"), schema=False),
    _rule("an unknown window", 'metric: roc_auc, window: 5h, op: "<", value: 0.7',
          ("expr.window", "5h", "1h, 24h, 7d"), schema=False),
    _rule("a text for a threshold", _AUC + ", value: high", ("expr.value", "number", "auto")),
    _rule("an operator", "metric: roc_auc, window: 24h, op: lt, value: 0.7", ("op", "'lt'", "<")),
    _rule("no threshold", "metric: roc_auc, window: 24h", ("`op` and `value`",), schema=False),
    _rule("a threshold for a verdict", "metric: drift, window: 1h, value: 0.7",
          ("expr.value", "leave them out"), schema=False),
    _rule("a clear for auto", "metric: roc_auc, window: 24h, value: auto, clear: 0.7",
          ("expr.clear", "`value: auto`"), schema=False),
    _rule("a severity", _AUC + ", value: 0.7", ("severity", "'critcal'", "`critical`"),
          more="    labels: {severity: critcal}\n", line=13),
    _rule("a label of every alert", _AUC + ", value: 0.7", ("labels", "`model`", "another name"),
          more="    labels: {model: late}\n", line=13, schema=False),
    _rule("a runbook that is no address", _AUC + ", value: 0.7", ("runbook_url", "form"),
          more="    annotations: {runbook_url: wiki/auc}\n", line=13),
    _rule("a share as percent", _AUC + ", value: 0.7", ("min_coverage", "at most 1"),
          more="    min_coverage: 50\n", line=13),
    _rule("quality of a segment", "metric: quality, window: 1h, by: carrier",
          ("expr.by", "quality", "leave it out"), schema=False),
    _rule("an estimate against the reference",
          'metric: estimated.roc_auc, window: 24h, op: "<", value: 0.7, relative_to: reference',
          ("expr.relative_to", "leave it out"), schema=False),
    _rule("a label with a space", _AUC + ", value: 0.7", ("'my team'", "letters, digits and _"),
          more='    labels: {"my team": a}\n', line=13, schema=False),
    _rule("too few samples", _AUC + ", value: 0.7", ("min_samples", "at least 1"),
          more="    min_samples: -1\n", line=13),
    _rule("half an expression", 'expression: "precision_score +", window: 24h, op: "<", value: 1',
          ("expr.expression", "cannot be read: invalid syntax"), schema=False),
    _rule("a division by nothing",
          'expression: "precision_score / 0", window: 24h, op: "<", value: 1',
          ("expr.expression", "division by 0", "correct it"), schema=False),
    _rule("an unknown name in a sentence", _AUC + ", value: 0.7",
          ("annotations.summary", "'valu'", "value, low"),
          more='    annotations: {summary: "AUC {{ valu }}"}\n', line=13, schema=False),
    _rule("a share above one for a threshold", _AUC + ", value: 70", ("expr.value", "0 and 1"),
          schema=False),
    _rule("a time for what is none", _AUC + ", value: 250ms", ("expr.value", "latency_p99"),
          schema=False),
    _rule("requests of a segment",
          'metric: latency_p99, window: 1h, op: ">", value: 2s, by: carrier',
          ("expr.by", "may be version"), schema=False),
    Faulty("a rule twice", RULES + GOOD_RULE + GOOD_RULE, 10, ("rules", "AucLow", "different"),
           schema=False),
    Faulty("no rule's name", RULES + "  - expr: {metric: drift, window: 1h}\n", 11,
           ("`alert`", "required")),
    _monitor("another source", "  source: delta\n", ("source", "tocsin ingest"), schema=True),
    Faulty("two tasks", HEAD.replace("    score: p", "    task: binary\n    score: p")
           + "  task: regression\n", 4, ("schema", "write it once"), schema=False),
    Faulty("half a schema", HEAD.partition("    features:")[0] + "    label: late\n", 4,
           ("schema", "`features` are missing", "registry"), schema=False),
    _monitor("a metric that is none to show first", "  metrics: [roc_auc, f2_score]\n",
             ("metrics.1", "'f2_score'"), schema=False),
    # Receivers and secrets
    _receiver("a channel that is none", "- {name: ops, slak: {webhook_url_env: HOOK}}\n",
              ("`slak`", "did you mean `slack`?")),
    _receiver("both places", "- {name: ops, slack: [{webhook_url_env: A, "
              "webhook_url_file: /b}]}\n", ("slack.0", "not both"), schema=False),
    _receiver("a file that is none", "- {name: ops, teams: {webhook_url_file: 'b'}}\n",
              ("teams.webhook_url_file", "/run/secrets/slack")),
    _receiver("no channel", "- {name: ops}\n", ("a channel is required",), schema=False),
    _receiver("a receiver twice", "- {name: ops, webhook: {url: 'https://a.example'}}\n" * 2,
              ("'ops'", "already"), line=12, schema=False),
    _receiver("the address of Slack",
              "- {name: ops, webhook: {url: 'https://hooks.slack.com/services/T0/B0/x'}}\n",
              ("webhook.url", "Slack webhook", "variable"), schema=False),
    _receiver("a Slack address for a variable",
              "- {name: ops, slack: {webhook_url_env: 'https://hooks.slack.com/services/T/B/x'}}\n",
              ("webhook_url_env", "name of the variable")),
    _receiver("a routing key", "- {name: pd, pagerduty: {routing_key: R0123456789}}\n",
              ("routing_key", "secret", "`routing_key_env`")),
    _receiver("a key for a variable",
              "- {name: pd, pagerduty: {routing_key_env: R03E0AB1C2D3E4F5A6B7}}\n",
              ("routing_key_env", "the secret itself", "name of the variable"), schema=False),
    _receiver("a password", "- {name: m, email: {to: [a@b.example], from: c@b.example, "
              "host: h, username: u, password: hunter2}}\n",
              ("password", "secret", "`password_env`")),
    _receiver("a password in an address", "- {name: w, webhook: {url: 'https://u:pw@a.example'}}\n",
              ("webhook.url", "password"), schema=False),
    _receiver("a token in a rule's text", "- {name: w, webhook: {url: 'https://a.example/?t="
              "xoxb-12345678901'}}\n", ("Slack token",), schema=False),
    _receiver("no mailbox", "- {name: m, email: {to: [nobody], from: c@b.example, host: h}}\n",
              ("email.to.0", "form")),
    _receiver("a password without encryption", "- {name: m, email: {to: [a@b.example], "
              "from: c@b.example, host: h, username: u, password_env: P, security: none}}\n",
              ("email", "unencrypted"), schema=False),
    _receiver("a fallback that nobody is",
              "- {name: ops, webhook: {url: 'https://a.example'}, fallback: oops}\n",
              ("fallback", "'oops'", "there are log"), schema=False),
    # Who is told
    _routing("an undefined receiver", "route: {receiver: opss}\n",
             ("route.receiver", "'opss'", "did you mean `ops`?"), schema=False),
    _routing("no receiver at the root", "route: {group_wait: 1m}\n",
             ("route.receiver", "the root needs one"), schema=False),
    _routing("a route that nothing reaches", "route:\n  receiver: ops\n  routes:\n"
             "  - {matchers: [team=\"a\"]}\n  - {matchers: [team=\"a\", alert=\"b\"]}\n",
             ("route.routes.1", "no alert can come here", "continue"), line=7, schema=False),
    _routing("an undefined receiver deep below", "route:\n  receiver: ops\n  routes:\n"
             "  - matchers: [team=\"a\"]\n    routes:\n    - {receiver: nobody}\n",
             ("route.routes.0.routes.0.receiver", "'nobody'"), line=8, schema=False),
    _routing("repeats before the group is told", "route:\n  receiver: ops\n"
             "  group_interval: 5m\n  repeat_interval: 1m\n",
             ("repeat_interval", "at least that"), line=6, schema=False),
    _routing("a matcher that is none", "route: {receiver: ops, matchers: ['team~a']}\n",
             ("route.matchers.0", "=~"), schema=False),
    _routing("a misspelt field of a route", "route: {reciever: ops}\n",
             ("`reciever`", "did you mean `receiver`?")),
    _routing("a severity that no alert has",
             "route:\n  receiver: ops\n  routes:\n  - {matchers: ['severity=\"inf\"']}\n",
             ("route.routes.0.matchers.0", "did you mean `info`?"), line=6, schema=False),
    _routing("a misspelt label", "route: {receiver: ops, group_by: [modle]}\n",
             ("route.group_by.0", "did you mean `model`?"), schema=False),
    _routing("a misspelt label of an inhibition",
             "inhibit_rules:\n- {source_matchers: ['catgory=a'], target_matchers: ['alert=d'], "
             "equal: [model]}\n", ("source_matchers.0", "did you mean `category`?"), line=4,
             schema=False),
    _routing("an unknown mute time", "route: {receiver: ops, mute_times: [night]}\n",
             ("mute_times", "'night'"), schema=False),
    _routing("a time that is none",
             "mute_times:\n- {name: n, intervals: [{times: [{start: '9', end: '10:00'}]}]}\n",
             ("mute_times.n.intervals.0.times", "09:00"), line=4, schema=False),
    _routing("a time zone that is none",
             "mute_times:\n- {name: n, intervals: [{location: Europe/Nowhere}]}\n",
             ("location", "Europe/Berlin"), line=4, schema=False),
    _routing("inhibition of all by all",
             "inhibit_rules:\n- {source_matchers: ['a=\"b\"'], target_matchers: ['c=\"d\"'], "
             "equal: []}\n", ("inhibit_rules.0.equal", "at least 1"), line=4),
]
# fmt: on
