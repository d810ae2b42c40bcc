"""What goes wrong with downloads: whether another try may help, and what is said of it."""

import json
import os
import urllib.parse
from collections.abc import Mapping

from engine.models.finding import names_at_hand, setting_of
from engine.redact import redacted

HUB = "https://huggingface.co"


class Damaged(Exception):
    """What has arrived is not what the hub has."""


def endpoint(environment: Mapping[str, str] = os.environ) -> str:
    """The hub's address."""
    return environment.get("HF_ENDPOINT", HUB).rstrip("/")


def may_pass(error: Exception) -> bool:
    """Whether another try may help: the connection broke, or the hub has a fault of its own."""
    if type(error).__name__ == "LocalEntryNotFoundError":
        return False  # the client has tried for a while already
    if (status := getattr(getattr(error, "response", None), "status_code", None)) is not None:
        return bool(status in (408, 429) or status >= 500)
    names = {kind.__name__ for kind in type(error).__mro__}
    broken = {"ChunkedEncodingError", "ConnectionError", "Timeout", "ProtocolError", "TransportError"}
    return bool(names & broken) or "Consistency check failed" in str(error)


def sentence(model: str, repository: str, backend: str, error: BaseException, environment: Mapping[str, str]) -> str:
    """What is wrong, and the way out."""
    if type(error).__name__ == "LocalEntryNotFoundError" and error.__cause__ is not None:
        error = error.__cause__  # the client's own sentence names a network even where the hub has a fault
    named, hub = json.dumps(model), endpoint(environment)
    kind, status = type(error).__name__, getattr(getattr(error, "response", None), "status_code", None)
    instead = (
        f"or set {setting_of(backend)} to one at hand ({names_at_hand(backend, environment)}) or to a model's folder."
    )
    if kind == "GatedRepoError":
        return (
            f"The model {named} is open only to those who agree to its terms at {hub}/{repository} and set HF_TOKEN; "
            f"do so, {instead}"
        )
    if status in (401, 403, 404):
        return (
            f"The hub shows no model {named} (it answered {status}): its name is wrong, or it is closed, and then "
            f"HF_TOKEN has to hold a token that may read it; correct that, {instead}"
        )
    if isinstance(error, Damaged):
        return f"The model {named} arrived damaged twice ({error} is not what the hub has); try again later, {instead}"
    if status is not None:
        return f"The hub cannot hand out the model {named} (it answered {status}); try again later, {instead}"
    host = urllib.parse.urlsplit(hub).hostname
    if isinstance(error, OSError):
        reason = redacted(" ".join((error.strerror or kind).split()), environment)
        return (
            f"The model {named} is not on this machine and {host} cannot be reached ({reason}); go online and try "
            f"again, which goes on where it stopped, {instead}"
        )
    return f"The model {named} could not be downloaded from {host} ({kind}); try again, {instead}"
