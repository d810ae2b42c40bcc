"""Telling the user, by a command of their own, that a job has ended or needs them."""
