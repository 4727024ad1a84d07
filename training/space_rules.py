"""What must hold between task, models, hyperparameters and search spaces: of a job in Azure, and of a sweep here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge.bundle import Task
from training.hyperparameters import LAYERS, PARAMETERS, Parameter, parameter
from training.image_models import Network, network
from training.search_space import SAMPLED, AnyDistribution, OneOf, drawn_problems, read_distribution

MODEL_NAME = "model_name"


class Trainer(Protocol):
    """Who is to train: what models and hyperparameters it takes."""

    def model_problem(self, task: Task, name: str) -> str | None:
        """Return what is wrong with a model's name, None where nothing is."""
        ...

    def parameter(self, task: Task, name: str) -> Parameter | str:
        """Return a hyperparameter with the range that it has there, or why it is not taken."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is looked at: a file as far as it is of the right form (None: it is not)."""

    task: Task | None
    fixed: Mapping[str, Any]
    spaces: Sequence[Mapping[str, Any]]
    swept: bool
    sampling: str | None
    max_trials: int
    trainer: Trainer


@dataclass(frozen=True, slots=True)
class Space:
    """Values and distributions that hold together, and the models that are trained with them.

    ``place`` is its table's name in the file; ``around`` are the fixed values that hold in it too.
    """

    place: str
    entries: Mapping[str, AnyDistribution]
    around: Mapping[str, Any]
    models: tuple[str, ...]

    def key(self, name: str) -> str:
        """Return a hyperparameter's key in the file."""
        return _key(self.place, name)

    def values(self, name: str) -> tuple[Any, ...]:
        """Return the values that a hyperparameter may have; none where it is left to its default."""
        drawn = self.entries.get(name)
        if drawn is not None:
            return drawn.extremes()
        return (self.around[name],) if name in self.around else ()


def plan_problems(plan: Plan) -> Iterator[str]:
    """Yield every problem, with its key."""
    yield from _form_problems(plan)
    if plan.task is None:
        return
    yield from _fixed_problems(plan, plan.task)
    spaces: list[Space] = []
    for index, raw in enumerate(plan.spaces, 1):
        space, problems = _read_space(plan, plan.task, _place(plan, index), raw)
        spaces.append(space)
        yield from problems
    if not plan.swept:
        name = plan.fixed.get(MODEL_NAME)
        spaces.append(Space("model", {}, plan.fixed, (name,) if isinstance(name, str) else ()))
    for space in spaces:
        yield from _counting_problems(plan.task, space, spaces)
        yield from _size_problems(plan.task, space)


def _key(place: str, name: str) -> str:
    return f"{place}: {name}" if place[-1].isdecimal() else f"{place}.{name}"


def _place(plan: Plan, index: int) -> str:
    return "sweep.space" if len(plan.spaces) == 1 else f"sweep.space {index}"


def _form_problems(plan: Plan) -> Iterator[str]:
    """One model, AutoMode, or a sweep."""
    if plan.swept:
        if plan.sampling == "bayesian" and len(plan.spaces) > 1:
            yield "sweep.sampling_algorithm: bayesian takes one space; several are for random and grid"
        if plan.max_trials == 1 and plan.spaces:
            yield "limits.max_trials: a sweep of 1 trial tries nothing; set it to how many shall be tried"
        return
    if MODEL_NAME in plan.fixed and plan.max_trials > 1:
        yield f"limits.max_trials: {plan.max_trials} trials of one model need a [sweep]; set it to 1, or add one"
    if MODEL_NAME not in plan.fixed and plan.fixed:
        yield "model.model_name: is required; to let AutoML choose, leave out [model] and set limits.max_trials above 1"
    if not plan.fixed and plan.max_trials == 1:
        yield "model: name a model in [model], describe a [sweep], or set limits.max_trials above 1 (AutoMode)"


def _fixed_problems(plan: Plan, task: Task) -> Iterator[str]:
    for name, value in plan.fixed.items():
        if name == MODEL_NAME:
            said = _name_problem(plan, task, value)
        else:
            found = plan.trainer.parameter(task, name)
            said = found.problem(value) if isinstance(found, Parameter) else found
        if said:
            yield f"model.{name}: {said}"


def _name_problem(plan: Plan, task: Task, value: object) -> str | None:
    if not isinstance(value, str):
        return f"must be a model's name, got {value!r}"
    return plan.trainer.model_problem(task, value)


def _read_space(plan: Plan, task: Task, place: str, raw: Mapping[str, Any]) -> tuple[Space, list[str]]:
    entries: dict[str, AnyDistribution] = {}
    problems: list[str] = []
    for name, value in raw.items():
        try:
            drawn = read_distribution(value)
        except ValueError as error:
            problems += [f"{_key(place, name)}: {line}" for line in str(error).splitlines()]
            continue
        entries[name] = drawn
        problems += [f"{_key(place, name)}: {said}" for said in _entry_problems(plan, task, name, drawn)]
    if not raw:
        problems.append(f"{place}: is empty")
    named = entries.get(MODEL_NAME)
    names = named.extremes() if named is not None else (plan.fixed.get(MODEL_NAME),)
    models = tuple(name for name in names if isinstance(name, str))
    if not models and MODEL_NAME not in raw:
        problems.append(f"{_key(place, MODEL_NAME)}: is required, here or in [model]")
    return Space(place, entries, plan.fixed, models), problems


def _entry_problems(plan: Plan, task: Task, name: str, drawn: AnyDistribution) -> Iterator[str]:
    if name in plan.fixed:
        yield "is also in [model]; leave out one"
    if plan.sampling and drawn.type not in SAMPLED[plan.sampling]:
        yield f"{plan.sampling} sampling does not take {drawn.type}, only {', '.join(sorted(SAMPLED[plan.sampling]))}"
    if name == MODEL_NAME:
        yield from _model_choice_problems(plan, task, drawn)
        return
    found = plan.trainer.parameter(task, name)
    if isinstance(found, Parameter):
        yield from drawn_problems(found, drawn)
    else:
        yield found


def _model_choice_problems(plan: Plan, task: Task, drawn: AnyDistribution) -> Iterator[str]:
    if not isinstance(drawn, OneOf):
        yield f"{drawn.type} draws numbers; use choice"
        return
    for value in drawn.values:
        said = _name_problem(plan, task, value)
        if said:
            yield said


def _counting_problems(task: Task, space: Space, spaces: Sequence[Space]) -> Iterator[str]:
    """Yield hyperparameters that do nothing: nobody should believe in a setting that counts for no trial."""
    for found in PARAMETERS:
        if task not in found.tasks:
            continue
        if found.name in space.entries:
            yield from _idle(task, found, space, space.models, space.key(found.name))
        elif found.name in space.around and space is spaces[0]:
            models = tuple(name for one in spaces for name in one.models)
            if not any(_counts(task, found, name) for name in models) and models:
                yield f"model.{found.name}: does not count for {', '.join(dict.fromkeys(models))}"
            else:
                yield from _unmet(found, spaces, f"model.{found.name}")


def _idle(task: Task, found: Parameter, space: Space, models: Sequence[str], key: str) -> Iterator[str]:
    idle = [name for name in models if not _counts(task, found, name)]
    if idle:
        rest = "" if len(idle) == len(models) else "; give the others a space of their own"
        yield f"{key}: does not count for {', '.join(idle)}{rest}"
    else:
        yield from _unmet(found, [space], key)


def _counts(task: Task, found: Parameter, model: str) -> bool:
    return found.counts_for(task, network(task, model))


def _unmet(found: Parameter, spaces: Sequence[Space], key: str) -> Iterator[str]:
    """Yield a hyperparameter that counts only with another one, which nowhere has such a value."""
    if found.needs is None:
        return
    name, wanted = found.needs
    for space in spaces:
        given = space.values(name) or _default_of(name)
        if any(value in wanted for value in given) or (not wanted and given):
            return
    with_what = f" {' or '.join(_word(value) for value in dict.fromkeys(wanted))}" if wanted else ""
    yield f"{key}: counts only with {name}{with_what}"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _default_of(name: str) -> tuple[Any, ...]:
    found = parameter(name)
    return (found.defaults[""],) if found is not None and "" in found.defaults else ()


def _size_problems(task: Task, space: Space) -> Iterator[str]:
    """Yield sizes that do not fit each other, or the models."""
    models = [found for found in (network(task, name) for name in space.models) if found is not None]
    for model in models:
        yield from _layer_problems(space, model)
        if model.family == "vit":
            yield from _crop_problems(task, space, model)
    if models:
        yield from _order_problems(task, space, models[0], "min_size", "max_size")
        yield from _order_problems(task, space, models[0], "validation_crop_size", "validation_resize_size")


def _layer_problems(space: Space, model: Network) -> Iterator[str]:
    most = LAYERS.get(model.family)
    for value in space.values("layers_to_freeze"):
        if most is not None and isinstance(value, int | float) and value > most:
            yield f"{space.key('layers_to_freeze')}: {model.name} has {most} layers that can be frozen, got {value}"


def _crop_problems(task: Task, space: Space, model: Network) -> Iterator[str]:
    crops = {name: _effective(task, space, model, name) for name in ("training_crop_size", "validation_crop_size")}
    training, validation = crops.values()
    if set(training) != set(validation):
        yield (
            f"{space.key('training_crop_size')}: {model.name} wants training_crop_size and validation_crop_size alike, "
            f"got {_listed(training)} and {_listed(validation)}"
        )


def _order_problems(task: Task, space: Space, model: Network, low: str, high: str) -> Iterator[str]:
    found = parameter(low)
    if found is None or not found.counts_for(task, model) or not (space.values(low) or space.values(high)):
        return
    lows, highs = _effective(task, space, model, low), _effective(task, space, model, high)
    if _numbers(lows) and _numbers(highs) and max(_numbers(lows)) > min(_numbers(highs)):
        yield f"{space.key(low)}: must be at most {high}, got {_listed(lows)} and {_listed(highs)}"


def _effective(task: Task, space: Space, model: Network, name: str) -> tuple[Any, ...]:
    found = parameter(name)
    default = found.default(task, model) if found else None
    return space.values(name) or (() if default is None else (default,))


def _numbers(values: tuple[Any, ...]) -> list[float]:
    return [value for value in values if isinstance(value, int | float)]


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values))
