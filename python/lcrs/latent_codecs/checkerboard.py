"""Context in two steps: first the places of one colour of a checkerboard, then the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lcrs import coding

# CompressAI's users import these from here.
from lcrs.entropy_models import EntropyModel  # noqa: F401
from lcrs.entropy_models.own_densities import is_overridden
from lcrs.errors import NotPortableError
from lcrs.latent_codecs.base import LatentCodec, fit, single
from lcrs.latent_codecs.gaussian_conditional import GaussianConditionalLatentCodec
from lcrs.latent_codecs.native import scan_arguments, scan_key
from lcrs.latent_codecs.own import codes_by_itself, decode_part, encode_part, num_steps_of
from lcrs.latent_codecs.steps import of_channels, round_around
from lcrs.latent_codecs.streams import SymbolReader, SymbolWriter
from lcrs.layers import CheckerboardMaskedConv2d
from lcrs.layers.agreement import DisagreementError
from lcrs.layers.foreign import in_torch
from lcrs.layers.module_state import why_changed
from lcrs.ops import quantize_ste  # noqa: F401
from lcrs.ops.cache import KeyedCache
from lcrs.registry import register_module

__all__ = ["CheckerboardLatentCodec"]

_POINTWISE = (nn.Sequential, nn.Identity, nn.ReLU, nn.LeakyReLU, nn.Sigmoid, nn.Softplus, nn.Tanh, nn.GELU)
_METHODS = ("onepass", "twopass", "twopass_faster")
_Steps = dict[str, Tensor]
"""A gain and its logarithm by name, as far as there are any."""


@register_module("CheckerboardLatentCodec")
class CheckerboardLatentCodec(LatentCodec):
    """A latent of which one half, the anchors, is coded first, and the other with the anchors as context.

    Of He et al., "Checkerboard context model for efficient learned image compression", CVPR 2021.

    .. code-block:: none

        anchors (even)     others
          ◌ □ ◌ □         ■ ◌ ■ ◌        ◌ being coded
          □ ◌ □ ◌   ──►   ◌ ■ ◌ ■        ■ known
          ◌ □ ◌ □         ■ ◌ ■ ◌        □ not yet known

               side_params        0            side_params   CP ◄─────────┐
                    └──────┬──────┘                 └────┬────┘           │
                           EP                            EP               │
                           │                             │                │
        y, anchors ──► codec "y" ──┬──►     others ──► codec "y" ──► y_hat│
                                   └──────────────────────────────────────┘

    Any height and width work, 1 included; CompressAI needs an even width. Of the three ways to train,

    - "onepass" runs EP once, with noise for the context;
    - "twopass" rounds the anchors around their means for the context, with the gradient passed straight
      through, runs EP for each half, and measures both halves together;
    - "twopass_faster" does the same with fewer operations; it gives the same where EP is pointwise.

    A gain, and in the domain "log" its logarithm, goes to the codec "y", and steps of quantisation are the
    inverse of it in the context as well. It broadcasts against `y`, (C, 1, 1) or (N, C, 1, 1) in `forward`;
    for coding it is the same for the whole batch, and must be exact.

    Args:
        latent_codec: The codec "y", which codes each half; by default a
            `GaussianConditionalLatentCodec(quantizer="ste")`.
        entropy_parameters: EP, from the concatenation of context and `side_params`; by default the identity.
            Where it is pointwise it is run only at the places being coded.
        context_prediction: CP, a `CheckerboardMaskedConv2d`; by default the identity.
        anchor_parity: "even" if the anchors are where row + column is even, or "odd".
        forward_method: "onepass", "twopass" or "twopass_faster".

    Raises:
        ValueError: Another parity, method or key of `latent_codec`.
    """

    def __init__(
        self,
        latent_codec: Mapping[str, LatentCodec] | None = None,
        entropy_parameters: nn.Module | None = None,
        context_prediction: nn.Module | None = None,
        anchor_parity: str = "even",
        forward_method: str = "twopass",
    ) -> None:
        super().__init__()
        codecs = dict(latent_codec or {})
        if not codecs.keys() <= {"y"}:
            raise ValueError(f'latent_codec is for {sorted(codecs)}; it must be for "y"')
        if anchor_parity not in ("even", "odd"):
            raise ValueError(f'anchor_parity is {anchor_parity!r}; it must be "even" or "odd"')
        if forward_method not in _METHODS:
            raise ValueError(f"forward_method is {forward_method!r}; it must be one of {', '.join(_METHODS)}")
        self.anchor_parity = anchor_parity
        self.non_anchor_parity = "odd" if anchor_parity == "even" else "even"
        self.forward_method = forward_method
        self.entropy_parameters = entropy_parameters or nn.Identity()
        self.context_prediction = context_prediction or nn.Identity()
        self._scan: KeyedCache[coding.CheckerboardScan | None] = KeyedCache()
        self.y = codecs["y"] if "y" in codecs else GaussianConditionalLatentCodec(quantizer="ste")

    @property
    def latent_codec(self) -> dict[str, LatentCodec]:
        """The codec by name."""
        return {"y": self.y}

    def __getitem__(self, key: str) -> LatentCodec:
        return self.latent_codec[key]

    # --- training ---

    def forward(
        self, y: Tensor, side_params: Tensor, gain: Tensor | None = None, log_gain: Tensor | None = None
    ) -> dict[str, Any]:
        """The latent with quantisation modelled, and its likelihoods.

        Args:
            y: (N, C, H, W).
            side_params: (N, C', H, W) or larger; what is beyond `y` is cut off.
            gain: Inverse of the step of quantisation; None is 1.
            log_gain: Its logarithm, in the domain "log".

        Returns:
            "y_hat" and "likelihoods" with "y", of the shape of `y`.
        """
        side_params = fit(side_params, y.shape[2:])
        steps = _given(gain, log_gain)
        if self.forward_method == "onepass":
            return self._forward_onepass(y, side_params, steps)
        if self.forward_method == "twopass":
            return self._forward_twopass(y, side_params, steps)
        return self._forward_twopass_faster(y, side_params, steps)

    def _forward_onepass(self, y: Tensor, side_params: Tensor, steps: _Steps) -> dict[str, Any]:
        y_hat = self.quantize(y, steps.get("gain"))
        context = self._only(self.context_prediction(y_hat), self.non_anchor_parity)
        y_out = self.y(y, self.entropy_parameters(self.merge(context, side_params)), **steps)
        return {"likelihoods": {"y": y_out["likelihoods"]["y"]}, "y_hat": y_hat}

    def _forward_twopass(self, y: Tensor, side_params: Tensor, steps: _Steps) -> dict[str, Any]:
        anchor_params = self.entropy_parameters(self.merge(self._no_context(y), side_params))
        anchors = self._only(self._rounded(y, anchor_params, steps), self.anchor_parity)
        other_params = self.entropy_parameters(self.merge(self.context_prediction(anchors), side_params))
        others = self._only(self._rounded(y, other_params, steps), self.non_anchor_parity)
        params = torch.where(self._mask(y, self.anchor_parity), anchor_params, other_params)
        y_out = self.y(y, params, **steps)
        return {"likelihoods": {"y": y_out["likelihoods"]["y"]}, "y_hat": anchors + others}

    def _forward_twopass_faster(self, y: Tensor, side_params: Tensor, steps: _Steps) -> dict[str, Any]:
        anchor_params = self.entropy_parameters(self.merge(self._no_context(y), side_params))
        anchors = self._only(self._rounded(y, anchor_params, steps), self.anchor_parity)
        context = self._only(self.context_prediction(anchors), self.non_anchor_parity)
        y_out = self.y(y, self.entropy_parameters(self.merge(context, side_params)), **steps)
        y_hat = torch.where(self._mask(y, self.anchor_parity), anchors, y_out["y_hat"])
        return {"likelihoods": {"y": y_out["likelihoods"]["y"]}, "y_hat": y_hat}

    def _rounded(self, y: Tensor, params: Tensor, steps: _Steps) -> Tensor:
        """`y` rounded around the means that the codec "y" takes from `params`, or as it says itself."""
        # The usual class needs no look at what is overridden, which torch.compile of torch 2.2 cannot trace.
        if type(self.y) is not GaussianConditionalLatentCodec and codes_by_itself(self.y):
            y_hat: Tensor = self.y(y, params, **steps)["y_hat"]
            return y_hat
        means = self.y.means_of(params) if isinstance(self.y, GaussianConditionalLatentCodec) else None
        return round_around(y, means, steps.get("gain"))

    def _no_context(self, y: Tensor) -> Tensor:
        """Zero in the shape that CP gives."""
        channels = getattr(self.context_prediction, "out_channels", None)
        if channels is None:
            with in_torch(self.context_prediction, self.device):
                channels = self.context_prediction(torch.zeros_like(y[:1], device=self.device)).shape[1]
        return y.new_zeros(y.shape[0], channels, *y.shape[2:])

    def quantize(self, y: Tensor, gain: Tensor | None = None) -> Tensor:
        """`y` with noise in training, rounded otherwise, in steps of `1 / gain`."""
        scaled = y if gain is None else y * gain
        noise = torch.empty_like(scaled).uniform_(-0.5, 0.5) if self.training else None
        quantised = torch.round(scaled) if noise is None else scaled + noise
        return quantised if gain is None else quantised / gain

    def merge(self, *args: Tensor) -> Tensor:
        """Context and `side_params` along the channels."""
        return torch.cat(args, dim=1)

    # --- coding ---

    def encode(
        self,
        writer: SymbolWriter,
        y: Tensor,
        side_params: Tensor,
        gain: Tensor | None = None,
        log_gain: Tensor | None = None,
    ) -> dict[str, Any]:
        """Writes the anchors, then the others; the shape is (C, H, W)."""
        values, side_params = single(y), single(fit(side_params, y.shape[2:]))
        steps = _given(gain, log_gain)
        # A native scan gives values alone, and a checksum for code outside of lcrs is of symbols.
        scan = self._native_scan() if writer.kind == "lcrs" and not writer.is_handed else None
        if scan is not None:
            rate = self._native_steps(steps, y.shape[1])
            encoders = writer.open_encoders()
            native = scan.encode(encoders, values.numpy(), side_params.numpy(), **rate)
            writer.close_encoders(encoders, native)
            return {"shape": y.shape[1:], "y_hat": torch.from_numpy(native)}
        if codes_by_itself(self.y):
            return {"shape": y.shape[1:], "y_hat": self._encode_own(writer, values, side_params, steps)}
        y_hat = torch.zeros_like(values)
        for parity in (self.anchor_parity, self.non_anchor_parity):
            rows, columns = self._places(y.shape[2:], parity)
            if not rows.numel():
                writer.skip()
                continue
            params = self._step_params(y_hat, side_params, parity, exact=True)
            out = self.y.encode(writer, values[..., rows, columns].unsqueeze(2), params, **steps)
            y_hat[..., rows, columns] = out["y_hat"].squeeze(2)
        return {"shape": y.shape[1:], "y_hat": y_hat}

    def decode(
        self,
        reader: SymbolReader,
        shape: Sequence[int],
        side_params: Tensor,
        gain: Tensor | None = None,
        log_gain: Tensor | None = None,
    ) -> dict[str, Any]:
        """Reads a latent of `shape` (C, H, W)."""
        side_params = single(fit(side_params, shape[1:]))
        steps = _given(gain, log_gain)
        is_native = reader.kind == "lcrs" and reader.exact and not reader.is_handed
        scan = self._native_scan() if is_native else None
        if scan is not None:
            rate = self._native_steps(steps, shape[0])
            decoders = reader.open_decoders()
            native = scan.decode(decoders, side_params.numpy(), **rate)
            reader.close_decoders(decoders, native)
            return {"y_hat": torch.from_numpy(native)}
        y_hat = torch.zeros(reader.batch_size, *shape)
        if codes_by_itself(self.y):
            return {"y_hat": self._decode_own(reader, y_hat, side_params, steps)}
        for parity in (self.anchor_parity, self.non_anchor_parity):
            rows, columns = self._places(shape[1:], parity)
            if not rows.numel():
                reader.skip()
                continue
            params = self._step_params(y_hat, side_params, parity, reader.exact)
            out = self.y.decode(reader, (1, rows.numel()), params, **steps)
            y_hat[..., rows, columns] = out["y_hat"].squeeze(2)
        return {"y_hat": y_hat}

    def _num_steps(self) -> tuple[int, int]:
        shared, own = num_steps_of(self.y)
        return 2 * shared, 2 * own

    def _encode_own(self, writer: SymbolWriter, y: Tensor, side_params: Tensor, steps: _Steps) -> Tensor:
        """Writes both halves with a codec that codes by itself, as `unembed` has them; returns `y_hat`."""
        y_hat = torch.zeros_like(y)
        for half, parity in enumerate((self.anchor_parity, self.non_anchor_parity)):
            params = self.unembed(self._params(y_hat, side_params, parity, exact=True))[half]
            out = encode_part(writer, self.y, self.unembed(y)[half], params, **steps)
            self._enter(y_hat, out["y_hat"], parity)
        return y_hat

    def _decode_own(self, reader: SymbolReader, y_hat: Tensor, side_params: Tensor, steps: _Steps) -> Tensor:
        """Reads what `_encode_own` wrote into `y_hat`."""
        size = (y_hat.shape[2], (y_hat.shape[3] + 1) // 2)
        for half, parity in enumerate((self.anchor_parity, self.non_anchor_parity)):
            params = self.unembed(self._params(y_hat, side_params, parity, reader.exact))[half]
            self._enter(y_hat, decode_part(reader, self.y, size, params, **steps)["y_hat"], parity)
        return y_hat

    def _enter(self, y_hat: Tensor, half: Tensor, parity: str) -> None:
        rows, columns = self._places(y_hat.shape[2:], parity)
        y_hat[..., rows, columns] = half[..., rows, columns // 2]

    def _params(self, y_hat: Tensor, side_params: Tensor, parity: str, exact: bool) -> Tensor:
        """What EP gives everywhere, when the places of `parity` are next."""
        is_first = parity == self.anchor_parity
        context = self._no_context(y_hat) if is_first else self._network("context_prediction", y_hat, exact)
        return self._network("entropy_parameters", self.merge(context, side_params), exact)

    def _native_scan(self) -> coding.CheckerboardScan | None:
        """Both steps as one native call, remade when a parameter has changed; None if it has no such form."""
        leaf = self.y
        if not isinstance(leaf, GaussianConditionalLatentCodec) or leaf.chunks == ("means",):
            return None
        if codes_by_itself(leaf) or is_overridden(leaf, "encode", "decode", "_coded", "_chunk", "thresholds"):
            return None
        if not isinstance(self.context_prediction, CheckerboardMaskedConv2d):
            return None
        if getattr(self.merge, "__func__", None) is not CheckerboardLatentCodec.merge:
            return None
        network = nn.Sequential(self.entropy_parameters, leaf.entropy_parameters)
        parts = (leaf.gaussian_conditional, self.context_prediction, network)

        def build() -> coding.CheckerboardScan | None:
            try:
                arguments = scan_arguments(*parts, leaf.thresholds())
            except DisagreementError as error:
                if not error.is_inherited:
                    raise
                return None
            except NotPortableError:
                return None  # the steps in Python tell
            if arguments is None:
                return None
            geometry: Any = {"parameters": ", ".join(leaf.chunks), "first": self.anchor_parity}
            return coding.CheckerboardScan(**arguments, **geometry)

        return self._scan.get(scan_key(*parts) + leaf.thresholds().tobytes(), build)

    def _native_steps(self, steps: _Steps, num_channels: int) -> dict[str, Any]:
        """Arguments of the native scan."""
        assert isinstance(self.y, GaussianConditionalLatentCodec)
        self.y.check_gain(**steps)
        return {name: of_channels(value, num_channels).numpy() for name, value in steps.items()}

    def _step_params(self, y_hat: Tensor, side_params: Tensor, parity: str, exact: bool) -> Tensor:
        """What EP gives at the P places of `parity`, (N, C', 1, P), when `y_hat` is known at the others."""
        is_first = parity == self.anchor_parity
        context = self._no_context(y_hat) if is_first else self._network("context_prediction", y_hat, exact)
        merged = self.merge(context, side_params)
        rows, columns = self._places(y_hat.shape[2:], parity)
        if _is_pointwise(self.entropy_parameters):
            return self._network("entropy_parameters", merged[..., rows, columns].unsqueeze(2), exact)
        return self._network("entropy_parameters", merged, exact)[..., rows, columns].unsqueeze(2)

    # --- geometry ---

    def unembed(self, y: Tensor) -> Tensor:
        """Separates anchors and others, each row pushed together.

        .. code-block:: none

            ■ □ ■ □         ■ ■   □ □
            □ ■ □ ■   ──►   ■ ■   □ □
            ■ □ ■ □         ■ ■   □ □

        Args:
            y: (N, C, H, W).

        Returns:
            (2, N, C, H, ceil(W / 2)): the anchors, then the others; with an odd width, zero at the end of
            rows that have one place less.
        """
        height, width = y.shape[-2:]
        out = y.new_zeros(2, *y.shape[:-1], (width + 1) // 2)
        for half, parity in enumerate((self.anchor_parity, self.non_anchor_parity)):
            rows, columns = self._places((height, width), parity)
            out[half][..., rows, columns // 2] = y[..., rows, columns]
        return out

    def embed(self, y_: Tensor, width: int | None = None) -> Tensor:
        """The inverse of `unembed`.

        Args:
            y_: (2, N, C, H, ceil(W / 2)).
            width: W; by default the even one.

        Returns:
            (N, C, H, W).

        Raises:
            ValueError: There are not two halves, or `width` is not one that they can have.
        """
        width = 2 * y_.shape[-1] if width is None else width
        if y_.shape[0] != 2 or (width + 1) // 2 != y_.shape[-1]:
            raise ValueError(f"y_ has shape {tuple(y_.shape)}, which is not two halves of width {width}")
        out = y_.new_zeros(*y_.shape[1:-1], width)
        for half, parity in enumerate((self.anchor_parity, self.non_anchor_parity)):
            rows, columns = self._places(out.shape[-2:], parity)
            out[..., rows, columns] = y_[half][..., rows, columns // 2]
        return out

    def _mask(self, y: Tensor, parity: str) -> Tensor:
        """Where row + column has `parity`: bool (H, W) on the device of `y`."""
        height, width = y.shape[-2:]
        rows = torch.arange(height, device=y.device).unsqueeze(1)
        columns = torch.arange(width, device=y.device)
        return (rows + columns) % 2 == (parity == "odd")

    def _only(self, x: Tensor, parity: str) -> Tensor:
        """`x` at the places of `parity`, zero elsewhere."""
        return torch.where(self._mask(x, parity), x, 0)

    def _places(self, size: Sequence[int], parity: str) -> tuple[Tensor, Tensor]:
        """Rows and columns of the places of `parity`, in raster order."""
        rows, columns = self._mask(torch.empty(*size, device="cpu"), parity).nonzero(as_tuple=True)
        return rows, columns


def _given(gain: Tensor | None, log_gain: Tensor | None) -> _Steps:
    steps = {"gain": gain, "log_gain": log_gain}
    return {name: value for name, value in steps.items() if value is not None}


def _is_pointwise(network: nn.Module) -> bool:
    """Whether `network` is a chain of 1x1 convolutions and functions, as far as that is known."""
    return all(
        (type(module) in _POINTWISE or (type(module) is nn.Conv2d and module.kernel_size == (1, 1)))
        and not why_changed(module)
        for module in network.modules()
    )
