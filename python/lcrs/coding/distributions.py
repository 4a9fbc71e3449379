"""Tables of the distributions that learned codecs use, and the choice of their rows.

All tables are built in Rust from float32 parameters, by functions with a fixed order of arithmetic, so that
every machine gets the same integers.
"""

from lcrs._lcrs import (
    default_scale_table,
    factorized_medians,
    factorized_table,
    gaussian_table,
    indexes,
    mixture_table,
    scale_table,
    thresholds,
)

__all__ = [
    "default_scale_table",
    "factorized_medians",
    "factorized_table",
    "gaussian_table",
    "indexes",
    "mixture_table",
    "scale_table",
    "thresholds",
]
