"""The training side of automl-edge: from class folders to a proven bundle. `edge` never imports this package."""
