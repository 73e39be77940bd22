"""What a receiver document may say."""

import pytest

from tocsin.declared import parse_receiver
from tocsin.errors import InvalidInputError

URL = "https://hooks.example/x?a=1"


def test_a_webhook_keeps_its_address_and_the_name_of_its_secret() -> None:
    receiver = parse_receiver("ops", {"webhook": {"url": URL, "secret_env": "OPS_SECRET"}})
    assert (receiver.name, receiver.kind) == ("ops", "webhook")
    assert receiver.options == {"url": URL, "secret_env": "OPS_SECRET"}


def test_a_secret_is_not_needed() -> None:
    receiver = parse_receiver("ops", {"webhook": {"url": "http://localhost:9000/"}})
    assert receiver.options["secret_env"] is None


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, ["webhook", "required"]),
        (None, ["document"]),
        ({"pager": {"url": URL}}, ["pager", "not permitted"]),
        ({"webhook": {}}, ["webhook.url", "required"]),
        ({"webhook": {"url": "hooks.example"}}, ["webhook.url", "https?://"]),
        ({"webhook": {"url": "ftp://hooks.example"}}, ["webhook.url"]),
        ({"webhook": {"url": "https://hooks.example/a b"}}, ["webhook.url"]),
        ({"webhook": {"url": "https://"}}, ["webhook.url"]),
        ({"webhook": {"url": URL, "secret": "x"}}, ["webhook.secret", "not permitted"]),
    ],
)
def test_a_faulty_receiver_is_refused_with_its_place(document: object, words: list[str]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_receiver("ops", document)
    assert all(word in str(refused.value) for word in ["'ops'", *words]), str(refused.value)
