"""A version is loaded and proven in a process of its own first: what crashes, hangs or lies there harms nothing."""

from edge.rehearsal.rehearsal import Rehearsal
from edge.rehearsal.task import Task

__all__ = ["Rehearsal", "Task"]
