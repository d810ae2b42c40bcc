"""Screens: the main one, and the modals above it."""
