"""Tables of cumulative frequencies: what symbols are coded with.

A `CdfTable` is checked once, when it is made, and then passed by reference.
"""

from lcrs._lcrs import CdfTable, pmf_to_quantized_cdf

__all__ = ["CdfTable", "pmf_to_quantized_cdf"]
