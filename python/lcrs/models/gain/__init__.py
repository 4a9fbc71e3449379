"""Models of which one network codes at every rate: gains, learned for levels, steer them.

Of Cui et al., "Asymmetric gained deep image compression with continuous rate adaptation", CVPR 2021.
"""

from lcrs.models.gain.hyperprior import GainHyperprior
from lcrs.models.gain.levels import LevelTable, level_of
from lcrs.models.gain.plain_keys import PLAIN_KEYS, rename_plain_keys
from lcrs.models.gain.space_channel import GainSpaceChannelHyperprior

__all__ = [
    "PLAIN_KEYS",
    "GainHyperprior",
    "GainSpaceChannelHyperprior",
    "LevelTable",
    "level_of",
    "rename_plain_keys",
]
