"""The zoo: shipped models, and the way between packages and trainable networks.

Shipped packages lie in `weights` beside this file; files and `lcrs encode --model` know them by name.
"""

from lcrs.zoo.packages import load_model, shipped_models

__all__ = ["load_model", "shipped_models"]
