"""First weights that others have trained: from a file, or from the Hugging Face hub by name."""

import huggingface_hub as _hub  # noqa: F401 - used as soon as this is written
import safetensors as _safe  # noqa: F401 - used as soon as this is written
