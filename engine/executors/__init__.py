"""What starts and ends workers; subprocesses here, and one interface for anything else."""
