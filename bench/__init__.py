"""Measurements of scribetui against faster-whisper's own batched pipeline: ``python -m bench``."""
