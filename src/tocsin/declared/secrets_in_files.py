"""Secrets that somebody wrote into a file, where everybody who reads the file reads them too."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from tocsin.declared.fault import Path
from tocsin.declared.strict_yaml import Node

# What addresses and keys that are secrets begin with, and what they are.
_SHAPES = (
    (re.compile(r"https://hooks\.slack(-gov)?\.com/"), "the address of a Slack webhook"),
    (re.compile(r"https://[^/]*\.webhook\.office\.com/"), "the address of a Teams webhook"),
    (re.compile(r"https://[^/]*\.(logic\.azure|powerplatform)\.com\S*/"), "a Teams workflow"),
    (re.compile(r"https://(discord|discordapp)\.com/api/webhooks/"), "a Discord webhook"),
    (re.compile(r"xox[abeprs]-[0-9A-Za-z-]{8,}"), "a Slack token"),
    (re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"), "an AWS key"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"), "a private key"),
    (re.compile(r"\bwhsec_[0-9A-Za-z+/=]{8,}"), "the secret of a webhook"),
    (re.compile(r"\bgh[oprsu]_[0-9A-Za-z]{20,}"), "a GitHub token"),
)
# Fields that hold a secret by their name; with `_env` or `_file` they say where it is.
_NAMES = ("password", "passwd", "token", "bot_token", "secret", "routing_key", "integration_key",
          "api_key", "access_key", "secret_key", "private_key", "webhook_url")  # fmt: skip


def secrets(node: Node) -> Iterator[tuple[Path, str]]:
    """Where secrets stand, and what to do; the secrets themselves are not repeated."""
    for path, scalar in node.scalars():
        key = next((part for part in reversed(path) if isinstance(part, str)), "")
        text = scalar.text
        if key in _NAMES and text and path[:1] == ("receivers",):
            yield path, f"a secret does not belong into a file; {_remedy(key)}"
            continue
        if key.endswith("_env") and _is_no_name(text):
            yield path, f"this looks like the secret itself; {_remedy(key)}"
            continue
        kind = next((what for shape, what in _SHAPES if shape.search(text)), None)
        if kind is not None:
            yield path, f"this is {kind}, which does not belong into a file; {_remedy(key)}"
        elif _has_password(text):
            yield path, f"this address has a password in it; {_remedy(key)}"


def _is_no_name(text: str) -> bool:
    """Whether something that could be the name of a variable is more like a key: long and mixed."""
    digits = sum(letter.isdecimal() for letter in text)
    return len(text) >= 16 and digits >= 4 and text.isalnum()


def _has_password(text: str) -> bool:
    if "://" not in text:
        return False
    try:
        return urlsplit(text).password is not None
    except ValueError:
        return False


def _remedy(key: str) -> str:
    if key.endswith("_env"):
        return f"write the name of the variable that holds it as `{key}`"
    if key.endswith("_file"):
        return f"write the path of the file that holds it as `{key}`"
    variable = "put it into a variable of the server's environment and name that"
    if key in _NAMES:
        return f"{variable} with `{key}_env`, or into a file that `{key}_file` names"
    return f"{variable} in the field that ends in _env, or into a file and name that with _file"
