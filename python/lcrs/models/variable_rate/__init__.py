"""Models of which one network codes at every rate: gains, learned for levels, steer them.

Of Cui et al., "Asymmetric gained deep image compression with continuous rate adaptation", CVPR 2021.
"""

from lcrs.models.variable_rate.gain_hyperprior import GainHyperprior
from lcrs.models.variable_rate.gain_space_channel import GainSpaceChannelHyperprior
from lcrs.models.variable_rate.levels import LevelTable, level_of
from lcrs.models.variable_rate.plain_keys import PLAIN_KEYS, rename_plain_keys

__all__ = [
    "PLAIN_KEYS",
    "GainHyperprior",
    "GainSpaceChannelHyperprior",
    "LevelTable",
    "level_of",
    "rename_plain_keys",
]
