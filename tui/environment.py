"""What has to be set before Textual is imported, which reads its environment only then."""

import os
from collections.abc import Mapping, MutableMapping


def prepare_environment(environment: MutableMapping[str, str] = os.environ) -> None:
    """Spare a slow link: over SSH no animation and no smooth scrolling, unless the user asked for them.

    Call it before anything imports Textual.
    """
    if environment.get("SSH_CONNECTION"):
        environment.setdefault("TEXTUAL_ANIMATIONS", "none")
        environment.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")


def is_utf8(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal takes UTF-8 by its locale; so, too, where none is set."""
    locale = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "utf-8")
    return "utf8" in locale.lower().replace("-", "")
