"""The screens: they know the engine only through its API, its events and its view."""
