"""Raw outputs to predictions, one module a model family."""
