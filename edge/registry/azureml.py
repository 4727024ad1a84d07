"""Models registered in Azure Machine Learning as registry: each look and each download is a process of its own.

What goes wrong there is told once and tried again later each time, or when Azure says so; until then nothing is asked.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from edge import errors
from edge.bundle import version_key
from edge.errors import EdgeError, ModelError, RegistryError, UnavailableError
from edge.ports import Candidate, Survey, Took
from edge.registry.inquiry import Azure, Failure, Inquiry, Progress
from edge.registry.patience import LONGEST_FOR_VERSION_S, Setback, plain, set_back
from edge.registry.process import AzureProcess, FailedError, InterruptedLookError

EVERYWHERE = frozenset({"signed-out", "denied", "throttled", "unreachable", "server"})
"""Kinds of failures that no other version would escape: see :mod:`edge.azureml.faults`."""
NONSENSE = "Azure cannot be asked: the process for it gave another answer than was asked for"


@dataclass(frozen=True, slots=True)
class Followed:
    """Which versions are followed, and where: all of ``name``, or those with a stage or a tag.

    ``cache`` is a folder for bundles that have to be made of what AutoML registered.
    """

    azure: Azure
    name: str
    cache: Path
    stage: str = ""
    tag: str = ""

    @property
    def place(self) -> str:
        """Where they are, for a person."""
        azure = self.azure
        return f"registry {azure.shared_registry}" if azure.shared_registry else f"workspace {azure.workspace}"

    @property
    def mark(self) -> str:
        """What marks them, for a person; empty where all are followed."""
        marks = [f"stage {self.stage}"] * bool(self.stage) + [f"tag {self.tag}"] * bool(self.tag)
        return " and ".join(marks)


@dataclass(slots=True)
class _Memory:
    """What is known: the last look, what went wrong with all of Azure, and with versions, by digest."""

    survey: Survey | None = None
    setback: Setback | None = None
    versions: dict[str, Setback] = field(default_factory=dict)


class AzureMlRegistry:
    """Finds registered bundles in a workspace or a shared registry; fulfils :class:`edge.ports.Registry`.

    ``moved`` is called at each sign of life of the process that is asked. ``clock`` gives monotonic seconds.
    """

    def __init__(
        self,
        followed: Followed,
        *,
        process: AzureProcess | None = None,
        moved: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._followed = followed
        self._process = process or AzureProcess()
        self._moved = moved
        self._clock = clock
        self._memory = _Memory()
        self._lock = threading.Lock()

    def survey(self, name: str | None = None, *, version: str | None = None, asked: bool = False) -> Survey:
        """Ask Azure, or raise at once what went wrong last while it is not time to ask again.

        A person who ``asked`` is not made to wait, but where Azure itself wants to be left alone. Raises RegistryError.
        """
        name = name or self._followed.name
        self._check_time(asked=asked)
        found = self._look(name, version)
        with self._lock:
            self._memory.setback = None
            if asked and version is not None:
                return found
            self._memory.survey = _of_versions(found)
            there = {candidate.digest for candidate in found.candidates}
            self._memory.versions = {d: one for d, one in self._memory.versions.items() if d in there}
        if not found.candidates and set(found.refused) <= {name}:
            nothing = found.refused.get(name, f"there is no version of {name}")
            raise RegistryError(f"{self._followed.place}: {nothing}")
        return found if asked else _of_interest(self._without_setbacks(found))

    def known(self, name: str | None = None) -> Survey:
        """Return what the last look found, also where there was none yet. Asks nobody."""
        with self._lock:
            survey = self._memory.survey or Survey((), {})
        ours = tuple(one for one in survey.candidates if name in (None, one.name))
        return self._without_setbacks(replace(survey, candidates=ours))

    def fetch(self, candidate: Candidate, into: Path, *, took: Took = lambda _took, _of: None) -> None:
        """Have a version's files written to the empty folder ``into``; ``took`` hears how far that is.

        Raises what the process found, as RegistryError where it is not about the bundle itself.
        """
        inquiry = self._inquiry("fetch", candidate.name)
        inquiry = replace(inquiry, version=candidate.version, digest=candidate.digest, into=str(into))

        def heard(progress: Progress) -> None:
            took(progress.took, progress.of)
            self._moved()

        try:
            answer = self._process(inquiry, heard=heard)
        except FailedError as error:
            raise self._not_fetched(candidate, error.failure) from error
        except InterruptedLookError:
            raise
        except RegistryError as error:
            raise self._not_fetched(candidate, Failure("RegistryError", "server", str(error))) from error
        if answer != "fetched":
            raise self._not_fetched(candidate, Failure("RegistryError", "server", NONSENSE))
        with self._lock:
            self._memory.versions.pop(candidate.digest, None)

    def interrupt(self) -> None:
        """End what is under way."""
        self._process.interrupt()

    def close(self) -> None:
        """End what is under way, and ask nothing any more."""
        self._process.close()

    def _check_time(self, *, asked: bool) -> None:
        with self._lock:
            setback = self._memory.setback
        if setback is not None and self._clock() < setback.until and (setback.by_azure or not asked):
            raise RegistryError(setback.reason)

    def _look(self, name: str, version: str | None) -> Survey:
        inquiry = self._inquiry("survey", name)
        if version is None:
            inquiry = replace(inquiry, stage=self._followed.stage, tag=self._followed.tag)
        else:
            inquiry = replace(inquiry, version=version)
        try:
            answer = self._process(inquiry, heard=lambda _: self._moved())
        except FailedError as error:
            raise self._set_back(str(error), error.failure.retry_after_s) from error
        except InterruptedLookError:
            raise
        except RegistryError as error:
            raise self._set_back(str(error)) from error
        if not isinstance(answer, Survey):
            raise self._set_back(NONSENSE)
        return replace(answer, exact=version is None and bool(self._followed.mark))

    def _inquiry(self, do: Literal["survey", "fetch"], name: str) -> Inquiry:
        return Inquiry(do, self._followed.azure, name, str(self._followed.cache))

    def _set_back(self, reason: str, retry_after_s: float | None = None) -> RegistryError:
        """Remember that Azure does not answer, and why. Return the error to raise."""
        with self._lock:
            self._memory.setback = setback = set_back(
                self._memory.setback, reason, now=self._clock(), retry_after_s=retry_after_s
            )
        return RegistryError(setback.reason)

    def _not_fetched(self, candidate: Candidate, failure: Failure) -> EdgeError:
        """Remember why a version did not come. Return the error to raise."""
        kind = _error_class(failure.error)
        if issubclass(kind, ModelError):
            return kind(plain(failure.reason))  # a fault of the bundle itself, which no other try mends
        with self._lock:
            before, now = self._memory.versions.get(candidate.digest), self._clock()
            longest_s, after_s = LONGEST_FOR_VERSION_S, failure.retry_after_s
            setback = set_back(before, failure.reason, now=now, retry_after_s=after_s, longest_s=longest_s)
            self._memory.versions[candidate.digest] = setback
            if failure.kind in EVERYWHERE:
                self._memory.setback = setback
        return (kind if issubclass(kind, UnavailableError) else RegistryError)(setback.reason)

    def _without_setbacks(self, survey: Survey) -> Survey:
        """Return a survey in which versions that could not be fetched are refused till they are tried again."""
        with self._lock:
            now = self._clock()
            waiting = {digest: one.reason for digest, one in self._memory.versions.items() if now < one.until}
        out = {f"{c.name}/{c.version}": waiting[c.digest] for c in survey.candidates if c.digest in waiting}
        kept = tuple(c for c in survey.candidates if c.digest not in waiting)
        return replace(survey, candidates=kept, refused={**survey.refused, **out})


def _error_class(name: str) -> type[EdgeError]:
    found = getattr(errors, name, None)
    return found if isinstance(found, type) and issubclass(found, EdgeError) else RegistryError


def _of_versions(survey: Survey) -> Survey:
    """Return a survey without why there is no version at all, which is no version's refusal."""
    return replace(survey, refused={place: why for place, why in survey.refused.items() if "/" in place})


def _of_interest(survey: Survey) -> Survey:
    """Return a survey without what is refused and would not be taken anyway, being older than what can be.

    A workspace may hold years of models that are no bundles: a device need not warn of each.
    """
    if not survey.candidates:
        return survey
    newest = version_key(survey.candidates[0].version)
    refused = {p: why for p, why in survey.refused.items() if version_key(p.partition("/")[2]) >= newest}
    return replace(survey, refused=refused)
