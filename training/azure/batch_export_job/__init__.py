"""What runs in Azure, in the environment that a model was trained in; nothing else of this project is there."""
