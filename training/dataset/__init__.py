"""Pictures to learn from: read from class folders, split into folds, or drawn."""
