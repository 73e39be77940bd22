"""The difference of two numbers that were measured on different rows."""

from math import hypot

from tocsin.values import Bounded, Measure, Undefined


def difference(a: Measure, b: Measure, *, of: str = "what it is compared with") -> Measure:
    """`a` less `b`, with a 95 % interval from those of both.

    of: what `b` is called, where there is none. The rows of the two are independent, and the
    intervals may be lopsided. n is that of `a`.

    Source: Zou and Donner, Construction of confidence limits about effect measures (2008),
    doi:10.1002/sim.3095.

    >>> difference(Bounded(0.7, low=0.6, high=0.8, n=50), Bounded(0.8, low=0.8, high=0.8)).low
    -0.2
    """
    if isinstance(a, Undefined):
        return a
    if isinstance(b, Undefined):
        return Undefined(f"{of}: {b.reason}", a.n)
    value = a.value - b.value
    error = a.error + b.error
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return Bounded(value, error, n=a.n)
    down = hypot(a.value - a.low, b.high - b.value)
    up = hypot(a.high - a.value, b.value - b.low)
    return Bounded(value, error, round(value - down, 15), round(value + up, 15), a.n)
