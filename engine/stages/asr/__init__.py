"""Speech recognition: one module a backend, each a stage that decodes windows."""
