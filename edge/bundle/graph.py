"""The graph against the manifest: what was loaded must be what was promised."""

from collections.abc import Sequence

from edge.bundle.boxes import box_problems
from edge.bundle.manifest import MULTILABEL, Manifest, Preprocessing, fixed_batch, shapes_agree
from edge.bundle.tensors import Graph, GraphTensor
from edge.errors import ModelInvalidError, ModelUnsupportedError

CLASSIFICATION_TASKS = ("image-classification", MULTILABEL)


def check_runnable(manifest: Manifest) -> None:
    """Raise ModelUnsupportedError, naming it, for a task or family that this version does not run."""
    if manifest.task not in CLASSIFICATION_TASKS or manifest.family != "classification":
        raise ModelUnsupportedError(
            f"{manifest.name}:{manifest.version} is a model for {manifest.task} (family {manifest.family}); "
            f"this version runs {' and '.join(CLASSIFICATION_TASKS)}"
        )


def cropped(manifest: Manifest) -> Preprocessing:
    """Return the preprocessing of a classification model. Raises ModelUnsupportedError for another's."""
    if not isinstance(manifest.preprocessing, Preprocessing):
        raise ModelUnsupportedError(
            f"{manifest.name}:{manifest.version} prepares pictures by the rule {manifest.preprocessing.rule}; "
            f"this version runs {' and '.join(CLASSIFICATION_TASKS)}"
        )
    return manifest.preprocessing


def check_graph(manifest: Manifest, labels: Sequence[str], graph: Graph) -> None:
    """Raise ModelInvalidError, listing every difference, unless the loaded graph is what the manifest says."""
    if len(graph.inputs) != 1:
        problems = [f"the graph has {len(graph.inputs)} inputs, 1 expected"]
    elif manifest.family != "classification":
        problems = [*box_problems(manifest, labels, graph)]
    else:
        problems = [*_input_problems(manifest, graph), *_output_problems(manifest, labels, graph)]
    if problems:
        raise ModelInvalidError(f"{manifest.name}:{manifest.version}: graph and manifest differ: {'; '.join(problems)}")


def _input_problems(manifest: Manifest, graph: Graph) -> list[str]:
    found, expected, crop = graph.inputs[0], manifest.input, cropped(manifest).crop
    problems = []
    if found.name != expected.name:
        problems.append(f"input is named {found.name!r}, the manifest says {expected.name!r}")
    if found.dtype != expected.dtype:
        problems.append(f"input is {found.dtype}, the manifest says {expected.dtype}")
    if not shapes_agree(found.shape, ("batch", 3, crop, crop)):
        problems.append(f"input has shape {list(found.shape)}, preprocessing makes [batch, 3, {crop}, {crop}]")
    return problems + _batch_problems(manifest, f"input {found.name!r}", found)


def _output_problems(manifest: Manifest, labels: Sequence[str], graph: Graph) -> list[str]:
    if len(graph.outputs) != 1:
        return [f"the graph has {len(graph.outputs)} outputs, 1 expected"]
    found = graph.outputs[0]
    problems = []
    if found.dtype != "float32":
        problems.append(f"output {found.name!r} is {found.dtype}, float32 expected")
    if not shapes_agree(found.shape, ("batch", len(labels))):
        problems.append(f"output {found.name!r} has shape {list(found.shape)}, but there are {len(labels)} labels")
    return problems + _batch_problems(manifest, f"output {found.name!r}", found)


def _batch_problems(manifest: Manifest, what: str, found: GraphTensor) -> list[str]:
    """Compare the batch axis. A symbolic axis is no promise: it fits any manifest, and running the graph decides."""
    axis, promised = found.shape[0] if found.shape else None, fixed_batch(manifest)
    if not isinstance(axis, int) or axis == promised:
        return []
    return [f"{what} takes exactly {axis} per batch, the manifest's batch says {promised or 'dynamic'}"]
