"""automl-edge: from a registered model and a picture to a delivered result."""
