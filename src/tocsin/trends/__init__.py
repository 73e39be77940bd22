"""How a series goes over time: whether it changed, since when, and where it is going."""

from tocsin.trends.detector import Detection, Pace, alarm_level, detection
from tocsin.trends.forecast import Forecast, forecast
from tocsin.trends.season import Season, season_of
from tocsin.trends.trend import Trend

__all__ = [
    "Detection",
    "Forecast",
    "Pace",
    "Season",
    "Trend",
    "alarm_level",
    "detection",
    "forecast",
    "season_of",
]
