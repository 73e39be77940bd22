"""Summaries of rules: numbers are filled in, and nothing else can be done with them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.notify.template import LONGEST, fault_of, filled_in

VALUES = {"value": 0.71234, "n": 480, "labels": {"team": "risk"}, "text": "x" * 500}


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("AUC {{ value|round(3) }} (n={{ n }})", "AUC 0.712 (n=480)"),
        ("{{ labels.team|upper }}: {{ (value * 100)|round|int }} %", "RISK: 71 %"),
        ("{% if n > 100 %}sure{% else %}unsure{% endif %}", "sure"),
        ("two\nlines", "two lines"),
        ("{{ labels.nobody|default('all') }}", "all"),
        ("", ""),
    ],
)
def test_a_summary_is_filled_in(template: str, sentence: str) -> None:
    assert filled_in(template, VALUES) == (sentence, None)


HOSTILE = [
    "{% for i in range(10**9) %}x{% endfor %}", "{{ 'x' * 10**9 }}", "{{ [0] * 1000000000 }}",
    "{{ text.format(1) }}", "{{ '%1000000000d'|format(1) }}", "{{ 'x'|center(1000000000) }}",
    "{{ ''.__class__.__mro__ }}", "{{ self }}", "{{ cycler.__init__.__globals__ }}",
    "{{ lipsum() }}", "{{ 9**9**9 }}", "{% set x = 1 %}", "{% macro m() %}{% endmacro %}",
    "{% include 'x' %}", "{% import 'x' as x %}", "{{ value", "{{ nothing }}", "{{ n / 0 }}",
    "{{ labels.team * 3 }}", "{{ value|nosuch }}", "{{ labels.team + 1 }}",
    "{{ text|map('upper') }}",
    "{{ range(10) }}", "{{ namespace }}", "{{ labels['pop']('team') }}",
]  # fmt: skip


@pytest.mark.parametrize("template", HOSTILE)
def test_what_could_do_harm_or_makes_no_sense_gives_no_text_and_says_why(template: str) -> None:
    text, why = filled_in(template, VALUES)
    assert text == ""
    assert why


@given(st.text(max_size=200))
def test_a_sentence_without_marks_is_told_as_it_is(text: str) -> None:
    if not any(mark in text for mark in ("{{", "{%", "{#")):
        assert filled_in(text, {}) == (" ".join(text.split()), None)


def test_a_summary_is_not_longer_than_people_read() -> None:
    assert len(filled_in("{{ text ~ text ~ text ~ text }}", VALUES)[0]) == LONGEST


def test_what_can_never_be_filled_in_is_known_before() -> None:
    assert fault_of("{{ value }}") is None
    assert "expected" in (fault_of("{{ value") or "") or "unexpected" in (
        fault_of("{{ value") or ""
    )
