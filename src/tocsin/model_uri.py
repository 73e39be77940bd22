"""Addresses of registered models: `models:/name@alias` and `models:/name/version`."""

import re
from dataclasses import dataclass

from tocsin.errors import InvalidInputError


@dataclass(frozen=True)
class Address:
    """A registered model, and the alias or version of it; one of them is None."""

    name: str
    alias: str | None
    version: str | None

    @property
    def spoken(self) -> str:
        """As people write it."""
        return f"models:/{self.name}" + (f"@{self.alias}" if self.alias else f"/{self.version}")


def parse_address(uri: str) -> Address:
    """What an address means.

    Raises: InvalidInputError for any other text.

    >>> parse_address("models:/churn@champion")
    Address(name='churn', alias='champion', version=None)
    """
    match = re.fullmatch(r"models:/([^/@]+)(?:@([^/@]+)|/(\d+))", uri)
    if match is None:
        raise InvalidInputError(
            f"{uri!r} is not a registered model; write models:/name@alias or models:/name/version"
        )
    return Address(*match.groups())
