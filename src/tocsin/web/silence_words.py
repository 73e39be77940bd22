"""What pages say about silences."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from tocsin.records.alerts import Episode
from tocsin.routing import Match, Matcher

# What one alert is known by; its severity may rise.
_KNOWN_BY = ("model", "alert", "instance")


def silence_link(labels: Mapping[str, str]) -> str:
    """The form, filled in for an alert of these labels.

    >>> silence_link({"model": "late", "alert": "Drift"})
    '/silences?matchers=model%3D%22late%22%2C+alert%3D%22Drift%22'
    """
    known = [
        str(Matcher(name, Match.EQUAL, labels[name])) for name in _KNOWN_BY if labels.get(name)
    ]
    return f"/silences?{urlencode({'matchers': ', '.join(known)})}"


def covers(episodes: Sequence[Episode]) -> str:
    """How many firing alerts are covered.

    >>> covers([])
    'covers no alert that fires now'
    """
    count = len(episodes)
    if not count:
        return "covers no alert that fires now"
    return f"covers {count:,} alert{'' if count == 1 else 's'} that fire{'s' * (count == 1)} now"
