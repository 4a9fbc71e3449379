"""What the decoder sees while it learns: noise, or rounded values with the identity's gradient or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from lcrs.entropy_models import EntropyBottleneck, EntropyModel, GaussianConditional
from lcrs.latent_codecs.steps import round_around
from lcrs.ops import quantize_ste

__all__ = ["MixedQuantization", "harden", "soften"]


class MixedQuantization:
    """Noise where entropy models measure the rate, straight-through rounding where they restore.

    Minnen and Singh, "Channel-wise autoregressive entropy models for learned image compression", ICIP 2020,
    section 3. Works on any network whose latents go through entropy models; models that round by themselves
    already stay as they are. Undone by `close`.
    """

    def __init__(self, net: nn.Module) -> None:
        self._undo: list[Callable[[], None]] = []
        for module in net.modules():
            if isinstance(module, EntropyModel):
                self._change(module)

    def _change(self, module: EntropyModel) -> None:
        """Replaces what `forward` restores, and what `quantize` gives to those who call it themselves."""
        inside = False
        original = module.quantize

        def enter(_module: nn.Module, _args: Any) -> None:
            nonlocal inside
            inside = True

        def leave(_module: nn.Module, args: Any, kwargs: Any, out: Any) -> Any:
            nonlocal inside
            inside = False
            if not module.training or not isinstance(out, tuple):
                return out
            _, likelihoods = out
            return round_around(args[0], _means_of(module, args, kwargs)), likelihoods

        def quantize(inputs: Tensor, mode: str, means: Tensor | None = None) -> Tensor:
            if mode == "noise" and not inside:
                return quantize_ste(inputs)
            return original(inputs, mode, means)

        before = module.register_forward_pre_hook(enter)
        after = module.register_forward_hook(leave, with_kwargs=True, always_call=False)
        vars(module)["quantize"] = quantize

        def undo() -> None:
            before.remove()
            after.remove()
            vars(module).pop("quantize", None)

        self._undo.append(undo)

    def close(self) -> None:
        """Leaves the network as it was."""
        while self._undo:
            self._undo.pop()()


def _means_of(module: EntropyModel, args: Any, kwargs: Any) -> Tensor | None:
    """What values are rounded around."""
    if isinstance(module, EntropyBottleneck):
        return module._get_medians().reshape(1, -1, *([1] * (args[0].dim() - 2)))
    if isinstance(module, GaussianConditional):
        means: Tensor | None = kwargs.get("means", args[2] if len(args) > 2 else None)
        return means
    return None


def harden(net: nn.Module) -> None:
    """Has entropy models round, without noise and without a gradient to what they are given, as in files."""
    for module in net.modules():
        if isinstance(module, EntropyModel):
            module.eval()


def soften(net: nn.Module) -> None:
    """Undoes `harden`."""
    for module in net.modules():
        if isinstance(module, EntropyModel):
            module.train()
