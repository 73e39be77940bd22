"""The documents of receivers, as pydantic reads them: several channels, secrets by their places."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


_Name = Annotated[str, Field(min_length=1)]
_Mailbox = Annotated[str, Field(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$", max_length=254)]
_Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_File = Annotated[str, Field(pattern=r"^/[^\x00]+$", max_length=4_000)]
_Address = Annotated[str, Field(pattern=r"^https?://[^\s]+$")]


def _said(document: BaseModel, secret: str) -> int:
    """By how many of the two ways a document says where a secret is."""
    places = (getattr(document, f"{secret}_env"), getattr(document, f"{secret}_file"))
    return sum(place is not None for place in places)


def _at_most_once(document: BaseModel, secret: str) -> None:
    if _said(document, secret) > 1:
        raise ValueError(f"write one of `{secret}_env` and `{secret}_file`, not both")


def _required(document: BaseModel, secret: str) -> None:
    _at_most_once(document, secret)
    if not _said(document, secret):
        raise ValueError(f"`{secret}_env` or `{secret}_file` is required")


class WebhookDocument(_Strict):
    """Where notifications are posted."""

    url: _Address
    secret_env: str | None = None
    secret_file: _File | None = None

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        _at_most_once(self, "secret")
        return self


class SlackDocument(_Strict):
    """A channel by a bot, or by an incoming webhook; secrets by where they are.

    channel: such as C0123. api_url: of another Slack, such as that of governments.
    """

    webhook_url_env: _Variable | None = None
    webhook_url_file: _File | None = None
    token_env: _Variable | None = None
    token_file: _File | None = None
    channel: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,30}$")] | None = None
    api_url: _Address | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        _at_most_once(self, "webhook_url")
        _at_most_once(self, "token")
        if _said(self, "webhook_url") == _said(self, "token"):
            raise ValueError(
                "either `webhook_url_env`, or `token_env` and `channel`, is required; `_file` may "
                "stand for `_env`"
            )
        if bool(_said(self, "token")) != (self.channel is not None):
            raise ValueError("`token_env` and `channel` go together")
        return self


class AlertmanagerDocument(_Strict):
    """An Alertmanager of Prometheus. token: of a proxy before it."""

    url: _Address
    token_env: _Variable | None = None
    token_file: _File | None = None

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        _at_most_once(self, "token")
        return self


class AppriseDocument(_Strict):
    """Services that Apprise knows: what holds their addresses."""

    urls_env: _Variable | None = None
    urls_file: _File | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        _required(self, "urls")
        return self


class HookDocument(_Strict):
    """A chat whose address is a secret: what holds it."""

    webhook_url_env: _Variable | None = None
    webhook_url_file: _File | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        _required(self, "webhook_url")
        return self


class PagerDutyDocument(_Strict):
    """A service of PagerDuty. url: of another region."""

    routing_key_env: _Variable | None = None
    routing_key_file: _File | None = None
    url: _Address | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        _required(self, "routing_key")
        return self


class EmailDocument(_Strict):
    """Recipients, and the relay that takes their mail; that of the server where none is named.

    port: what is usual for the security, which is starttls.
    """

    to: list[_Mailbox] = Field(min_length=1, max_length=100)
    sender: Annotated[_Mailbox | None, Field(alias="from")] = None
    host: _Name | None = None
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    security: Literal["starttls", "tls", "none"] | None = None
    username: _Name | None = None
    password_env: _Variable | None = None
    password_file: _File | None = None

    @model_validator(mode="after")
    def _of_one_relay(self) -> Self:
        _at_most_once(self, "password")
        if self.host is None:
            for name in ("port", "security", "username", "password_env", "password_file"):
                if getattr(self, name) is not None:
                    raise ValueError(f"`{name}` goes with the `host` of a relay; name that too")
        if (self.username is None) == bool(_said(self, "password")):
            raise ValueError("`username` and `password_env` go together")
        if self.username is not None and self.security == "none":
            raise ValueError("a password is not sent unencrypted: choose starttls or tls")
        return self


def _one_is_a_list(value: object) -> object:
    return [value] if isinstance(value, Mapping) else value


# Of lists, one of which may stand alone.
_FEW = Field(default=None, min_length=1, max_length=20)


class ReceiverDocument(_Strict):
    """A receiver of notifications: one channel or several, each told by itself.

    fallback: another receiver, which is told of critical alerts that this one does not take.
    """

    webhook: Annotated[list[WebhookDocument] | None, BeforeValidator(_one_is_a_list)] = _FEW
    slack: Annotated[list[SlackDocument] | None, BeforeValidator(_one_is_a_list)] = _FEW
    teams: Annotated[list[HookDocument] | None, BeforeValidator(_one_is_a_list)] = _FEW
    pagerduty: Annotated[list[PagerDutyDocument] | None, BeforeValidator(_one_is_a_list)] = _FEW
    email: Annotated[list[EmailDocument] | None, BeforeValidator(_one_is_a_list)] = _FEW
    alertmanager: Annotated[list[AlertmanagerDocument] | None, BeforeValidator(_one_is_a_list)] = (
        _FEW
    )
    apprise: Annotated[list[AppriseDocument] | None, BeforeValidator(_one_is_a_list)] = _FEW
    fallback: _Name | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.channels:
            raise ValueError(f"a channel is required: one or more of {', '.join(CHANNELS)}")
        return self

    @property
    def channels(self) -> list[tuple[str, BaseModel]]:
        """Each channel with its options."""
        return [(kind, options) for kind in CHANNELS for options in getattr(self, kind) or ()]


CHANNELS = tuple(name for name in ReceiverDocument.model_fields if name != "fallback")
