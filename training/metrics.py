"""The figures of a judged classifier, by the names that AutoML gives them."""

from sklearn import metrics as _sk  # noqa: F401 - used as soon as this is written
