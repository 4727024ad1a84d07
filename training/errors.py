"""The errors of the training side: a fault that a user can cause or meet ends as one of these, thing and remedy named.

::

    TrainingError                exit code 1
    ├ DataError                  pictures, folders or splits that cannot be trained on
    ├ DivergenceError            a fit whose loss is no longer a number
    ├ ExportError                a trained network that does not become a bundle
    └ UsageError                 exit code 2: asked for something that does not exist
      ├ HyperparameterError      unknown name or value out of range
      └ UnknownModelError        a network that this trainer does not have
"""


class TrainingError(Exception):
    """Root of all errors raised on purpose by `training`; its text is one line for a person."""


class DataError(TrainingError):
    """The pictures cannot be used: missing folder, no class, empty class, unreadable picture, too few for a split."""


class DivergenceError(TrainingError):
    """The loss became infinite or not a number: the steps are too large."""


class ExportError(TrainingError):
    """The trained network could not be written as a bundle, or the written one does not answer as the network did."""


class UsageError(TrainingError):
    """The request itself is wrong."""


class HyperparameterError(UsageError):
    """An unknown hyperparameter, or a value outside its range."""


class UnknownModelError(UsageError):
    """A model name that the local trainer does not have."""
