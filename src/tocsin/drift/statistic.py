"""Every statistic of drift, by its name and by those that people know from elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tocsin.drift import distances, homogeneity
from tocsin.drift.apart import Apart
from tocsin.drift.pairs import Pair
from tocsin.errors import InvalidInputError, did_you_mean


@dataclass(frozen=True)
class Statistic:
    """A way to tell how far two samples are apart.

    decides: by a `value` over the threshold, or by a `p_value` under it. threshold: of those who
    give none. most: the largest threshold that can be passed. aliases: what others call it.
    """

    name: str
    title: str
    apart: Callable[[Pair], Apart]
    decides: Literal["value", "p_value"]
    threshold: float
    numeric_only: bool = False
    most: float = float("inf")
    aliases: tuple[str, ...] = ()


def _by_value(
    name: str,
    title: str,
    apart: Callable[[Pair], Apart],
    *aliases: str,
    most: float = 1.0,
    numeric_only: bool = False,
) -> Statistic:
    return Statistic(name, title, apart, "value", 0.1, numeric_only, most, aliases)


def _by_p(
    name: str,
    title: str,
    apart: Callable[[Pair], Apart],
    *aliases: str,
    numeric_only: bool = False,
) -> Statistic:
    return Statistic(name, title, apart, "p_value", 0.01, numeric_only, 1.0, aliases)


_INFINITE = float("inf")
STATISTICS: dict[str, Statistic] = {
    each.name: each
    for each in (
        _by_value(
            "jensen_shannon", "Jensen–Shannon distance", distances.jensen_shannon,
            "jensenshannon", "js", "js_distance",
        ),
        _by_value(
            "psi", "Stability index (PSI)", distances.population_stability_index,
            "population_stability_index", most=_INFINITE,
        ),
        _by_value("hellinger", "Hellinger distance", distances.hellinger, "hellinger_distance"),
        _by_value(
            "total_variation", "Total variation", distances.total_variation,
            "tvd", "total_variation_distance",
        ),
        _by_value(
            "l_infinity", "Largest change of a bin", distances.l_infinity,
            "linfinity", "l_inf", "chebyshev",
        ),
        _by_value(
            "kullback_leibler", "Kullback–Leibler divergence", distances.kullback_leibler,
            "kl_div", "kl", "kl_divergence", most=_INFINITE,
        ),
        _by_value(
            "kolmogorov_smirnov", "Kolmogorov–Smirnov gap", distances.kolmogorov_smirnov,
            "ks_distance", numeric_only=True,
        ),
        _by_value(
            "wasserstein", "Wasserstein distance, in standard deviations", distances.wasserstein,
            "wasserstein_distance", "normed_wasserstein", "earth_mover",
            most=_INFINITE, numeric_only=True,
        ),
        _by_p("g_test", "G test", homogeneity.g_test, "g"),
        _by_p(
            "chi_square", "Chi-square test", homogeneity.chi_square,
            "chisquare", "chi2", "chi_squared",
        ),
        _by_p(
            "ks_test", "Kolmogorov–Smirnov test", homogeneity.ks_test, "ks", numeric_only=True,
        ),
        _by_p("z_test", "z test of two shares", homogeneity.z_test, "z", "proportions_ztest"),
    )
}  # fmt: skip
_BY_ALIAS = {alias: each for each in STATISTICS.values() for alias in (each.name, *each.aliases)}


def statistic(name: str) -> Statistic:
    """The statistic of a name or alias, however its letters and hyphens are written.

    Raises: InvalidInputError that lists those that there are.

    >>> statistic("TVD").name, statistic("kolmogorov-smirnov").name
    ('total_variation', 'kolmogorov_smirnov')
    """
    found = _BY_ALIAS.get(name.lower().replace("-", "_").replace(" ", "_"))
    if found is None:
        raise InvalidInputError(
            f"there is no drift method {name!r}; {did_you_mean(name, _BY_ALIAS)}there are "
            f"{', '.join(STATISTICS)}"
        )
    return found
