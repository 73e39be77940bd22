"""Whatever the OpenAPI document allows, and what it does not, is answered as it says."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
import schemathesis.specs.openapi.checks as conformance
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from tests.servers import serving
from tests.world import Feed, monitor_document, prediction, reference

from tocsin.app import App, opened
from tocsin.settings import Settings

CHECKS = [
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_schema_conformance,
    conformance.response_headers_conformance,
]
# What exists, so that not every address is of nothing.
KNOWN = {"model": "late", "metric": "roc_auc", "attribute": "carrier"}
# A stream that a request does not see the end of.
ENDLESS = "/api/v1/events"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("openapi")
    nowhere = "http://127.0.0.1:9"
    with opened(Settings(folder, "127.0.0.1", 1, "http://tocsin.test", nowhere)) as app:
        app.register.add("late", monitor_document(protected=["carrier"]), reference(300))
        feed = Feed(app, "late")
        feed.hours(0, 30, rows=20)
        feed.predictions(prediction("bad", p=9))
        feed.work()
        with serving(app) as url:
            yield url


def operations(address: str) -> list[Any]:
    document = schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json")
    found = [result.ok() for result in document.get_all_operations()]
    return [operation for operation in found if operation.path != ENDLESS]


def check(operation: Any, mode: GenerationMode, *, examples: int) -> None:
    """Send an operation what it allows, or what it does not, and look at the answers."""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def answered(case: Any) -> None:
        for name, known in KNOWN.items():
            given_name = (case.path_parameters or {}).get(name)
            # The model that the others ask for stays.
            known_too = operation.method.upper() != "DELETE"
            if given_name is not None and len(str(given_name)) % 2 and known_too:
                case.path_parameters[name] = known
        answer = case.call(timeout=60)
        assert answer.status_code != 500, case.as_curl_command()
        # What is no HTTP at all does not get as far as the application.
        if answer.headers["content-type"] != ["text/plain; charset=utf-8"]:
            case.validate_response(answer, checks=CHECKS)

    answered()


def has_parameters(operation: Any) -> bool:
    """Whether there is something to get wrong; any text is the name of a model or receiver."""
    names = {parameter.name for parameter in operation.iter_parameters()}
    return bool(names - {"model", "name"}) or bool(operation.body)


@pytest.mark.parametrize(
    "examples", [6, pytest.param(300, marks=pytest.mark.soak)], ids=lambda n: f"{n} examples"
)
def test_every_operation_answers_as_the_document_says(
    address: str, subtests: pytest.Subtests, examples: int
) -> None:
    found = operations(address)
    assert len(found) > 15
    for operation in found:
        with subtests.test(operation.label):
            check(operation, GenerationMode.POSITIVE, examples=examples)
        if has_parameters(operation):
            with subtests.test(f"{operation.label}, wrongly"):
                check(operation, GenerationMode.NEGATIVE, examples=examples)
    assert httpx2.get(f"{address}/ready").json() == {"ready": True, "reasons": [], "trouble": []}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/incidents/{2**70}", 422),
        ("/incidents/0", 422),
        ("/models/late/drift?span=69206813457h", 200),
        ("/models/late/versions?span=1000000d", 200),
        ("/models/late/metrics/roc_auc?span=99999999999999999999d", 200),
        ("/models/late/metrics/roc_auc?as_of=0001-01-01T00:00:00Z", 200),
        ("/models/late/metrics/roc_auc?as_of=9999-12-31T23:59:59-14:00", 200),
        ("/models/late/metrics/roc_auc?as_of=2013-05-01T00:00:00", 422),
    ],
)
def test_numbers_that_no_database_holds_are_told(address: str, path: str, status: int) -> None:
    answer = httpx2.get(f"{address}/api/v1{path}")
    assert answer.status_code == status, answer.text


def test_the_document_says_how_rows_may_come(address: str) -> None:
    document = httpx2.get(f"{address}/api/v1/openapi.json").json()
    operation = document["paths"]["/api/v1/models/{model}/predictions"]["post"]

    assert "application/vnd.apache.parquet" in operation["requestBody"]["content"]
    assert {"202", "400", "413", "415", "503"} <= operation["responses"].keys()
    answer = httpx2.post(f"{address}/api/v1/models/late/predictions", json=[prediction("new")])
    assert answer.status_code == 202


def test_a_reference_that_is_damaged_is_told(app: App) -> None:
    from starlette.testclient import TestClient
    from tests.api.formats import parquet

    from tocsin.api.server import application

    damaged = bytearray(parquet(reference(200)))
    damaged[60:400] = b"\xff" * 340
    answer = TestClient(application(app)).put(
        "/api/v1/models/late",
        data={"monitor": "{}"},
        files={"reference": ("reference.parquet", bytes(damaged))},
    )
    assert answer.status_code == 422
    assert "the reference is not Parquet" in answer.json()["error"]["message"]
