"""What the hyperpriors have in common whose rate is steered by levels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lcrs import coding
from lcrs.entropy_models import GaussianConditional
from lcrs.errors import NotPortableError
from lcrs.layers.exact import suits_exact_engine
from lcrs.layers.foreign import coding_scope, report, run_in_torch
from lcrs.layers.lowering import GraphBuilder, LoweredGraph
from lcrs.layers.module_state import state_key
from lcrs.models.base import PictureModel, get_scale_table
from lcrs.models.pictures import crop_to, restored_picture
from lcrs.models.variable_rate.levels import (
    LevelTable,
    checked_levels,
    chosen_level,
    level_of,
    lmbda_at,
    scaled_at_level,
)
from lcrs.ops import quantize_ste
from lcrs.ops.cache import KeyedCache

__all__ = ["GainModel"]


class GainModel(PictureModel):
    """Base of models with a `z` of Gaussians, learned for levels, and a `y` under what `h_s` makes of it.

    A derived class sets `g_a`, `g_s`, `h_a` and `h_s`, and defines how y is quantised and coded, and, where
    gains go in between, the transforms with them, in torch and lowered.

    Args:
        M: Channels of `y`.
        Z: Channels of `z`.
        num_levels: Number of levels K, at least 2.
        lmbda_min: Lagrangian weight of 255^2 MSE at level 0.
        lmbda_max: The same at level K - 1; levels between are spaced logarithmically.
        keeps_lmbda: Whether these are in the state dict.
        scale_table: Scales of the rows of the Gaussian table; by default CompressAI's.

    Raises:
        ValueError: there are fewer than 2 levels.
    """

    log_lmbda: Tensor
    downsampling_factor = 16
    h_a: nn.Module
    h_s: nn.Module

    def __init__(
        self,
        M: int,
        Z: int,
        *,
        num_levels: int,
        lmbda_min: float,
        lmbda_max: float,
        keeps_lmbda: bool,
        scale_table: Tensor | None = None,
    ) -> None:
        super().__init__()
        if num_levels < 2:
            raise ValueError(f"num_levels is {num_levels}, must be at least 2")
        self.M, self.num_levels = int(M), int(num_levels)
        self._graphs: dict[str, KeyedCache[coding.Graph]] = {}
        log_lmbda = torch.linspace(math.log(lmbda_min), math.log(lmbda_max), num_levels)
        self.register_buffer("log_lmbda", log_lmbda, persistent=keeps_lmbda)
        # z carries side information, whose step changes half as fast as that of y.
        self.z_log_gain = LevelTable(0.5 * self._slope().repeat(1, Z))
        self.z_log_scale = LevelTable(torch.full((num_levels, Z), math.log(2.0)))
        self.z_mean = LevelTable(torch.zeros(num_levels, Z))
        self.gaussian_conditional = GaussianConditional(
            get_scale_table() if scale_table is None else scale_table
        )

    def _slope(self) -> Tensor:
        """Log-gains of y to begin with, (K, 1), zero in the middle.

        The step of quantisation that suits lambda goes with lambda^-1/2 (high-rate theory).
        """
        return 0.5 * (self.log_lmbda - self.log_lmbda.mean())[:, None]

    def level_of(self, quality: float) -> float:
        """As the function `level_of`, for this model."""
        return level_of(quality, self.num_levels)

    def _chosen_level(self, quality: float | None, level: float | None) -> float:
        chosen = chosen_level(quality, level, self.num_levels)
        if chosen is None:
            return self.level_of(50)
        return float(checked_levels(float(chosen), self.num_levels, self.log_lmbda[:1])[0])

    def lmbda(self, level: Tensor) -> Tensor:
        """Lagrangian weight of 255^2 MSE at `level` (N,), each from 0 to K - 1."""
        return lmbda_at(level, self.log_lmbda)

    def update(
        self,
        scale_table: Sequence[float] | Tensor | None = None,
        force: bool = False,
        update_quantiles: bool = False,
    ) -> bool:
        """As in `CompressionModel`, but that the scale table stays as it is by default."""
        if scale_table is None:
            scale_table = self.gaussian_conditional.effective_scale_table()
        return super().update(scale_table, force, update_quantiles)

    # --- training ---

    def _quantized_y(self, y: Tensor, params: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """Must be overridden: y with quantisation modelled, and likelihoods, under what `h_s` gave."""
        raise NotImplementedError(f"{type(self).__name__} quantises no latent")

    def _analysis(self, x: Tensor, level: Tensor) -> Tensor:
        """The latent y of pictures whose sides are multiples of 16."""
        raise NotImplementedError(f"{type(self).__name__} has no analysis")

    def _synthesis(self, y_hat: Tensor, level: Tensor) -> Tensor:
        """Pictures of a y."""
        raise NotImplementedError(f"{type(self).__name__} has no synthesis")

    def _hyper_analysis(self, y: Tensor, level: Tensor) -> Tensor:
        """The gained latent z of a y."""
        z: Tensor = self.h_a(y) * torch.exp(self.z_log_gain(level))
        return z

    def forward(self, x: Tensor, level: Tensor | float | None = None) -> dict[str, Any]:
        """Restores pictures at given rate levels and measures their rate.

        Args:
            x: Pictures in [0, 1], (N, 3, H, W).
            level: From 0 to `num_levels` - 1: a number, or one for each picture, (N,). None is the middle,
                that of quality 50.

        Returns:
            `x_hat` (N, 3, H, W), not clamped, and `likelihoods` of the padded picture's `y`, a 16th of its
            sides, and `z`, a 64th.

        Raises:
            ValueError: a level is outside of that.
        """
        # Quality 50 is the middle, to the bit; torch's compiler sees through a sum, not into native code.
        middle = (self.num_levels - 1) / 2
        levels = checked_levels(middle if level is None else level, self.num_levels, x)
        y = self._analysis(self._padded(x), levels)
        z = self._hyper_analysis(y, levels)
        z_means, z_scales = self.z_mean(levels).expand_as(z), torch.exp(self.z_log_scale(levels)).expand_as(z)
        _, z_likelihoods = self.gaussian_conditional(z, z_scales, means=z_means)
        z_hat = quantize_ste(z - z_means) + z_means
        params = crop_to(self.h_s(z_hat * torch.exp(-self.z_log_gain(levels))), y.shape[-2:])
        y_hat, y_likelihoods = self._quantized_y(y, params, levels)
        x_hat = crop_to(self._synthesis(y_hat, levels), x.shape[-2:])
        return {"x_hat": x_hat, "likelihoods": {"y": y_likelihoods, "z": z_likelihoods}}

    # --- lowering ---

    def _lowerings(self) -> Mapping[str, Callable[[], LoweredGraph]]:
        """How the parts of the model lower, with their gains, at the level of a run."""
        return {
            "g_a": self._lower_analysis,
            "g_s": self._lower_synthesis,
            "h_a": self._lower_hyper_analysis,
            "h_p": self._lower_hyper_prior,
            "h_s": self._lower_hyper_synthesis,
        }

    def _lower_analysis(self) -> LoweredGraph:
        raise NotPortableError(f"{type(self).__name__} does not say how its analysis lowers")

    def _lower_synthesis(self) -> LoweredGraph:
        raise NotPortableError(f"{type(self).__name__} does not say how its synthesis lowers")

    def _lower_hyper_synthesis(self) -> LoweredGraph:
        raise NotPortableError(f"{type(self).__name__} does not say how its h_s lowers")

    def _lower_hyper_analysis(self) -> LoweredGraph:
        graph = GraphBuilder()
        z = graph.call(self.h_a, graph.input("y"), "h_a")
        return graph.finish({"z": scaled_at_level(graph, z, self.z_log_gain, "z_log_gain")})

    def _lower_hyper_prior(self) -> LoweredGraph:
        graph = GraphBuilder()
        scales = self.z_log_scale.at_level(graph, "z_log_scale")
        return graph.finish({"scales": scales, "means": self.z_mean.at_level(graph, "z_mean")})

    # --- coding ---

    def _exact(self, name: str, level: float, *inputs: Tensor) -> dict[str, Tensor]:
        """Runs a part of the model on the exact engine; it is lowered anew when parameters change."""

        def build() -> coding.Graph:
            lowered = self._lowerings()[name]()
            return coding.Graph(lowered.json, lowered.tensors)

        cache = self._graphs.setdefault(name, KeyedCache())
        graph = cache.get(state_key(self), build)
        arrays = [x.detach().float().cpu().contiguous().numpy() for x in inputs]
        return {key: torch.from_numpy(out) for key, out in graph.run(arrays, level=level).items()}

    def _transformed_at(self, name: str, x: Tensor, level: float) -> Tensor:
        """The transform `name` of `x` at a level, for coding; where it runs is as in `PictureModel`."""
        if suits_exact_engine(x):
            try:
                (out,) = self._exact(name, level, x).values()
                return out
            except NotPortableError:
                pass
        in_torch = {"g_a": self._analysis, "h_a": self._hyper_analysis, "g_s": self._synthesis}
        x = x.to(self.z_mean.values)
        return in_torch[name](x, torch.full((x.shape[0],), level, device=x.device))

    def _indexes(self, log_scales: Tensor) -> Tensor:
        """Row of the table whose scale is nearest in ratio, int32, same shape."""
        thresholds = self.gaussian_conditional.thresholds(nearest=True, log=True)
        return torch.from_numpy(coding.indexes(log_scales.contiguous().numpy(), thresholds))

    def _prior(self, shape: Sequence[int], level: float) -> tuple[Tensor, Tensor]:
        """Table rows and means of `z` (N, Z, H, W)."""
        params = self._exact("h_p", level)
        rows, means = self._indexes(params["scales"]), params["means"]
        return rows.expand(*shape).contiguous(), means.expand(*shape).contiguous()

    def _params(self, z_hat: Tensor, size: Sequence[int], level: float) -> dict[str, Tensor]:
        """What the lowered `h_s` gives for a y whose size is (H, W)."""
        try:
            outs = self._exact("h_s", level, z_hat)
        except NotPortableError as error:
            report(self.h_s, str(error))
            outs = self._hyper_synthesis_in_torch(z_hat, level)
        return {name: crop_to(out, size).contiguous() for name, out in outs.items()}

    def _hyper_synthesis_in_torch(self, z_hat: Tensor, level: float) -> dict[str, Tensor]:
        """What the lowered `h_s` would give, if it has no exact form; float32 on the CPU."""
        levels = torch.full((1,), level, device=self.z_mean.values.device)
        scaled = z_hat.to(levels.device) * torch.exp(-self.z_log_gain(levels))
        return {"side": run_in_torch(self.h_s, scaled)}

    def _encode_y(self, y: Tensor, params: dict[str, Tensor], level: float) -> list[list[bytes]]:
        """Must be overridden: lists of strings of y, (N, M, H, W)."""
        raise NotImplementedError(f"{type(self).__name__} codes no latent")

    def _decode_y(
        self,
        strings: Sequence[Sequence[bytes]],
        shape: Sequence[int],
        params: dict[str, Tensor],
        level: float,
    ) -> Tensor:
        """Must be overridden: the y, of size `shape` (H, W), that `_encode_y` coded."""
        raise NotImplementedError(f"{type(self).__name__} decodes no latent")

    @coding_scope()
    @torch.no_grad()
    def compress(
        self, x: Tensor, quality: float | None = None, *, level: float | None = None
    ) -> dict[str, Any]:
        """Codes pictures.

        Args:
            x: Pictures in [0, 1], (N, 3, H, W).
            quality: From 0 to 100; rate and quality rise with it. By default 50.
            level: Instead of a quality, from 0 to `num_levels` - 1.

        Returns:
            `strings`: lists of strings of y, then the strings of z, in each list one for each picture;
            `shape`: (H, W) of y; `size`: (H, W) of the picture.

        Raises:
            ValueError: the quality or level is outside of its range, or both are given.
        """
        level = self._chosen_level(quality, level)
        y = self._transformed_at("g_a", self._padded(x), level)
        z = self._transformed_at("h_a", y, level)
        rows, means = self._prior(z.shape, level)
        z_strings = self.gaussian_conditional.compress(z, rows, means)
        z_hat = self.gaussian_conditional.decompress(z_strings, rows, means=means)
        y_strings = self._encode_y(y, self._params(z_hat, y.shape[-2:], level), level)
        return {"strings": [*y_strings, z_strings], "shape": y.shape[-2:], "size": x.shape[-2:]}

    @coding_scope()
    @torch.no_grad()
    def decompress(  # type: ignore[override]
        self,
        strings: Sequence[Sequence[bytes]],
        shape: Sequence[int],
        quality: float | None = None,
        size: Sequence[int] | None = None,
        *,
        level: float | None = None,
    ) -> dict[str, Any]:
        """Restores what `compress` wrote.

        Args:
            strings: As `compress` returned them.
            shape: As `compress` returned it.
            quality: As given to `compress`.
            size: (H, W) of the picture, to crop to; None leaves the padding on.
            level: As given to `compress`.

        Returns:
            `x_hat` in [0, 1], (N, 3, H, W).

        Raises:
            LcrsError: a string is damaged or belongs to another model or quality.
            ValueError: the number of strings is wrong, the quality or level is outside of its range, or both
                are given.
        """
        level = self._chosen_level(quality, level)
        *y_strings, z_strings = self._checked_strings(strings)
        height, width = shape
        z_shape = (len(z_strings), self.z_mean.values.shape[1], -(-height // 4), -(-width // 4))
        rows, means = self._prior(z_shape, level)
        z_hat = self.gaussian_conditional.decompress(z_strings, rows, means=means)
        y_hat = self._decode_y(y_strings, shape, self._params(z_hat, shape, level), level)
        x_hat = self._transformed_at("g_s", y_hat.to(self.z_mean.values.device), level)
        return {"x_hat": restored_picture(x_hat, size, self.g_s)}

    def _checked_strings(self, strings: Sequence[Sequence[bytes]]) -> Sequence[Sequence[bytes]]:
        """Must be overridden: `strings` if they are as many lists as `compress` returns, of one length.

        Raises:
            ValueError: they are not.
        """
        raise NotImplementedError(f"{type(self).__name__} decodes no latent")
