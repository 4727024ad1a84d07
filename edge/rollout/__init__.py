"""Which version serves: stage, verify, prove, swap, drain, remember; what fails replaces nothing."""

from edge.rollout.rollout import Change, Rollout
from edge.rollout.watch import Watch

__all__ = ["Change", "Rollout", "Watch"]
