"""Whether arrays have changed since something was derived from them."""

from lcrs._lcrs import fingerprint

__all__ = ["fingerprint"]
