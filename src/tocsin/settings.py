"""Everything that is set from outside, read once; nothing else reads the environment."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from tocsin.errors import InvalidInputError, StartupError
from tocsin.values import SECOND, Relay, parse_duration

# What the libraries that read and write an object store call their endpoint and credentials.
_STORES = ("AWS_", "GOOGLE_", "AZURE_")
_SEAL_ROWS = 50_000
# Where Docker and Kubernetes put them.
_SECRETS = Path("/run/secrets")
_SMTP = ("host", "port", "from", "security", "username", "password", "password_file")


@dataclass(frozen=True)
class Settings:
    """How one Tocsin server runs.

    data: the folder of the records. url: how people reach the server, for links in messages.
    allowed_hosts: further names, `NAME` or `NAME:PORT`, by which browsers reach it.
    tracking_uri: the MLflow server, None for MLflow's own default. lake: the folder or the address
    of the lake, None for `lake` in the folder of the data; lake_options: its credentials.
    seal_rows, seal_age: rows go from the inbox to the lake when there are so many, or when the
    first of them has waited so many microseconds. inbox_bytes: how much may wait for that before
    requests are refused for a while. revise_after: microseconds that the numbers of a closed window
    stand at least before late truth may change them; 0 for no limit. hash_key: of the hashes of
    personal data; None for one that is made and kept in the data folder. registry_every: how often
    to look where the registry's aliases are, microseconds. publish: whether results go back to
    MLflow. webhook_secret: of MLflow's webhooks;
    None to take none. allow_networks: where notifications may go beside the open internet.
    config: files of monitors, or folders of such, that the server follows.
    heartbeat_url: what is asked for each minute while all is alive; None for nothing. mail: the
    relay of receivers that name none. secrets: the folders in which receivers may name files.
    """

    data: Path
    host: str
    port: int
    url: str
    tracking_uri: str | None
    inbox_bytes: int = 4 * 2**30
    hash_key: bytes | None = field(default=None, repr=False)
    revise_after: int = 0
    lake: str | None = None
    lake_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    seal_rows: int = _SEAL_ROWS
    seal_age: int = 0
    registry_every: int = 10 * SECOND
    publish: bool = True
    allowed_hosts: tuple[str, ...] = ()
    webhook_secret: bytes | None = field(default=None, repr=False)
    allow_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    config: tuple[Path, ...] = ()
    heartbeat_url: str | None = field(default=None, repr=False)
    mail: Relay = field(default_factory=Relay)
    secrets: tuple[Path, ...] = (_SECRETS,)


def settings(
    environment: Mapping[str, str] = os.environ,
    *,
    data: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    tracking_uri: str | None = None,
    lake: str | None = None,
    allowed_hosts: str | None = None,
    config: Sequence[Path] = (),
) -> Settings:
    """Settings from arguments, else from `TOCSIN_*` variables, else the defaults.

    Raises: StartupError when a variable cannot be read.
    """
    host = host or environment.get("TOCSIN_HOST", "127.0.0.1")
    port = port if port is not None else _port(environment.get("TOCSIN_PORT", "8765"))
    return Settings(
        data=data or Path(environment.get("TOCSIN_DATA", "tocsin-data")),
        host=host,
        port=port,
        url=environment.get("TOCSIN_URL", f"http://{host}:{port}").rstrip("/"),
        tracking_uri=tracking_uri or environment.get("MLFLOW_TRACKING_URI"),
        inbox_bytes=_megabytes("TOCSIN_INBOX_MB", environment.get("TOCSIN_INBOX_MB", "4096")),
        revise_after=_age("TOCSIN_REVISE_AFTER", environment.get("TOCSIN_REVISE_AFTER", "5s")),
        hash_key=environment["TOCSIN_HASH_KEY"].encode()
        if "TOCSIN_HASH_KEY" in environment
        else None,
        lake=lake or environment.get("TOCSIN_LAKE"),
        lake_options={k: v for k, v in environment.items() if k.startswith(_STORES)},
        seal_rows=_rows(environment.get("TOCSIN_SEAL_ROWS", str(_SEAL_ROWS))),
        seal_age=_age("TOCSIN_SEAL_AGE", environment.get("TOCSIN_SEAL_AGE", "1s")),
        registry_every=_pause(
            "TOCSIN_REGISTRY_EVERY", environment.get("TOCSIN_REGISTRY_EVERY", "10s")
        ),
        publish=_yes("TOCSIN_PUBLISH", environment.get("TOCSIN_PUBLISH", "yes")),
        allowed_hosts=_hosts(allowed_hosts or environment.get("TOCSIN_ALLOWED_HOSTS", "")),
        webhook_secret=_secret(environment, "TOCSIN_MLFLOW_WEBHOOK_SECRET"),
        allow_networks=_networks(environment.get("TOCSIN_ALLOW_NETWORKS", "")),
        config=tuple(config) or _paths(environment.get("TOCSIN_CONFIG", "")),
        heartbeat_url=_address(environment, "TOCSIN_HEARTBEAT_URL"),
        mail=_mail(environment),
        secrets=_paths(environment.get("TOCSIN_SECRETS", str(_SECRETS))),
    )


@dataclass(frozen=True)
class CaptureSettings:
    """Where an unmodified MLflow server is to send its predictions.

    model: what Tocsin calls the model; None for its registered name.
    """

    url: str
    model: str | None


def capture(environment: Mapping[str, str] = os.environ) -> CaptureSettings | None:
    """What `TOCSIN_CAPTURE` and `TOCSIN_CAPTURE_MODEL` say; None without the former."""
    url = environment.get("TOCSIN_CAPTURE")
    return None if not url else CaptureSettings(url, environment.get("TOCSIN_CAPTURE_MODEL"))


def secret(name: str) -> str | None:
    """The secret in a variable of the environment."""
    return os.environ.get(name)


def _secret(environment: Mapping[str, str], name: str) -> bytes | None:
    """A secret in a variable, or in the file that the variable `..._FILE` names."""
    file = environment.get(f"{name}_FILE")
    try:
        text = environment.get(name) if file is None else Path(file).read_text()
    except OSError as error:
        raise StartupError(f"{name}_FILE cannot be read: {error}") from error
    if text is None:
        return None
    if not text.strip():
        raise StartupError(f"{name} is empty; leave it out, or set it to a secret")
    return text.strip().encode()


def _address(environment: Mapping[str, str], name: str) -> str | None:
    """An address that may be a secret."""
    found = _secret(environment, name)
    address = None if found is None else found.decode()
    if address is not None and not address.startswith(("http://", "https://")):
        raise StartupError(f"{name} is no address that begins with http:// or https://")
    return address


def _mail(environment: Mapping[str, str]) -> Relay:
    """The relay of `TOCSIN_SMTP_*`; its password may change while the server runs, in its file."""
    said = {name: environment.get(f"TOCSIN_SMTP_{name.upper()}") or None for name in _SMTP}
    file = said["password_file"]
    if said["security"] not in (None, "starttls", "tls", "none"):
        raise StartupError(
            f"TOCSIN_SMTP_SECURITY is {said['security']!r}; it has to be starttls, tls or none"
        )
    if (said["username"] is None) != (said["password"] is None and file is None):
        raise StartupError("TOCSIN_SMTP_USERNAME goes with TOCSIN_SMTP_PASSWORD or its _FILE")
    if said["username"] is not None and said["security"] == "none":
        raise StartupError("TOCSIN_SMTP_SECURITY is none, but a password is not sent unencrypted")
    return Relay(
        host=said["host"],
        sender=said["from"],
        port=None if said["port"] is None else _port(said["port"], "TOCSIN_SMTP_PORT"),
        security=said["security"] or "starttls",
        username=said["username"],
        password=said["password"],
        password_file=None if file is None else Path(file),
    )


def _hosts(text: str) -> tuple[str, ...]:
    """Names with commas between, as in browsers' addresses: in small letters."""
    return tuple(host.strip().lower() for host in text.split(",") if host.strip())


def _paths(text: str) -> tuple[Path, ...]:
    """Files or folders, with between them what the system has between paths."""
    return tuple(Path(part) for part in text.split(os.pathsep) if part.strip())


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks with commas between."""
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise StartupError(
            f"TOCSIN_ALLOW_NETWORKS: {error}; write networks such as 10.1.0.0/16,127.0.0.1/32"
        ) from error


def _yes(name: str, text: str) -> bool:
    if text not in ("yes", "no"):
        raise StartupError(f"{name} is {text!r}; it has to be yes or no")
    return text == "yes"


def _pause(name: str, text: str) -> int:
    pause = _age(name, text)
    if pause == 0:
        raise StartupError(f"{name} is {text!r}; leave at least 1s between two looks")
    return pause


def _megabytes(name: str, text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise StartupError(f"{name} is {text!r}; it has to be a number of megabytes such as 4096")
    return int(text) * 2**20


def _port(text: str, name: str = "TOCSIN_PORT") -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise StartupError(f"{name} is {text!r}; it has to be a port number such as 8765")
    return int(text)


def _rows(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise StartupError(f"TOCSIN_SEAL_ROWS is {text!r}; it has to be a number such as 50000")
    return int(text)


def _age(name: str, text: str) -> int:
    try:
        return parse_duration(text)
    except InvalidInputError as error:
        raise StartupError(f"{name}: {error}") from error
