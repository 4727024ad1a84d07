"""Many fits, to find the hyperparameters that do best: Optuna proposes, policies end what will not win."""

import dask as _dask  # noqa: F401 - used as soon as this is written
import distributed as _distributed  # noqa: F401 - used as soon as this is written
import optuna as _optuna  # noqa: F401 - used as soon as this is written
