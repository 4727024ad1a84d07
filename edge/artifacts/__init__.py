"""Makes bundles of what AutoML for Images leaves behind: ``model.onnx``, ``labels.json`` and, apart, its settings."""

from edge.artifacts.evidence import Evidence
from edge.artifacts.importing import Imported, import_artifacts
from edge.artifacts.options import ImportOptions
from edge.artifacts.source import run_of

__all__ = ["Evidence", "ImportOptions", "Imported", "import_artifacts", "run_of"]
