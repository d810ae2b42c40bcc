"""The stages of a job; they run only inside workers."""
