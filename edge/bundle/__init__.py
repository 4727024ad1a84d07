"""What a model is and expects: the bundle's schema, its files and their hashes, the graph against the manifest.

A bundle is a folder: ``manifest.json``, ``model.onnx``, ``labels.json``, ``settings.json`` where AutoML made one, and
``golden/``. The manifest is written last, so a folder without one is not a bundle yet. ``signature.json`` may stand
beside it: see :mod:`edge.bundle.signature`, which is imported by its own name.
"""

from edge.bundle.folder import (
    Bundle,
    file_entries,
    file_problem,
    manifest_and_digest,
    open_bundle,
    parse_labels,
    read_manifest,
    sha256_of,
    write_manifest,
)
from edge.bundle.graph import CLASSIFICATION_TASKS, Graph, GraphTensor, check_graph, check_runnable
from edge.bundle.manifest import (
    BUNDLE_SCHEMA,
    MANIFEST,
    MULTILABEL,
    SIGNATURE,
    Colour,
    Dimension,
    Expected,
    Family,
    File,
    Golden,
    Manifest,
    Name,
    Postprocessing,
    Preprocessing,
    Range,
    Rule,
    Task,
    TensorInput,
    fixed_batch,
    is_name,
    manifest_json,
    parse_manifest,
)
from edge.bundle.version import version_key

__all__ = [
    "BUNDLE_SCHEMA",
    "CLASSIFICATION_TASKS",
    "MANIFEST",
    "MULTILABEL",
    "SIGNATURE",
    "Bundle",
    "Colour",
    "Dimension",
    "Expected",
    "Family",
    "File",
    "Golden",
    "Graph",
    "GraphTensor",
    "Manifest",
    "Name",
    "Postprocessing",
    "Preprocessing",
    "Range",
    "Rule",
    "Task",
    "TensorInput",
    "check_graph",
    "check_runnable",
    "file_entries",
    "file_problem",
    "fixed_batch",
    "is_name",
    "manifest_and_digest",
    "manifest_json",
    "open_bundle",
    "parse_labels",
    "parse_manifest",
    "read_manifest",
    "sha256_of",
    "version_key",
    "write_manifest",
]
