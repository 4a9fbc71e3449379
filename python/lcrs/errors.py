"""What can go wrong with bytes and models from elsewhere.

Arguments outside their documented range raise plain `ValueError` (or `TypeError`); everything that a
file, a stream or a model package can do wrong raises a child of `LcrsError`, so that one `except` covers
hostile input.
"""

__all__ = [
    "CorruptError",
    "DesyncError",
    "LcrsError",
    "LimitError",
    "MissingModelError",
    "ModelWarning",
    "NotPortableError",
    "NotPortableWarning",
    "TargetWarning",
    "TruncatedError",
    "UnsupportedVersionError",
]


class LcrsError(ValueError):
    """Something is wrong with bytes or with a model, not with the call."""


class TruncatedError(LcrsError):
    """The bytes end before what they announce: fetch the rest and try again."""


class CorruptError(LcrsError):
    """The bytes contradict themselves: a checksum, a field out of range, an impossible structure."""


class DesyncError(LcrsError):
    """The entropy decoder did not end as the encoder began: wrong tables, indexes or bytes."""


class UnsupportedVersionError(LcrsError):
    """The bytes are of a version, or use a feature, that this build does not know."""


class MissingModelError(LcrsError):
    """The model that wrote the stream is not at hand, or another one of the same name is."""


class LimitError(LcrsError):
    """Following the input would take more pixels, bytes or threads than is allowed."""


class NotPortableError(LcrsError):
    """A portable result was asked for where only a machine-dependent one can be had."""


class NotPortableWarning(UserWarning):
    """A part of a model has no exact form and runs in torch: its strings do not decode everywhere."""


class ModelWarning(UserWarning):
    """Another package than one might think is used: of several of a name, or in place of a damaged one."""


class TargetWarning(UserWarning):
    """A file has another size or distortion than was asked for: the model does not go there."""
