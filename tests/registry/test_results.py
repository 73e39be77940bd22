"""Names as MLflow takes them."""

from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name

from tocsin.registry.results import plain_name

NAMES = st.text(max_size=300) | st.text("a/.\\", max_size=8)


@given(NAMES)
@example("a//b")
@example("a/")
@example("..")
@example("x" * 300)
def test_mlflow_takes_every_plain_name(name: str) -> None:
    _validate_metric_name(f"24h/js_distance/{plain_name(name)}")


@given(st.lists(NAMES, unique=True, max_size=20))
@example(["a/", "a/_", "a//", "a@b", "a:b", "a_b"])
@example(["x" * 300, "x" * 301])
def test_names_that_differ_stay_different(names: list[str]) -> None:
    assert len({plain_name(name) for name in names}) == len(names)


def test_usual_names_stay_as_they_are() -> None:
    for name in ("age", "Days since", "recall_score:0.3", "a/b", "p-1.5"):
        assert plain_name(name) == name
