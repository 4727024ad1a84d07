"""Which version serves: stage, verify, prove, swap, drain, remember; what fails replaces nothing."""

from edge.rollout.changes import SERVES, Change, Refusal, Update, change_json, pulled_json, refusal_json, update_json
from edge.rollout.choice import Wish
from edge.rollout.rollout import Rollout
from edge.rollout.service import Service
from edge.rollout.staging import Staged, Staging
from edge.rollout.trial import NoProbation, NoTrial, Probation, Trial, Verdict
from edge.rollout.watch import Watch

__all__ = [
    "SERVES",
    "Change",
    "NoProbation",
    "NoTrial",
    "Probation",
    "Refusal",
    "Rollout",
    "Service",
    "Staged",
    "Staging",
    "Trial",
    "Update",
    "Verdict",
    "Watch",
    "Wish",
    "change_json",
    "pulled_json",
    "refusal_json",
    "update_json",
]
