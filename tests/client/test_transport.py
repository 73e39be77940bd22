from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.client._transport import (
    Accepted,
    Refused,
    TryAgain,
    answer,
    backoff_s,
    post,
    retry_after_s,
)

NOW = datetime(2013, 1, 1, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize("status", [200, 202])
def test_a_success_says_how_many_rows_were_quarantined_and_why(status: int) -> None:
    content = {"accepted": 3, "quarantined": 2, "reasons": ["distance is text"]}
    assert answer(httpx2.Response(status, json=content), NOW) == Accepted(2, ("distance is text",))


@pytest.mark.parametrize("status", [400, 401, 404, 409, 413, 422, 302])
def test_what_the_client_did_wrong_is_not_tried_again(status: int) -> None:
    response = httpx2.Response(status, json={"error": {"message": "no such model"}})
    assert answer(response, NOW) == Refused(f"{status}: no such model")


@pytest.mark.parametrize(
    "status",
    [408, 425, 429, 502, 503, 504, 505, 507, 508, 511, 520, 521, 522, 524, 525, 529, 530, 599],
)
def test_what_may_pass_is_tried_again(status: int) -> None:
    response = httpx2.Response(status, json={"error": {"message": "busy"}})
    assert answer(response, NOW) == TryAgain(f"{status}: busy")


@pytest.mark.parametrize("status", [500, 501])
def test_a_fault_of_the_server_is_tried_again_and_told_from_an_outage(status: int) -> None:
    response = httpx2.Response(status, json={"error": {"message": "oops"}})
    assert answer(response, NOW) == TryAgain(f"{status}: oops", fault=True)


def test_retry_after_is_passed_on() -> None:
    response = httpx2.Response(503, headers={"Retry-After": "7"})
    assert answer(response, NOW) == TryAgain("503: Service Unavailable", after_s=7.0)


@pytest.mark.parametrize("content", [b"<html>welcome</html>", b"", b"[]", b'{"ok": true}'])
def test_a_success_of_some_other_server_acknowledges_nothing(content: bytes) -> None:
    verdict = answer(httpx2.Response(200, content=content), NOW)
    assert isinstance(verdict, Refused)
    assert "not one of Tocsin's" in verdict.reason


@pytest.mark.parametrize(
    "error",
    [
        httpx2.ConnectError("refused"),
        httpx2.ConnectTimeout("slow"),
        httpx2.ReadTimeout("slow"),
        httpx2.RemoteProtocolError("closed"),
        OSError("no file descriptors"),
    ],
)
def test_a_request_that_got_no_answer_is_tried_again(error: Exception) -> None:
    def fail(_: httpx2.Request) -> httpx2.Response:
        raise error

    with httpx2.Client(transport=httpx2.MockTransport(fail)) as http:
        verdict = post(http, "http://tocsin.test", b"[]", {})
    assert verdict == TryAgain(f"{type(error).__name__}: {error}")


@given(st.integers(0, 3600))
def test_retry_after_means_the_same_as_seconds_and_as_a_date(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after_s(str(seconds), NOW) == retry_after_s(date, NOW) == seconds


@given(st.text(alphabet="0123456789", min_size=1, max_size=400))
def test_retry_after_is_never_more_than_an_hour(digits: str) -> None:
    seconds = retry_after_s(digits, NOW)
    assert seconds is not None
    assert 0 <= seconds <= 3600


@given(st.text(max_size=40))
@example("Tue, 99999999999999999999 Jan 2013 00:00:00 GMT")
def test_no_retry_after_header_can_raise(header: str) -> None:
    seconds = retry_after_s(header, NOW)
    assert seconds is None or 0 <= seconds <= 3600


def test_a_date_in_the_past_means_now() -> None:
    assert retry_after_s(format_datetime(NOW - timedelta(days=1), usegmt=True), NOW) == 0.0


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_backoff_lies_between_nothing_and_its_doubling_limit(attempt: int, draw: float) -> None:
    assert 0 <= backoff_s(attempt, draw) <= min(30.0, 0.2 * 2 ** min(attempt, 20))


@given(st.integers(0, 100))
def test_the_longest_backoff_never_shrinks(attempt: int) -> None:
    assert backoff_s(attempt, 1.0) <= backoff_s(attempt + 1, 1.0)
