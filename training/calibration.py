"""How far probabilities can be believed, and one number, the temperature, that makes them more so."""

from scipy import optimize as _optimize  # noqa: F401 - used as soon as this is written
