"""The errors of the training side: a fault that a user can cause or meet ends as one of these, thing and remedy named.

::

    TrainingError                exit code 1
    ├ AzureError                 Azure refuses: identity, rights, a wrong name, a request that it finds wrong
    │ └ AzureUnavailableError    Azure does not answer as it should; the same may work later
    ├ DataError                  pictures, folders or splits that cannot be trained on
    ├ DivergenceError            a fit whose loss is no longer a number
    ├ ExportError                a trained network that does not become a bundle
    ├ OutOfMemoryError           not even the smallest batch fits into the memory
    ├ StorageError               the disk does not take what a fit must keep: full, or not writable
    ├ WorkplaceError             other machines that shall train are away, or lack what it needs
    └ UsageError                 exit code 2: asked for something that does not exist
      ├ BudgetError              a time in which nothing can be trained
      ├ HyperparameterError      unknown name or value out of range
      └ UnknownModelError        a network that this trainer does not have
"""


class TrainingError(Exception):
    """Root of all errors raised on purpose by `training`; its text is one line for a person."""


class AzureError(TrainingError):
    """Azure, or its SDK, refuses what was asked for; asking again changes nothing."""


class AzureUnavailableError(AzureError):
    """Azure is away, throttles or has a fault of its own; the same may work later."""


class DataError(TrainingError):
    """The pictures cannot be used: missing folder, no class, empty class, unreadable picture, too few for a split."""


class DivergenceError(TrainingError):
    """The loss became infinite or not a number: the steps are too large."""


class ExportError(TrainingError):
    """The trained network could not be written as a bundle, or the written one does not answer as the network did."""


class OutOfMemoryError(TrainingError):
    """The memory, of the GPU or of the machine, does not hold even two pictures' training."""


class StorageError(TrainingError):
    """The folder of a fit cannot be written: the disk is full, read-only, or another fit works there."""


class WorkplaceError(TrainingError):
    """Machines that shall run trials, or the scheduler that shares them out, are away, or lack what trials need."""


class UsageError(TrainingError):
    """The request itself is wrong."""


class BudgetError(UsageError):
    """A budget of time in which not one epoch of anything can be trained."""


class HyperparameterError(UsageError):
    """An unknown hyperparameter, or a value outside its range."""


class UnknownModelError(UsageError):
    """A model name that the local trainer does not have."""
