"""What a search did and found, in words: the whole as Markdown, the outcome in a few lines. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from training.intervals import share_interval
from training.local.auto.budget import duration
from training.local.auto.facts import FEW_TO_JUDGE, UNEVEN, Facts
from training.local.auto.search import STORY_FILE, How, Outcome, Search, Trial
from training.local.auto.verdict import CHANCE, ranked
from training.recipe import NO_WEIGHTS, Recipe

WIDE = 0.8
"""From this shape on, shorter by longer side, the centre square that networks see leaves little out."""
ACCURACY = "accuracy"
HOW: Mapping[How, str] = {
    "under way": "under way",
    "ended": "all epochs",
    "time": "the time was up",
    "slow": "slower than measured, planned anew",
    "asked": "asked to end",
    "failed": "failed",
}


def write_story(folder: Path, search: Search, name: str) -> None:
    """Write ``story.md`` into the folder of a search that has its outcome. Raises OSError."""
    (folder / STORY_FILE).write_text("\n".join(story(search, name)) + "\n", encoding="utf-8")


def story(search: Search, name: str) -> Iterator[str]:
    """Yield the lines of the story as Markdown; ``name`` is the bundle's, with its version."""
    outcome = _outcome(search)
    yield from (f"# How {name} was chosen", "", *summary(search, name), "")
    yield from ("## The pictures", "", *_listed(pictures(search.facts)), "")
    yield from ("## What was tried", "", *_table(search), "", *_listed(_not_tried(search, outcome)), "")
    yield from ("## How sure that is", "", *_listed(_sure(search, outcome)), "")
    yield from ("## The time", "", *_listed(_time(search)), "")
    yield from ("## Why it stopped", "", _sentence(search.stopped), "")
    yield from ("## How it chooses", "", *_listed(_rules(search)))


def summary(search: Search, name: str) -> list[str]:
    """Return the outcome in a few sentences, a line each."""
    outcome, facts = _outcome(search), search.facts
    chosen = _trial(search, outcome.chosen)
    found = f"{name} is proven: {described(chosen.recipe)}, {_epochs(chosen)}."
    figure = f"{facts.metric} {chosen.validation[facts.metric]:.4f} on {facts.validation} validation pictures"
    lines = [found, f"Chosen of {_counted(len(_with_epochs(search)), 'trial')} by its {figure}."]
    lines.append(_judged(outcome) if outcome.test else _flattering(search))
    if outcome.rival:
        lines.append(_against(search, outcome))
    return [*lines, f"Time: {duration(search.spent)} of {duration(search.request.budget)}. {_sentence(search.stopped)}"]


def described(recipe: Recipe) -> str:
    """Return a recipe in words."""
    begun = "from scratch" if recipe.pretrained == NO_WEIGHTS else f"begun with {recipe.pretrained}"
    parts = [f"{recipe.model} at {recipe.settings.training_crop_size} px", begun]
    parts += ["pictures standardised"] if recipe.standardised else []
    parts += ["averaged over the mirror image (twice the work for each picture)"] if recipe.mirrored else []
    return ", ".join(parts)


def pictures(facts: Facts) -> Iterator[str]:
    """Yield what should be known of the pictures, one sentence each."""
    parts = f"{facts.training} to train on, {facts.validation} to choose by, {facts.test} kept aside"
    yield f"{len(facts.counts)} classes; {parts}. The shorter side of the middle one is {facts.side} px."
    yield "To train on, by class: " + ", ".join(f"{name} {count}" for name, count in facts.counts.items()) + "."
    if facts.uneven >= UNEVEN:
        times = f"{facts.uneven:.0f} times as many pictures of the commonest class as of the rarest"
        yield f"There are {times}: the loss weighs the classes (weighted_loss 1). Look at the mistakes by class."
    if facts.validation < FEW_TO_JUDGE:
        yield f"{facts.validation} pictures to choose by are few: what is best among close ones is partly luck."
    if facts.shape < WIDE:
        seen = f"{facts.shape:.0%} of a picture, the square in its middle,"
        yield f"The pictures are not square: as in AutoML, only {seen} is looked at. Cut them up if faults lie outside."


def trial_rows(search: Search) -> list[tuple[str, ...]]:
    """Return the trials as cells, best first, those without an epoch last."""
    metric, order = search.facts.metric, ranked(search.trials, search.facts.metric)
    rest = [trial for trial in search.trials if trial not in order]
    return [
        (
            str(trial.number),
            trial.candidate,
            f"{trial.epochs}/{trial.planned}",
            f"{trial.validation[metric]:.4f}" if trial in order else "",
            f"{trial.validation['log_loss']:.4f}" if "log_loss" in trial.validation else "",
            duration(trial.seconds),
            HOW[trial.how] + (f": {trial.fault}" if trial.fault else ", a short fit" * (trial.stage == "short")),
        )
        for trial in (*order, *rest)
    ]


def trial_columns(search: Search) -> tuple[str, ...]:
    """Return the names of the cells."""
    return ("trial", "network", "epochs", search.facts.metric, "log-loss", "time", "how it ended")


def _table(search: Search) -> Iterator[str]:
    columns = trial_columns(search)
    yield "| " + " | ".join(columns) + " |"
    yield "| " + " | ".join("---" for _ in columns) + " |"
    yield from ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in trial_rows(search))


def _not_tried(search: Search, outcome: Outcome) -> Iterator[str]:
    yield from (f"{trial.candidate} (trial {trial.number}): {trial.why}." for trial in search.trials)
    yield from (f"{name} was passed over: {fault}." for name, fault in search.unusable.items())
    yield from (f"No bundle could be made of {reason}." for reason in outcome.passed_over)


def _sure(search: Search, outcome: Outcome) -> Iterator[str]:
    yield _chosen_by(search.facts, _trial(search, outcome.chosen))
    yield (
        f"That figure flatters: it is the best of {_counted(sum(t.epochs for t in search.trials), 'epoch')} of "
        f"{_counted(len(_with_epochs(search)), 'trial')}, all judged by the same pictures."
    )
    yield (
        _judged(outcome) if outcome.test else f"No pictures were kept aside ({_why_none(search)}): judge it on others."
    )
    missed = {name: count for name, count in outcome.test.get("mistakes_by_class", {}).items() if count}
    if missed:
        yield "Its mistakes there: " + ", ".join(f"{name} {count}" for name, count in missed.items()) + "."
    if outcome.rival:
        yield _against(search, outcome)


def _chosen_by(facts: Facts, chosen: Trial) -> str:
    """Return the figure that it was chosen by; an interval only of a share of pictures, which iou is not."""
    value = chosen.validation[facts.metric]
    found = f"{facts.metric} {value:.4f} on {facts.validation} validation pictures"
    if facts.metric != ACCURACY:
        return f"{found}."
    low, high = share_interval(round(value * facts.validation), facts.validation)
    return f"{found}; from so few, the true one is known only to lie between {low:.3f} and {high:.3f} (95 %)."


def _judged(outcome: Outcome) -> str:
    test = outcome.test
    share = f"{test['right']} of {test['pictures']} pictures kept aside are answered rightly"
    iou = f", iou {test['iou']:.4f}" if "iou" in test else ""
    return (
        f"On pictures that nothing was chosen by, through the edge's own path: {share}, {test['accuracy']:.4f}{iou}; "
        f"the true share lies between {test['low']:.3f} and {test['high']:.3f} (95 %)."
    )


def _flattering(search: Search) -> str:
    return f"No pictures were kept aside ({_why_none(search)}), so the {search.facts.metric} above flatters."


def _why_none(search: Search) -> str:
    return "too few of each class" if search.request.test_share else "--test-share 0"


def _against(search: Search, outcome: Outcome) -> str:
    rival = _trial(search, outcome.rival)
    counts = f"{outcome.only_chosen} validation picture(s) only it answers rightly, {outcome.only_rival} only the other"
    sure = (
        "the difference is more than chance"
        if outcome.chance < CHANCE
        else "that may well be chance: the two are as good as equal"
    )
    return (
        f"Against the second, {rival.candidate} (trial {rival.number}): {counts} (McNemar's exact test: "
        f"p = {outcome.chance:.2g}); {sure}."
    )


def _time(search: Search) -> Iterator[str]:
    fits = sum(trial.seconds for trial in search.trials)
    yield f"Budget {duration(search.request.budget)}; used {duration(search.spent)}, of it {duration(fits)} for fits."
    for name, speed in search.speeds.items():
        yield f"{name}, measured here: {_exact(speed.epoch)} an epoch, {_exact(speed.start)} before the first step."
    paces = [trial.pace for trial in search.trials if trial.pace]
    if paces and max(paces) > 1.25:
        yield f"The machine was busier than when it was measured: epochs took up to {max(paces):.1f} times as long."


def _rules(search: Search) -> Iterator[str]:
    metric, request = search.facts.metric, search.request
    yield f"By {metric} on the same validation pictures for all; equal ones by log-loss, then the earlier one."
    yield f"Pictures are dealt by class, content and seed {request.seed}; the same picture is never in two parts."
    yield "How far it comes depends on how fast the machine is: the same seed gives the same trials at the same pace."
    yield "The manifest's provenance has the command that trains the chosen recipe again, whatever the pace."


def _outcome(search: Search) -> Outcome:
    if search.outcome is None:
        raise ValueError("a search that has no outcome yet has no story")
    return search.outcome


def _trial(search: Search, number: int) -> Trial:
    return next(trial for trial in search.trials if trial.number == number)


def _with_epochs(search: Search) -> list[Trial]:
    return [trial for trial in search.trials if trial.epochs]


def _epochs(trial: Trial) -> str:
    kept = f"epoch {trial.best} of {trial.epochs}"
    return kept if trial.epochs == trial.planned else f"{kept} ({trial.planned} were planned)"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + "s" * (count != 1)


def _exact(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else duration(seconds)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _listed(lines: Iterator[str] | Sequence[str]) -> list[str]:
    return [f"- {line}" for line in lines]
