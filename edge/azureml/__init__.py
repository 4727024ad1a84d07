"""Azure Machine Learning, for whoever asks it: the short-lived process that looks for models, and `training`.

The SDK takes over a second and 100 MB to import. The daemon never imports this package: it starts
``python -m edge.azureml`` and reads its answers (:mod:`edge.registry.azureml`).
"""
