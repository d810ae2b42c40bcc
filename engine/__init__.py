"""The scribetui engine: a dependable transcription queue, useful without any screen."""
