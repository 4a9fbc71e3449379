"""Where modules went that lay elsewhere in earlier versions: importing one by its old path gives the new one.

Paths that are CompressAI's too (`lcrs.models.vbr`, `lcrs.latent_codecs.gain`, ...) are files instead, which
editors and type checkers see.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["MOVED", "install"]

MOVED = {
    "lcrs.models.gain": "lcrs.models.variable_rate",
    "lcrs.models.gain.base": "lcrs.models.variable_rate.gain_model",
    "lcrs.models.gain.hyperprior": "lcrs.models.variable_rate.gain_hyperprior",
    "lcrs.models.gain.levels": "lcrs.models.variable_rate.levels",
    "lcrs.models.gain.plain_keys": "lcrs.models.variable_rate.plain_keys",
    "lcrs.models.gain.space_channel": "lcrs.models.variable_rate.gain_space_channel",
    "lcrs.models.gain.transforms": "lcrs.models.variable_rate.shuffle_transforms",
    "lcrs.models.gained": "lcrs.models.variable_rate.gained_mean_scale",
    "lcrs.models.variable_rate.scaled_latent": "lcrs.models.variable_rate.latent_gain",
    "lcrs.latent_codecs.offsets": "lcrs.latent_codecs.shrinkage",
    "lcrs.codec.package_index": "lcrs.packages.index",
    "lcrs.codec.packages": "lcrs.packages.lookup",
    "lcrs.entropy_models.peer_tables": "lcrs.entropy_models.compressai_tables",
    "lcrs.zoo.packages": "lcrs.packages.to_network",
    "lcrs.zoo.peer_files": "lcrs.zoo.compressai_files",
    "lcrs.zoo.shipped": "lcrs.packages.shipped",
}
"""Old paths, and what is there now."""


class _Finder:
    """Finds modules by their old paths. It comes first: folders lead to copies of the files below them."""

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname not in MOVED:
            return None
        return ModuleSpec(fullname, _Loader())  # type: ignore[arg-type]  # importlib.abc is slow to load


class _Loader:
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(MOVED[spec.name])
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Gives the module its own description back, which importing has overwritten; it has run already."""
        module.__spec__ = self._spec


def install() -> None:
    """Makes the old paths known to imports."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
