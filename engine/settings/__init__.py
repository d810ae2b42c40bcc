"""The user's settings: ``settings.toml`` with its comments, as typed groups, and what follows from them for a job."""

from engine.settings.choosing import budget_bytes
from engine.settings.file import SettingsError, default_text, load, save
from engine.settings.groups import Settings
from engine.settings.resolve import environment, policy, resolve

__all__ = [
    "Settings",
    "SettingsError",
    "budget_bytes",
    "default_text",
    "environment",
    "load",
    "policy",
    "resolve",
    "save",
]
