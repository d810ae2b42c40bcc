"""The pure machine: the whole behaviour of the engine, with no I/O and no clock."""

from engine.machine.machine import Machine

__all__ = ["Machine"]
