"""How much a receiver is sent: bounded by its rate, and next to nothing while it is broken."""

from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import DeliveryError
from tocsin.service.gates import FAILURES, RATES, Gates
from tocsin.values import MINUTE, SECOND

SLACK = [("chat", "slack")]
FAILED = DeliveryError("no", permanent=False)


def passes(gates: Gates, now: int, error: DeliveryError | None = None) -> bool:
    if gates.shut(SLACK, now):
        return False
    gates.enter("chat", "slack", now)
    gates.leave("chat", error, now)
    return True


@given(st.lists(st.integers(0, 3 * SECOND), max_size=80))
def test_no_stretch_of_time_sees_more_messages_than_the_rate_and_the_burst(
    pauses: list[int],
) -> None:
    gates, now, sent = Gates(), 0, []
    for pause in pauses:
        now += pause
        if passes(gates, now):
            sent.append(now)
    rate = RATES["slack"]
    for i, first in enumerate(sent):
        for j, last in enumerate(sent[i:], start=1):
            assert j <= rate.burst + rate.per_s * (last - first) / SECOND + 1e-6


def test_a_burst_is_followed_by_one_message_a_second() -> None:
    gates = Gates()
    assert sum(passes(gates, 0) for _ in range(20)) == RATES["slack"].burst
    assert not passes(gates, SECOND // 2)
    assert passes(gates, SECOND)
    assert not passes(gates, SECOND)


def test_five_failures_open_the_circuit_and_each_further_one_doubles_the_pause() -> None:
    gates, now, pauses = Gates(), 0, []
    for _ in range(FAILURES):
        assert passes(gates, now, FAILED)
        now += SECOND
    since = now - SECOND
    for _ in range(7):
        while not passes(gates, now, FAILED):
            now += SECOND
        pauses.append((now - since) // SECOND)
        since = now
    assert pauses == [30, 60, 120, 240, 480, 600, 600]


def test_one_message_that_is_taken_closes_the_circuit() -> None:
    gates = Gates()
    for second in range(FAILURES):
        passes(gates, second * SECOND, FAILED)
    assert gates.is_broken("chat")
    assert passes(gates, MINUTE)
    assert not gates.is_broken("chat")
    assert passes(gates, MINUTE + SECOND)


def test_what_is_wrong_with_a_message_is_not_held_against_its_receiver() -> None:
    gates = Gates()
    for second in range(3 * FAILURES):
        assert passes(gates, second * SECOND, DeliveryError("bad", permanent=True))


def test_a_receiver_that_asks_for_a_pause_gets_it() -> None:
    gates = Gates()
    assert passes(gates, 0, DeliveryError("slow down", permanent=False, retry_after_s=7))
    assert not passes(gates, 7 * SECOND - 1)
    assert passes(gates, 7 * SECOND)


def test_one_message_at_a_time_goes_through_a_gate() -> None:
    gates = Gates()
    gates.enter("chat", "slack", 0)
    assert gates.shut([*SLACK, ("other", "slack")], 0) == {"chat"}
    gates.leave("chat", None, 0)
    assert gates.shut(SLACK, 0) == set()
