"""Speech models: which there are, where they lie on this machine, and how one is fetched."""

from engine.models.catalog import (
    ALIASES,
    ALIGN,
    BACKENDS,
    FASTER_WHISPER,
    MLX,
    REPOSITORIES,
    WHISPERX,
    is_english_only,
    is_on_hub,
    is_pipeline,
    plain,
    quantised,
    repositories,
)
from engine.models.finding import Model, ModelMissing, available, find, is_at_hand, locate, names_at_hand, require
from engine.models.places import cache_folder, own_folder

__all__ = [
    "ALIASES",
    "ALIGN",
    "BACKENDS",
    "FASTER_WHISPER",
    "MLX",
    "REPOSITORIES",
    "WHISPERX",
    "Model",
    "ModelMissing",
    "available",
    "cache_folder",
    "find",
    "is_at_hand",
    "is_english_only",
    "is_on_hub",
    "is_pipeline",
    "locate",
    "names_at_hand",
    "own_folder",
    "plain",
    "quantised",
    "repositories",
    "require",
]
