"""Watching folders, so that new recordings are queued by themselves."""
