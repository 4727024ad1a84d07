"""Pictures to tensors, one module a model family, exactly as the model was trained."""
