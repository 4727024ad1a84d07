"""Bundles that had to be made of what AutoML registered, kept on the disk so that they stay the same.

::

    <cache>/<name>/<key>/bundle/      made of a version; the key tells place, files and time of that version
    <cache>/<name>/<key>/refused      why none can be made of it, when it was tried, by which version of this software
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge import errors
from edge.azureml.download import Download, Tell, check_room
from edge.azureml.making import Recipe
from edge.azureml.place import Place
from edge.azureml.trace import Sources
from edge.azureml.versions import Version
from edge.bundle import manifest_and_digest
from edge.errors import EdgeError, ModelError, ModelInvalidError, RegistryError
from edge.limits import SETTINGS, SIGN_IN, environment_without
from edge.registry.files import copy_bundle, disk_errors, partial_folder, remove_stale_partials, write_file
from edge.registry.inquiry import Inquiry, Progress

BUNDLE, REFUSED = "bundle", "refused"
MOST_S = 600.0
"""How long making may take: a large graph on a slow device takes a minute."""
AGAIN_S = 6 * 3600.0
"""When it is tried again what failed for reasons that need not be the model's: each try downloads the graph."""
STALE_S = 60.0
"""How long a killed process's folder is left alone: this device's own disk shows who holds it."""
UNUSED_S = 24 * 3600.0
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGBUS)
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "import sys; sys.path.append(sys.argv[1]); from edge.azureml.making import main; main(sys.argv[2])"
"""Finds this very package, installed or not, without putting its folder before the standard library as ``-m`` would."""
COMMAND = (sys.executable, "-P", "-c", PROGRAM, str(ROOT))


class UnfinishedError(ModelInvalidError):
    """The process that was to make a bundle did not come to an end, for reasons that need not be the model's."""


class Made:
    """The made bundles below ``cache`` of one place's versions. ``clock`` gives seconds since the epoch."""

    def __init__(
        self,
        cache: Path,
        place: Place,
        *,
        command: Sequence[str] = COMMAND,
        most_s: float = MOST_S,
        clock: Callable[[], float] = lambda: datetime.now(UTC).timestamp(),
    ) -> None:
        self._cache = cache
        self._place = place
        self._command = tuple(command)
        self._most_s = most_s
        self._clock = clock

    def digest(self, of: Version) -> str | None:
        """Return the digest of the bundle that was made of a version, None where there is none."""
        try:
            return manifest_and_digest(self.folder(of) / BUNDLE)[1]
        except ModelInvalidError:
            return None

    def check_not_refused(self, of: Version) -> None:
        """Raise ModelInvalidError where it was tried in vain, by this very version of the software."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads((self.folder(of) / REFUSED).read_text(encoding="utf-8"))
            stands = not told["passes"] or 0 <= self._clock() - float(told["at"]) < AGAIN_S
            if told["by"] == _software() and stands:
                raise ModelInvalidError(str(told["reason"]))

    def make(self, of: Version, sources: Sources, tell: Tell) -> str:
        """Download the sources, make the bundle, let older ones of that name go, and return its digest.

        Raises ModelError where none can be made of them, which is remembered, RegistryError, StoreError.
        """
        folder = self.folder(of)
        with disk_errors(f"making {folder}"):
            shutil.rmtree(folder / BUNDLE, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            remove_stale_partials(folder, stale_s=STALE_S)
        check_room(folder, 2 * sources.size)
        with partial_folder(folder) as partial:
            download = Download(tell, of=sources.size)
            for path, (store, file) in sources.files.items():
                download.save(store, file, partial / path)
            try:
                self._run(_recipe(of, sources, partial, folder / BUNDLE, self._place), tell)
            except ModelError as error:
                self._remember_refusal(of, error)
                raise
        self._prune(folder)
        return manifest_and_digest(folder / BUNDLE)[1]

    def fetch(self, inquiry: Inquiry, tell: Tell) -> bool:
        """Copy the made bundle of the inquiry's digest to its folder; False where there is none.

        Raises RegistryError where it is damaged, which removes it, StoreError.
        """
        for folder in sorted(self._cache.glob(f"{inquiry.name}/*/{BUNDLE}")):
            try:
                if manifest_and_digest(folder)[1] != inquiry.digest:
                    continue
                into = Path(inquiry.into)
                copy_bundle(folder, into, digest=inquiry.digest, took=lambda took, of: tell(Progress(took, of)))
            except (ModelInvalidError, RegistryError) as error:
                shutil.rmtree(folder, ignore_errors=True)
                raise RegistryError(f"{error}; it is made anew") from error
            return True
        return False

    def tidy(self, there: Iterable[Version]) -> None:
        """Remove what was made of versions that are not ``there``, of whatever model, and not for a day.

        Whoever follows another model, or bundles now, would keep the last one for ever. What killed processes left
        goes too.
        """
        keep = {self.folder(version) for version in there}
        for folder in self._cache.glob("*/*"):
            with suppress(OSError):
                if folder not in keep and self._clock() - folder.stat().st_mtime > UNUSED_S:
                    shutil.rmtree(folder)
                remove_stale_partials(folder, stale_s=STALE_S)

    def folder(self, of: Version) -> Path:
        """Return where what is made of a version is kept."""
        told = "\n".join((str(self._place), str(of), of.uri, of.job, of.created_at.isoformat()))
        return self._cache / of.name / hashlib.sha256(told.encode()).hexdigest()[:16]

    def _remember_refusal(self, of: Version, error: ModelError) -> None:
        with suppress(errors.StoreError):  # then it is tried in vain again
            passes = isinstance(error, UnfinishedError)
            told = {"reason": str(error), "by": _software(), "passes": passes, "at": self._clock()}
            write_file(self.folder(of) / REFUSED, json.dumps(told).encode())

    def _prune(self, keep: Path) -> None:
        """Remove bundles of other versions: the daemon keeps those that it needs, and any can be made again."""
        for folder in keep.parent.iterdir():
            if folder != keep:
                shutil.rmtree(folder, ignore_errors=True)

    def _run(self, recipe: Recipe, tell: Tell) -> None:
        """Let a process of its own make the bundle. Raises what it raised there, ModelInvalidError where it crashed."""
        with subprocess.Popen(  # noqa: S603 - our own program, no shell
            [*self._command, recipe.text()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment_without(*SETTINGS, *SIGN_IN),  # it loads a graph that nobody has vouched for
        ) as process:
            try:
                said, complaints = _patiently(process, self._most_s, tell)
            finally:
                process.kill()  # does nothing to one that has ended
        if said is None:
            raise UnfinishedError(f"making a bundle of it took longer than {self._most_s:g} s")
        try:
            told = json.loads(said)
        except ValueError:
            raise _unfinished(process.returncode, complaints) from None
        if told and told["error"] == MemoryError.__name__:
            raise UnfinishedError(told["reason"])
        if told:
            raised: type[EdgeError] = getattr(errors, told["error"], ModelInvalidError)
            raise _as_model_error(raised, told["reason"])


def _patiently(
    process: "subprocess.Popen[bytes]", most_s: float, tell: Callable[[Progress], None]
) -> tuple[bytes | None, bytes]:
    """Return what a process says and complains about, giving signs of life; None where it takes too long."""
    waited_s = 0.0
    while waited_s < most_s:
        try:
            return process.communicate(timeout=min(1.0, most_s))
        except subprocess.TimeoutExpired:
            waited_s += 1.0
            tell(Progress())
    return None, b""


def _as_model_error(raised: type[EdgeError], reason: str) -> EdgeError:
    """Return the error; what a person is asked for at the import's command line cannot be said here."""
    if raised is errors.ConfigError:
        return ModelInvalidError(f"no bundle can be made of it by itself: {reason}")
    return raised(reason)


def _unfinished(code: int, complaints: bytes) -> ModelInvalidError:
    """Return what the end of a process means that gave no verdict: a crash speaks against the model."""
    if -code in CRASHES:
        return ModelInvalidError(
            f"it is not safe to load: the process that tried crashed ({signal.Signals(-code).name})"
        )
    lines = [line.strip() for line in complaints.decode(errors="replace").splitlines() if line.strip()]
    how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return UnfinishedError(f"the process that was to make a bundle {how}{f': {lines[-1][:300]}' if lines else ''}")


def _recipe(of: Version, sources: Sources, folder: Path, into: Path, place: Place) -> Recipe:
    made_of = {"place": str(place), "model": f"{of.name}:{of.version}", "type": of.kind, "files": of.uri}
    job = {"job": sources.run} if sources.run else {}
    return Recipe(
        folder=str(folder),
        into=str(into),
        name=of.name,
        version=of.version,
        created_at=of.created_at.isoformat(),
        task=sources.task,
        provenance={"azure": {**made_of, **job}, "source": of.kind},
        parent=os.getpid(),
    )


def _software() -> str:
    try:
        return version("automl-edge")
    except PackageNotFoundError:
        return ""
