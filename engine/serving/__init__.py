"""Both ends of the host's socket, and what lies between."""
