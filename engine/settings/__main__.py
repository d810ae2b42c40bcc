"""Prints the commented default settings: ``python -m engine.settings > settings.toml``."""

import sys

from engine.settings.file import default_text

sys.stdout.write(default_text())
