"""What the rollout asks of the registry: which versions there are, which is wanted, which a person means."""

from edge.errors import ModelNotFoundError
from edge.ports import Candidate, Registry, Survey
from edge.registry.store import Store
from edge.rollout.choice import LATEST, InService, Wish, choose, matching
from edge.rollout.obstacles import Obstacles


class Lookout:
    """Looks for what is wished. ``wish`` may be changed. One thread at a time may look."""

    def __init__(self, registry: Registry, store: Store, obstacles: Obstacles, wish: Wish) -> None:
        self._registry = registry
        self._store = store
        self._obstacles = obstacles
        self._asked = False
        self.wish = wish

    @property
    def wished(self) -> str:
        """What is looked for, for a person."""
        return f"{self._name or 'any model'}:{self.wish.version}"

    def hurry(self) -> None:
        """Let the next look be one that a person asked for. Safe to call from any thread."""
        self._asked = True

    def survey(self) -> Survey:
        """Look once, and take note of what is refused there. Raises RegistryError."""
        asked, self._asked = self._asked, False
        version = None if self.wish.version == LATEST else self.wish.version
        survey = self._registry.survey(self._name, version=version, asked=asked)
        self._obstacles.surveyed(survey, self._store.state.kept)
        return survey

    def known(self) -> Survey:
        """Return what is known without a long look. Raises RegistryError. Safe to call from any thread."""
        return self._registry.known(self._name)

    def choose(self, survey: Survey, serving: InService | None) -> Candidate | None:
        """Return the version that should replace the one that serves, None where none should."""
        refused = self._obstacles.refusals.__contains__
        return choose(survey, self.wish, self._store.state, serving, is_refused=refused)

    def asked_for(self, name: str, version: str | None) -> Candidate:
        """Return the version that a person means. Raises ModelNotFoundError naming what there is, RegistryError."""
        survey = self._registry.survey(name, version=None if version == LATEST else version, asked=True)
        candidate = matching(survey, name, version)
        if candidate is None:
            offered = survey.candidates or self._registry.known(name).candidates
            known = ", ".join(c.version for c in offered if c.name == name) or "none"
            reason = survey.refused.get(f"{name}/{version}", f"the registry's versions of it: {known}")
            raise ModelNotFoundError(f"{name}:{version or LATEST} cannot be taken: {reason}")
        return candidate

    @property
    def _name(self) -> str | None:
        return self.wish.followed_name(self._store.state)
