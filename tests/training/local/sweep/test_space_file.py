"""`space.toml`: what is taken, and that all problems are told at once, each with its key."""

import tomllib
from pathlib import Path

import pytest

from training.errors import DataError, UsageError
from training.local.sweep.space_file import SweepFile, read_kept_file, read_space_file

EXAMPLES = sorted((Path(__file__).parents[4] / "docs/sweeps").glob("*.toml"))
LEAST = """
task = "image-classification"
name = "line"
training_data = "data"
[limits]
max_trials = 4
[sweep]
sampling_algorithm = "random"
[[sweep.space]]
model_name = "resnet18"
learning_rate = [0.01, 0.1]
"""


def read(folder: Path, text: str) -> SweepFile:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "space.toml").write_text(text)
    return read_space_file(folder / "space.toml")


def problems(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """Return what is wrong with the least file after some changes."""
    text = LEAST
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(UsageError) as error:
        read(folder, text)
    return [line.strip() for line in str(error.value).splitlines()[1:]]


def test_the_least_file(tmp_path: Path) -> None:
    """Task, name, data, how many, and what to try."""
    file = read(tmp_path, LEAST)
    assert (file.metric, file.planned, file.seed, file.limits.max_concurrent_trials) == ("accuracy", 4, 0, 1)
    recipe = file.recipe({"model_name": "resnet18", "learning_rate": 0.1})
    assert (recipe.model, recipe.settings.learning_rate, recipe.views) == ("resnet18", 0.1, "surface")


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_examples_are_right(example: Path, tmp_path: Path) -> None:
    """Once their data are there; each says in its first line what it is."""
    text = example.read_text(encoding="utf-8")
    raw = tomllib.loads(text)
    for key in ("training_data", "validation_data"):
        if key in raw:
            (tmp_path / raw[key]).mkdir(parents=True)
    assert read(tmp_path, text).planned == raw["limits"]["max_trials"]
    assert text.startswith("# ")


def test_what_is_local_goes_into_the_recipe(tmp_path: Path) -> None:
    """Views, first weights and the like."""
    local = '[fit]\nviews = "light"\nstandardised = true\nmirrored = true\npretrained = "weights.pt"\nthreads = 1\n'
    recipe = read(tmp_path, LEAST.replace("[sweep]", f"{local}[sweep]")).recipe({"model_name": "resnet18"})
    assert (recipe.views, recipe.standardised, recipe.mirrored, recipe.pretrained) == (
        "light",
        True,
        True,
        "weights.pt",
    )


def test_a_grid_has_no_more_trials_than_combinations(tmp_path: Path) -> None:
    """Two here, of at most four."""
    assert read(tmp_path, LEAST.replace('"random"', '"grid"')).planned == 2


def test_every_typo_is_told_at_once(tmp_path: Path) -> None:
    """With its key and the nearest right name, whatever else is wrong."""
    told = problems(
        tmp_path,
        ("training_data", "trainingdata"),
        ("max_trials", "max_trails"),
        ('"random"', '"rondom"'),
        ("learning_rate =", "learning_rat ="),
        ('"resnet18"', '"resnet81"'),
    )
    assert sorted(told) == [
        "limits.max_trails: no such key; did you mean max_trials?",
        "limits.max_trials: a sweep of 1 trial tries nothing; set it to how many shall be tried",
        "sweep.sampling_algorithm: must be 'random', 'grid' or 'bayesian', got 'rondom'",
        "sweep.space.learning_rat: unknown hyperparameter 'learning_rat'; did you mean learning_rate?",
        "sweep.space.model_name: unknown model 'resnet81'; did you mean resnet18?",
        "training_data: is required",
        "trainingdata: no such key; did you mean training_data?",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"line"', '"my line"'), "name: must have letters, digits"),
        (('"data"', '"elsewhere"'), "training_data: there is no"),
        (('"data"', '"azureml:parts:3"'), "training_data: azureml:parts:3 lies in Azure"),
        (('"image-classification"', '"image-object-detection"'), "task: must be 'image-classification'"),
        (("[limits]", 'primary_metric = "f1"\n[limits]'), "primary_metric: for image-classification it is accuracy"),
        (("[0.01, 0.1]", "[0.01, 2.0]"), "sweep.space.learning_rate: must be a number, above 0 and at most 1, got 2.0"),
        (("[0.01, 0.1]", "{ type = 'unifrom' }"), "did you mean uniform?"),
        (('"resnet18"', '"seresnext"'), "sweep.space.model_name: seresnext cannot be trained on this machine"),
        (("learning_rate", "distributed"), "sweep.space.distributed: is not for the local trainer: one fit uses"),
        (("learning_rate", "beta1"), "sweep.space.beta1: counts only with optimizer adam or adamw"),
        (("max_trials = 4", "max_trials = 4\nmax_concurrent_trials = 5"), "limits: max_concurrent_trials must be at"),
        (('"random"', '"random"\nearly_termination = { type = "bandit" }'), "give either slack_factor or slack_amount"),
        (('"random"', '"random"\nearly_termination = { type = "band" }'), "sweep.early_termination"),
        (("[sweep]", "[fit]\nvews = 'light'\n[sweep]"), "fit.vews: no such key; did you mean views?"),
        (("max_trials = 4", "max_trials = '4'"), "limits.max_trials: must be a whole number, got '4'"),
    ],
)
def test_problems_name_their_key(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    """And the remedy."""
    told = problems(tmp_path, change)
    assert any(said in line for line in told), told


def test_what_a_network_cannot_take_is_told(tmp_path: Path) -> None:
    """Each value is allowed alone."""
    sides = "[model]\ntraining_crop_size = 100\nvalidation_crop_size = 100\n[sweep]"
    (told,) = problems(tmp_path, ('"resnet18"', '"vits16r224"'), ("[sweep]", sides))
    assert told.startswith("model: training_crop_size=100: vits16r224 cuts pictures into patches of 16")


def test_weights_of_a_file_are_of_one_network(tmp_path: Path) -> None:
    """Several are tried here."""
    several, weights = ('"resnet18"', '["resnet18", "resnet34"]'), ("[sweep]", '[fit]\npretrained = "a.pt"\n[sweep]')
    (told,) = problems(tmp_path, several, weights)
    assert told == "fit.pretrained: a.pt is of one network, but several are tried; write none or auto"


def test_bayesian_takes_one_space(tmp_path: Path) -> None:
    """As in Azure."""
    (told,) = problems(
        tmp_path, ('"random"', '"bayesian"'), ("[[sweep", '[[sweep.space]]\nmodel_name = "resnet18"\n[[sweep')
    )
    assert told.startswith("sweep.sampling_algorithm: bayesian takes one space")


@pytest.mark.parametrize("text", ["task = ", "\x00", "[sweep]\nspace = 3"])
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str) -> None:
    """Whatever it is."""
    with pytest.raises(UsageError):
        read(tmp_path, text)


def test_a_kept_file_is_read_without_its_data(tmp_path: Path) -> None:
    """To look at a sweep whose data are gone; of another version it says so."""
    (tmp_path / "space.toml").write_text(LEAST)
    assert read_kept_file(tmp_path / "space.toml").name == "line"
    (tmp_path / "space.toml").write_text("later = 1")
    with pytest.raises(DataError, match="of this version"):
        read_kept_file(tmp_path / "space.toml")
