"""Pictures that look as if they had another label than their own."""

from sklearn import linear_model as _linear  # noqa: F401 - used as soon as this is written
