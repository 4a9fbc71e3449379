"""The native module. Private: use `lcrs.coding`, which is its only importer.

Arrays are C-contiguous NumPy arrays of the dtype named, or CPU tensors (anything with `detach()` and
`numpy()`); they are read in place and must not be changed by other threads during a call. The GIL is
released for all but the smallest jobs. A wrong type raises `TypeError`; a wrong dtype, layout, shape or
value raises `ValueError` that says what was given and what is legal. What bytes can do wrong raises a
child of `lcrs.errors.LcrsError`.
"""

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from typing import Any, Literal, Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CdfTable",
    "CheckerboardScan",
    "CloudPackage",
    "Decoder",
    "Encoder",
    "Graph",
    "Octree",
    "Package",
    "RasterScan",
    "RateSearch",
    "__version__",
    "_panic",
    "ball_points",
    "build_profile",
    "bytes_needed",
    "codes_clouds",
    "compress_lossless",
    "decode",
    "decode_batch",
    "decode_into",
    "decode_latents",
    "decompress_lossless",
    "decompress_lossless_bytes",
    "default_scale_table",
    "dequantize",
    "each_step",
    "encode",
    "encode_batch",
    "encode_latents",
    "encoded_bound",
    "factorized_medians",
    "factorized_table",
    "farthest_points",
    "fingerprint",
    "gaussian_table",
    "indexes",
    "info_json",
    "int32_array",
    "level_of",
    "metadata",
    "mixture_table",
    "morton_codes",
    "morton_order",
    "nearest_points",
    "normals_of_points",
    "num_threads",
    "package_digests",
    "pmf_to_quantized_cdf",
    "quantize",
    "read_not_portable",
    "scale_table",
    "simd_path",
    "simd_paths",
    "structural_similarity",
    "thresholds",
    "transcode",
    "voxelize_points",
    "write_not_portable",
]

__version__: str
build_profile: Literal["debug", "release"]

class _Tensor(Protocol):
    @property
    def device(self) -> Any: ...
    def detach(self) -> Any: ...

_Int32: TypeAlias = NDArray[np.int32] | _Tensor
_Float32: TypeAlias = NDArray[np.float32] | _Tensor
_Coordinates: TypeAlias = NDArray[np.float32] | NDArray[np.float64] | _Tensor
_Bytes: TypeAlias = bytes | bytearray | memoryview | NDArray[np.uint8]
_Kind: TypeAlias = Literal["lcrs", "ans"]

# Fingerprints -------------------------------------------------------------------------------------

def fingerprint(arrays: Iterable[NDArray[np.uint8]]) -> bytes:
    """16 bytes that tell contents apart, at the speed of memory; for caches, not for what leaves the process.

    Args:
        arrays: uint8, any number, of any length: their bytes and lengths count, in order.
    """

# Runtime ------------------------------------------------------------------------------------------

def simd_paths() -> list[str]:
    """The instruction sets of this processor that there are kernels for, slowest first."""

def simd_path() -> str:
    """The instruction set that this process runs on: `LCRS_SIMD`, or the fastest.

    Raises:
        ValueError: `LCRS_SIMD` names one that is unknown or not to be had here.
    """

def _panic(message: str, threads: int | None = None) -> None:
    """Panics in a job, on this thread or on one of the pool; tests see that it becomes an `LcrsError`."""

def num_threads() -> int:
    """The number of threads of calls without `threads=`.

    It is `LCRS_NUM_THREADS`, else one inside a DataLoader worker, else one a processor; read on first use
    in each process.

    Raises:
        ValueError: `LCRS_NUM_THREADS` is not a number in 1..=1024.
    """

# Tables -------------------------------------------------------------------------------------------

@final
class CdfTable:
    """An immutable, validated table of cumulative distributions, one a row.

    Row `r` is `cdfs[r, :lengths[r]]`: increasing from 0 to `2**precision`. Its entries stand for the
    values `offsets[r], offsets[r] + 1, ...`, and the last one for an escape, after which any other int32
    is spelled out. The arrays are checked and copied.

    Args:
        cdfs: int32, (rows, width); what lies beyond a row's length is ignored.
        lengths: int32, (rows,): the entries used of each row, from 2 to `width`.
        offsets: int32, (rows,): the value of each row's first entry.
        precision: bits of the frequencies' sum, 1 to 16.
        heavy_tails: much lies beyond the rows: "lcrs" streams then pack escapes if that is shorter.

    Raises:
        ValueError: a row is not as above, with the row and the entry.
    """

    def __new__(
        cls, cdfs: _Int32, lengths: _Int32, offsets: _Int32, precision: int = 16, heavy_tails: bool = False
    ) -> CdfTable: ...
    @property
    def num_rows(self) -> int:
        """Number of rows, which is the number of legal indexes."""

    @property
    def precision(self) -> int:
        """Bits of the frequencies' sum."""

    @property
    def heavy_tails(self) -> bool:
        """Whether "lcrs" streams pack escapes if that is shorter."""

    @property
    def cdfs(self) -> NDArray[np.int32]:
        """A copy of the rows, int32 (rows, width), zero beyond each row's length."""

    @property
    def lengths(self) -> NDArray[np.int32]:
        """A copy of the rows' lengths, int32 (rows,)."""

    @property
    def offsets(self) -> NDArray[np.int32]:
        """A copy of the rows' offsets, int32 (rows,)."""

    def __len__(self) -> int:
        """Number of rows."""

    def __copy__(self) -> CdfTable: ...
    def __deepcopy__(self, _memo: Any, /) -> CdfTable: ...
    def __getnewargs__(
        self,
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], int, bool]: ...

def pmf_to_quantized_cdf(pmf: _Float32, precision: int = 16) -> NDArray[np.uint32]:
    """Quantises a probability mass function so that every symbol has a frequency of at least 1.

    Integer for integer CompressAI's function of that name.

    Args:
        pmf: float32, (symbols,): not negative, finite; it need not sum to 1.
        precision: bits of the total, 1 to 16.

    Returns:
        uint32, (symbols + 1,): from 0 to `2**precision`.

    Raises:
        ValueError: a mass is negative or not finite, all are zero, or there are more than
            `2**precision`.
    """

def default_scale_table() -> NDArray[np.float32]:
    """The field's 64 scales from 0.11 to 256, float32 (64,)."""

def scale_table(min: float, max: float, levels: int) -> NDArray[np.float32]:
    """Scales in geometric progression from `min` to `max`, float32 (levels,).

    Raises:
        ValueError: a bound is not positive and finite in float32, `min` is above `max`, or there are
            more than 65,536 levels.
    """

def gaussian_table(scales: _Float32, tail_mass: float = 1e-9, precision: int = 16) -> CdfTable:
    """The table of zero-mean Gaussians, one row a scale.

    Args:
        scales: float32, (rows,): standard deviations, positive.
        tail_mass: the probability outside a row's values, which its escape entry gets.
        precision: bits of the frequencies' sum, 1 to 16.

    Returns:
        For the 64 default scales, CompressAI's table integer for integer.

    Raises:
        ValueError: a scale, the tail mass or the precision is out of range, or a row has more than
            `2**precision` entries.
    """

def factorized_table(
    matrices: Iterable[_Float32],
    biases: Iterable[_Float32],
    factors: Iterable[_Float32],
    quantiles: _Float32 | None = None,
    tail_mass: float = 1e-9,
    tails: Literal["quantiles", "bisection"] = "quantiles",
    step: float = 1.0,
    precision: int = 16,
) -> CdfTable:
    """The table of a learned factorized density (Balle et al. 2018, appendix 6.1), one row a channel.

    Args:
        matrices: float32, one a layer, (channels, out, in): the raw parameters.
        biases: float32, one a layer, (channels, out, 1).
        factors: float32, one a layer but the last, (channels, out, 1).
        quantiles: float32, (channels, 1, 3): lower tail, median, upper tail; or (channels,): medians.
        Without
            them medians and tails come from bisection.
        tail_mass: the probability outside a row's values, for bisection.
        tails: where rows end: at the quantiles, or, with medians only or `"bisection"`, where the tails
            begin.
        step: float32: rows hold multiples of it around the medians.
        precision: bits of the frequencies' sum, 1 to 16.

    Raises:
        ValueError: shapes do not fit, a value is not finite, the step is not positive, the precision is
            out of range, or a row would exceed `2**precision` entries.
    """

def factorized_medians(
    matrices: Iterable[_Float32], biases: Iterable[_Float32], factors: Iterable[_Float32]
) -> NDArray[np.float32]:
    """The medians of a learned factorized density by bisection, float32 (channels,).

    Arguments and errors are those of `factorized_table`.
    """

def thresholds(scales: _Float32, *, nearest: bool = False, log: bool = False) -> NDArray[np.float32]:
    """Where the rows of a Gaussian table end: the thresholds for `indexes`.

    Args:
        scales: float32, (rows,): the table's scales, ascending.
        nearest: a scale picks the row whose scale is nearest in ratio, not the smallest that is not
        below it.
        log: for logarithms of scales.

    Returns:
        float32, (rows - 1,), the same on every machine.
    """

def mixture_table(scales: _Float32, means: _Float32, weights: _Float32, max: int) -> CdfTable:
    """The table of Gaussian mixtures, one row a mixture, for the integers from `-max` to `max`.

    Args:
        scales: float32, (components, rows): standard deviations, brought into 0.11..=256.
        means: float32, of that shape.
        weights: float32, of that shape, not negative.
        max: the largest magnitude, 1 to 2**14 - 1.

    Raises:
        ValueError: shapes do not fit, or a parameter or the magnitude is out of range.
    """

# Quantisation --------------------------------------------------------------------------------

def indexes(scales: _Float32, thresholds: _Float32) -> NDArray[np.int32]:
    """Table rows for scales: the number of `thresholds` that a scale exceeds.

    Args:
        scales: float32, any shape.
        thresholds: float32, (rows - 1,), increasing.

    Returns:
        int32, the shape of `scales`, from 0 to `rows - 1`.

    Raises:
        ValueError: a scale is not a number, with its position.
    """

def quantize(y: _Float32, means: _Float32 | None = None) -> NDArray[np.int32]:
    """Symbols of a latent: `round_half_even(y - means)`, computed in float32.

    Args:
        y: float32, any shape.
        means: float32, the shape of `y`; zero without it.

    Raises:
        ValueError: a difference is not finite, or is `2**24` or more, with its position.
    """

def dequantize(symbols: _Int32, means: _Float32 | None = None) -> NDArray[np.float32]:
    """Values of symbols: `symbols + means`, computed in float32, in the shape of `symbols`."""

# Lists --------------------------------------------------------------------------------------------

def int32_array(values: Any) -> NDArray[np.int32] | None:
    """The integers of a list or a tuple as an int32 array, several times as fast as NumPy makes one.

    Returns:
        int32, (len(values),); or None, if an item is no integer or does not fit 32 bits.
    """

# Coder --------------------------------------------------------------------------------------------

def encode(
    symbols: _Int32, indexes: _Int32, table: CdfTable, kind: _Kind = "lcrs", threads: int | None = None
) -> bytes:
    """Codes `symbols[i]` with row `indexes[i]` of `table`.

    Args:
        symbols: int32, any shape, any values; what is outside its row costs an escape.
        indexes: int32, the shape of `symbols`: rows of the table.
        table: the distributions.
        kind: `"lcrs"` for the native stream, `"ans"` for CompressAI's.
        threads: how many to use; by default `num_threads`. The bytes do not depend on it.

    Raises:
        ValueError: shapes differ or an index is not a row of the table.
    """

def encode_batch(
    symbols: _Int32, indexes: _Int32, table: CdfTable, kind: _Kind = "lcrs", threads: int | None = None
) -> list[bytes]:
    """`encode` for each item along the first dimension, in parallel: one stream an item."""

def decode(
    data: _Bytes, indexes: _Int32, table: CdfTable, kind: _Kind = "lcrs", threads: int | None = None
) -> NDArray[np.int32]:
    """Decodes one symbol per entry of `indexes`.

    Returns:
        int32, the shape of `indexes`.

    Raises:
        ValueError: an index is not a row of the table.
        LcrsError: `data` is not a stream of exactly these symbols (`TruncatedError`, `CorruptError`,
            `DesyncError`).
    """

def decode_batch(
    data: Iterable[_Bytes], indexes: _Int32, table: CdfTable, kind: _Kind = "lcrs", threads: int | None = None
) -> NDArray[np.int32]:
    """`decode` for each stream of `data` and item along the first dimension of `indexes`, in parallel."""

def decode_into(
    data: _Bytes,
    indexes: _Int32,
    table: CdfTable,
    out: _Int32,
    kind: _Kind = "lcrs",
    threads: int | None = None,
) -> None:
    """`decode` into the caller's writeable int32 array `out`; after an error its content is unspecified."""

def encode_latents(
    values: _Float32,
    indexes: _Int32,
    table: CdfTable,
    means: _Float32 | None = None,
    kind: _Kind = "lcrs",
    threads: int | None = None,
) -> list[bytes]:
    """Codes a batch of latents: the symbols `round_half_even(values - means)`, one stream for each item.

    The bytes are those of `encode_batch` of the symbols, in the order row, column, channel for
    `"lcrs"` and
    channel, row, column for `"ans"`. Items are coded in parallel.

    Args:
        values: float32, (items, channels, ...).
        indexes: int32, the shape of `values`, or (channels,): rows of the table.
        table: the distributions.
        means: float32, the shape of `values`, or (channels,); zero without it.
        kind: as in `encode`.
        threads: as in `encode`.

    Raises:
        ValueError: shapes do not fit, a difference is not finite or is `2**24` or more, or an index is
            not a row of the table.
    """

def decode_latents(
    data: Iterable[_Bytes],
    shape: Sequence[int],
    indexes: _Int32,
    table: CdfTable,
    means: _Float32 | None = None,
    kind: _Kind = "lcrs",
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Decodes what `encode_latents` wrote, to the values `symbols + means`.

    Args:
        data: a stream for each item.
        shape: (items, channels, ...).
        indexes: as given to `encode_latents`.
        table: as given to `encode_latents`.
        means: as given to `encode_latents`.
        kind: as given to `encode_latents`.
        threads: as in `encode`.

    Returns:
        float32, of `shape`.

    Raises:
        ValueError: shapes do not fit or an index is not a row of the table.
        LcrsError: as `decode_batch`.
    """

def encoded_bound(num_symbols: int, kind: _Kind = "lcrs") -> int:
    """The most bytes that `encode` can make of this many symbols, whatever they are."""

@final
class Encoder:
    """Codes symbols that become known step by step; the stream is that of one `encode` of all of them.

    Args:
        kind: as in `encode`.
        keep_symbols: has `symbols` give what was pushed.
    """

    def __new__(cls, kind: _Kind = "lcrs", keep_symbols: bool = False) -> Encoder: ...
    @property
    def symbols(self) -> NDArray[np.int32]:
        """The symbols pushed so far, int32, in the order of the stream; none if they are not kept.

        Raises:
            ValueError: it has been finished before.
        """

    def push(self, symbols: _Int32, indexes: _Int32, table: CdfTable) -> None:
        """Appends symbols; arguments and errors as in `encode`. Tables may change from push to push."""

    def finish(self) -> bytes:
        """The stream of everything pushed. The encoder is used up.

        Raises:
            ValueError: it has been finished before.
        """

@final
class Decoder:
    """Decodes symbols whose indexes become known step by step, as in context models.

    Args:
        data: the whole stream.
        kind: as in `encode`.
        keep_symbols: has `symbols` give what was pulled.

    Raises:
        LcrsError: `data` does not begin like a stream.
    """

    def __new__(cls, data: _Bytes, kind: _Kind = "lcrs", keep_symbols: bool = False) -> Decoder: ...
    @property
    def symbols(self) -> NDArray[np.int32]:
        """The symbols pulled so far, int32, in the order of the stream; none if they are not kept.

        Raises:
            ValueError: it has been finished before.
        """

    def pull(self, indexes: _Int32, table: CdfTable) -> NDArray[np.int32]:
        """The next symbols, one per entry of `indexes` and in its shape; errors as in `decode`."""

    def finish(self) -> None:
        """Checks that the stream ends here. The decoder is used up.

        Raises:
            LcrsError: symbols remain, or if what was decoded is not what was encoded.
        """

# Scans ----------------------------------------------------------------------------------------

def each_step(
    height: int,
    width: int,
    kernel_size: int,
    order: Literal["wavefront", "raster"],
    step: Callable[[NDArray[np.int64], NDArray[np.int64]], object],
) -> None:
    """Calls `step(rows, columns)`, int64 arrays, for each step of a raster scan with other networks.

    Args:
        height: rows of the latent.
        width: its columns.
        kernel_size: k of the k x k context.
        order: as in `RasterScan`.
        step: does what is to be done at these places, which do not see each other.

    Raises:
        ValueError: the order is another. What `step` raises ends the scan.
    """

@final
class RasterScan:
    """A scan in which every place sees those before it in raster order (Minnen et al. 2018)."""

    def __new__(
        cls,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32] | None,
        layers: Sequence[tuple[NDArray[np.float32], NDArray[np.float32] | None, tuple[str, float] | None]],
        table: CdfTable,
        thresholds: NDArray[np.float32],
        order: Literal["wavefront", "raster"] = "wavefront",
        shrinkage: tuple[
            Sequence[tuple[NDArray[np.float32], NDArray[np.float32] | None, tuple[str, float] | None]], float
        ]
        | None = None,
    ) -> RasterScan:
        """Checks and packs the networks of a scan.

        Args:
            weight: float32, (features, C, k, k), of the context's convolution; k odd, zero at the
            centre and
                after it.
            bias: float32, (features,).
            layers: of the parameter network: weight (out, in), bias (out,), and name and parameter of the
                function that follows ("relu", "leaky_relu" with its slope, "abs", "sigmoid", "softplus",
                "exp", "tanh"). The first takes side features, then context; the last gives C scales, then
                C means.
            table: the distributions.
            thresholds: float32, (rows - 1,) or fewer: a scale picks the row of the number of those
            below it.
            order: of the symbols in a stream: by steps of the wavefront (native streams), or row by row.
            shrinkage: with a gain, values are this much closer to zero than their symbols: layers from
            scaled
                scale and gain to one number, and the least scale that counts.

        Raises:
            ValueError: the parts do not fit each other, or a number is not finite.
        """

    def encode(
        self,
        encoders: list[Encoder],
        y: NDArray[np.float32],
        side: NDArray[np.float32],
        threads: int | None = None,
        gain: NDArray[np.float32] | None = None,
        context_bias: NDArray[np.float32] | None = None,
        log_gain: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Appends the symbols of latents to streams.

        Args:
            encoders: one for each of N latents.
            y: float32, (N, C, H, W).
            side: float32, (N, S, H, W): side features.
            threads: how many to use; by default `num_threads`. The bytes do not depend on it.
            gain: float32, (1,) or (C,): inverse of the step of quantisation, which scales are
            multiplied by;
                by default 1.
            context_bias: float32, (features,): instead of the context's bias.
            log_gain: float32, as many as `gain`: where scales and thresholds are logarithms, what is
            added
                to scales instead.

        Returns:
            The latents as they will be decoded, float32 (N, C, H, W).

        Raises:
            ValueError: shapes do not fit, or a number is not finite or too large.
        """

    def decode(
        self,
        decoders: list[Decoder],
        side: NDArray[np.float32],
        threads: int | None = None,
        gain: NDArray[np.float32] | None = None,
        context_bias: NDArray[np.float32] | None = None,
        log_gain: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """The latents, float32 (N, C, H, W), whose symbols come next in streams; arguments as in `encode`.

        Raises:
            ValueError: shapes do not fit, or a parameter is not finite.
            LcrsError: a stream is not what was encoded with this side information.
        """

@final
class CheckerboardScan:
    """A scan in which the places of one colour of a checkerboard are coded first, and seen by the others
    (He et al. 2021).
    """

    def __new__(
        cls,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32] | None,
        layers: Sequence[tuple[NDArray[np.float32], NDArray[np.float32] | None, tuple[str, float] | None]],
        table: CdfTable,
        thresholds: NDArray[np.float32],
        parameters: Literal["scales", "scales, means", "means, scales"] = "scales, means",
        first: Literal["even", "odd"] = "even",
    ) -> CheckerboardScan:
        """Checks and packs the networks of a scan.

        Args:
            weight: as for `RasterScan`, but zero at taps of an even distance from the centre.
            bias: as for `RasterScan`.
            layers: as for `RasterScan`, but the first takes context, then side features.
            table: the distributions.
            thresholds: as for `RasterScan`.
            parameters: what the last layer gives, C of each.
            first: the colour that is coded first: where row + column is even, or odd.

        Raises:
            ValueError: the parts do not fit each other, or a number is not finite.
        """

    def encode(
        self,
        encoders: list[Encoder],
        y: NDArray[np.float32],
        side: NDArray[np.float32],
        threads: int | None = None,
        gain: NDArray[np.float32] | None = None,
        context_bias: NDArray[np.float32] | None = None,
        log_gain: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Appends the symbols of latents to streams; arguments and errors as in `RasterScan.encode`."""

    def decode(
        self,
        decoders: list[Decoder],
        side: NDArray[np.float32],
        threads: int | None = None,
        gain: NDArray[np.float32] | None = None,
        context_bias: NDArray[np.float32] | None = None,
        log_gain: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """The latents whose symbols come next in streams; arguments and errors as in `RasterScan.decode`."""

# Graphs, packages, files ----------------------------------------------------------------------

@final
class Graph:
    """A network as data, with kernels packed for this process's instruction set, ready to run.

    Args:
        json: the description, as the README of the crate `lcrs-codec` specifies it.
        tensors: float32, float16 or int32 arrays by name, C-contiguous; those that the description names.

    Raises:
        UnsupportedVersionError: for another version, an unknown operation or attribute.
        CorruptError: for everything else that is wrong, with its place.
    """

    def __new__(cls, json: str, tensors: dict[str, NDArray[Any]]) -> Graph: ...
    @property
    def inputs(self) -> list[str]:
        """Names of the inputs, in order."""

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs, in order."""

    def run(
        self, inputs: Iterable[_Float32], level: float | None = None, threads: int | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Runs the network; the bits of the outputs depend on the numbers alone.

        Args:
            inputs: float32, (C, H, W) each, or (N, C, H, W) each; in the order of `inputs`.
            level: the place between the levels of a variable-rate model, from 0 to their number less one.
            threads: how many to use; by default `num_threads`.

        Returns:
            The outputs by name, (C, H, W) or (N, C, H, W).

        Raises:
            ValueError: inputs are missing or misshapen, the level is illegal, or numbers stop being
                finite.
            LcrsError: shapes inside the graph do not go together or are above the limits.
        """

@final
class CloudPackage:
    """A model package (.lcrm) of point clouds, loaded and checked.

    It cannot be changed and may be used from many threads.
    """

    @staticmethod
    def from_file(path: str | PathLike[str]) -> CloudPackage:
        """The package in a file.

        Raises:
            MissingModelError: the file cannot be read.
            LcrsError: it is no package, or its digests are not those of its content.
            ValueError: it is one of pictures.
        """

    @staticmethod
    def from_bytes(data: _Bytes) -> CloudPackage:
        """The package in a byte string; errors as in `from_file`."""

    @property
    def name(self) -> str:
        """The name that files carry."""

    @property
    def description(self) -> str:
        """The whole description as JSON: architecture, configuration and card included."""

    @property
    def entropy_digest(self) -> str:
        """SHA-256 of everything that decides a symbol, 64 hexadecimal digits."""

    def compress(
        self,
        positions: NDArray[Any],
        attributes: dict[str, NDArray[Any]],
        *,
        voxel: float | None = None,
        bits: int | None = None,
        keep_duplicates: bool = False,
        threads: int | None = None,
        max_bytes: int | None = None,
    ) -> tuple[bytes, int]:
        """The bytes of an .lcrs file of a point cloud. The order of points is not kept.

        Args:
            positions: (N, 3), of any integer or floating type of at most 64 bits, C-contiguous.
            attributes: for each name an array (N,) of such a type.
            voxel: size of the voxels that positions are rounded to; without it and `bits` they are kept
                as they are.
            bits: bits of a coordinate, 1 to 32, along the longest side.
            keep_duplicates: whether points at one place all stay; otherwise the first one does.
            threads: how many to use; the bytes do not depend on it.
            max_bytes: that the call may hold at a time; by default 2^31.

        Returns:
            The file, and how many points were left out because another one is at their place.

        Raises:
            ValueError: arrays are not as above, a coordinate is not finite, or positions lie on no grid
                and neither a voxel size nor bits are given.
            LimitError: the cloud is above the limits.
        """

    def decompress(
        self, data: _Bytes, *, threads: int | None = None, max_bytes: int | None = None
    ) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
        """The points of an .lcrs file, in Morton order of their voxels.

        Args:
            data: the whole file.
            threads: how many to use; the points do not depend on it.
            max_bytes: as in `compress`.

        Returns:
            Positions, (N, 3), of the type that was given, and the attributes by name.

        Raises:
            MissingModelError: the file was made with another model.
            LcrsError: the file is cut off, damaged, of a later version, no point cloud, or above the
                limits.
        """

@final
class Octree:
    """The octree of a point cloud: the levels that the geometry codec codes, and what its networks see.

    Level 0 is the root; the nodes of level `depth` are the positions themselves. Nodes of a level are in
    Morton order (of each bit, highest first, x, then y, then z). Octant `4 x + 2 y + z` is the place of a
    child in its parent.

    Args:
        positions: uint32, (N, 3), N at least 1, in any order; what is there twice counts once.
        depth: bits of a coordinate, at most 32; by default as many as are needed.
        threads: how many to use; by default `num_threads`.

    Raises:
        ValueError: there are no positions, or one has more bits.
    """

    def __new__(cls, positions: Any, depth: int | None = None, *, threads: int | None = None) -> Octree: ...
    @property
    def depth(self) -> int:
        """Levels above the positions."""

    def num_nodes(self, level: int) -> int:
        """The number of nodes of a level that have children, 0 to `depth - 1`."""

    def occupancy(self, level: int) -> NDArray[np.uint8]:
        """Which octants of each node of a level hold points: uint8, (N,), bit `o` for octant `o`."""

    def neighbours(self, level: int) -> NDArray[np.int32]:
        """The 27 neighbours of each node of a level: int32, (N, 27), indexes of nodes, -1 for none.

        Neighbour `(dx, dy, dz)`, each -1 to 1, has the number `9 (dx + 1) + 3 (dy + 1) + dz + 1`.
        """

    def parents(self, level: int) -> NDArray[np.uint32]:
        """The index of each node's parent in the level above: uint32, (N,)."""

    def octants(self, level: int) -> NDArray[np.uint8]:
        """The octant of each node in its parent: uint8, (N,)."""

    def trunk_features(
        self, level: int, *, reach: int, ancestors: Sequence[int], scalars: Sequence[str]
    ) -> NDArray[np.float32]:
        """What the trunk of a geometry package sees of each node of a level.

        Args:
            level: 0 to `depth - 1`.
            reach: of the window around the node, at most 2.
            ancestors: the same for each ancestor, the nearest first.
            scalars: numbers of the level: `"levels_below"`, `"growth_below"`, `"growth"`,
                `"growth_above"`, `"node_bits"`.

        Returns:
            float32, (N, F): flags of the window without its middle, by
            `((dx + r) (2 r + 1) + dy + r) (2 r + 1) + dz + r`; for each ancestor eight numbers, 1 at the
            octant that leads from it to the node, and its window; the numbers of the level.

        Raises:
            ValueError: there is no such level, reach or number.
        """

    def head_features(
        self, level: int, stage: int, *, order: Sequence[int], reach: int
    ) -> NDArray[np.float32]:
        """What a head of a geometry package sees of each node of a level beside the trunk's numbers.

        All octants of earlier stages are known.

        Args:
            level: 0 to `depth - 1`.
            stage: 0 to 7.
            order: the octants in the order of stages.
            reach: how far from the child in question the head sees, at most 3.

        Returns:
            float32, (N, F): for each stage before, in order, and each of the 27 neighbours whose child of
            that stage is within reach on every axis, 1 if it has that child, else 0; none at stage 0.

        Raises:
            ValueError: there is no such level, stage, order or reach.
        """

@final
class Package:
    """A model package (.lcrm), loaded and checked. It cannot be changed and may be used from many threads."""

    @staticmethod
    def from_file(path: str | PathLike[str]) -> Package:
        """The package in a file.

        Raises:
            MissingModelError: the file cannot be read.
            LcrsError: it is no package, or its digests are not those of its content.
        """

    @staticmethod
    def from_bytes(data: _Bytes) -> Package:
        """The package in a byte string; errors as in `from_file`."""

    @property
    def name(self) -> str:
        """The name that files carry."""

    @property
    def description(self) -> str:
        """The whole description as JSON: architecture, configuration and card included."""

    @property
    def levels(self) -> int | None:
        """Number of levels of a variable-rate model; None for a fixed rate."""

    @property
    def samples(self) -> tuple[str, int] | None:
        """Type and channels of the arrays that the model codes; None for a model of pictures."""

    @property
    def entropy_digest(self) -> str:
        """SHA-256 of everything that decides a symbol, 64 hexadecimal digits."""

    @property
    def synthesis_digest(self) -> str:
        """SHA-256 of everything that turns symbols into pixels, 64 hexadecimal digits."""

    @property
    def analysis_digest(self) -> str:
        """SHA-256 of everything that only encoders run, 64 hexadecimal digits."""

    def compress_latent(
        self,
        y: NDArray[np.float32] | _Tensor,
        quality: float | None = None,
        *,
        shape: Sequence[int],
        dtype: str | None = None,
        bit_depth: int | None = None,
        kind: str = "lcrs",
        metadata: dict[str, Any] | None = None,
        threads: int | None = None,
        max_pixels: int | None = None,
        max_bytes: int | None = None,
    ) -> bytes:
        """The bytes of an .lcrs file from a latent y that g_a gave elsewhere.

        What decides the symbols of y runs here, exactly, so the file decodes everywhere.

        Args:
            y: float32, (C, H, W), of the picture padded by repeating its last row and column.
            quality: as in `compress`.
            shape: of the picture, as `compress` takes it.
            dtype: of the picture.
            bit_depth: of the picture.
            kind: of the entropy-coded streams.
            metadata: what goes along, by the names that `metadata` gives.
            threads: how many to use; the bytes do not depend on it.
            max_pixels: as in `compress`.
            max_bytes: as in `compress`.

        Raises:
            ValueError: y has another shape or numbers that are not finite, or the quality is not legal.
        """

    def padded_size(
        self, size: tuple[int, int], *, max_pixels: int | None = None, max_bytes: int | None = None
    ) -> tuple[int, int]:
        """The (H, W) that a picture of `size` is padded to for g_a.

        Args:
            size: (H, W).
            max_pixels: as in `compress`.
            max_bytes: as in `compress`.

        Raises:
            LimitError: the picture or its latent is above the limits.
        """

    def decompress_latent(
        self,
        data: _Bytes,
        *,
        allow_other_synthesis: bool = False,
        threads: int | None = None,
        max_pixels: int | None = None,
        max_bytes: int | None = None,
    ) -> dict[str, Any]:
        """The decoded latent of an .lcrs file, for a g_s that runs elsewhere.

        Arguments and errors are those of `decompress`.

        Returns:
            `y`: float32, (C, H, W); `level`: what g_s runs at, or None; `shape`, `dtype` and
            `bit_depth` of the visible picture; `crop`: rows and columns of what g_s gives that come
            before it.
        """

    def latents_of_strings(
        self,
        strings: Sequence[_Bytes],
        size: tuple[int, int],
        *,
        threads: int | None = None,
        max_bytes: int | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """The latents of strings that CompressAI wrote, where exact arithmetic decodes them.

        Its sums were torch's.

        Args:
            strings: that of y and, for a model with a hyperprior, that of z.
            size: (height, width) of the last string's latent.
            threads: how many to use; the latents do not depend on it.
            max_bytes: as in `compress`.

        Returns:
            y and z (None without a hyperprior), float32, (C, H, W).

        Raises:
            MissingModelError: the model has a context or a variable rate, or other latents.
            DesyncError: the strings do not decode with exact parameters.
        """

    def level(self, quality: float | None = None) -> float | None:
        """The level at a quality, for networks that run elsewhere; None for a fixed rate.

        Raises:
            ValueError: the quality is out of range, missing, or given for a fixed rate.
        """

    def parameter(self, name: str) -> NDArray[np.float32]:
        """A tensor of the package as float32.

        Raises:
            KeyError: there is no such tensor of floats.
        """

    def compress(
        self,
        pixels: NDArray[Any] | _Tensor | bytes,
        quality: float | None = None,
        *,
        shape: Sequence[int] | None = None,
        dtype: str | None = None,
        bit_depth: int | None = None,
        kind: _Kind = "lcrs",
        metadata: dict[str, Any] | None = None,
        threads: int | None = None,
        max_pixels: int | None = None,
        max_bytes: int | None = None,
    ) -> bytes:
        """The bytes of an .lcrs file.

        Args:
            pixels: at least 1 x 1. For a model of pictures uint8 or uint16, (H, W, 3), or grey: (H, W) or
                (H, W, 1). For one of arrays (H, W, C) of its type and channels, or (H, W) if it has one
                channel; what is outside of its range counts as the end of that. Or the bytes of that, each
                sample little endian, with `shape`.
            quality: 0 to 100 for a variable-rate model, None for one of a fixed rate.
            shape: of what is given as bytes.
            dtype: of what is given as bytes; by default uint8, or the type of the model.
            bit_depth: bits of a component of a picture, 1 to 8 of uint8, 9 to 16 of uint16; by default 8 or
                16.
            kind: of the entropy-coded streams.
            metadata: what goes along, by the names that `metadata` gives.
            threads: how many to use; the bytes do not depend on it.
            max_pixels: of a picture; by default 2^28. Larger ones are refused before anything is done.
            max_bytes: that the call may hold at a time; by default 2^31.

        Raises:
            ValueError: the pixels or the quality are not as above.
            LimitError: the picture or the metadata are above the limits.
        """

    def compress_to_target(
        self,
        pixels: NDArray[Any] | _Tensor | bytes,
        target: str,
        value: float,
        *,
        shape: Sequence[int] | None = None,
        dtype: str | None = None,
        bit_depth: int | None = None,
        kind: _Kind = "lcrs",
        metadata: dict[str, Any] | None = None,
        threads: int | None = None,
        max_pixels: int | None = None,
        max_bytes: int | None = None,
    ) -> tuple[bytes, str | None]:
        """The bytes of an .lcrs file of a size or a distortion, found by trials on the real coder.

        Args:
            pixels: as in `compress`.
            target: `bpp`: bits of the whole file for each pixel, to within 1 %; `size`: bytes of the
                whole file, no more and no less than 99 % of it; `psnr`: decibels, to within 0.05.
            value: how much of it.
            shape: as in `compress`.
            dtype: as in `compress`.
            bit_depth: as in `compress`.
            kind: of the entropy-coded streams.
            metadata: what goes along, by the names that `metadata` gives.
            threads: how many to use; the bytes do not depend on it.
            max_pixels: as in `compress`.
            max_bytes: as in `compress`.

        Returns:
            The file, and what was reached instead of the target in words, None if it was reached.

        Raises:
            ValueError: the target is not above 0 or not finite, or the model has a fixed rate.
        """

    def decompress(
        self,
        data: _Bytes,
        *,
        allow_other_synthesis: bool = False,
        threads: int | None = None,
        max_pixels: int | None = None,
        max_bytes: int | None = None,
    ) -> NDArray[Any]:
        """The picture or the array of an .lcrs file, of the shape and type that it was given in.

        Args:
            data: the whole file.
            allow_other_synthesis: whether to accept a file made for another synthesis transform: its
                symbols are right, its pixels not those that the encoder meant.
            threads: how many to use; the pixels do not depend on it.
            max_pixels: as in `compress`.
            max_bytes: as in `compress`.

        Raises:
            MissingModelError: the file was made with another model.
            LcrsError: the file is cut off, damaged, of a later version, or above the limits.
        """

    def decompress_bytes(
        self,
        data: _Bytes,
        *,
        allow_other_synthesis: bool = False,
        threads: int | None = None,
        max_pixels: int | None = None,
        max_bytes: int | None = None,
    ) -> tuple[bytes, tuple[int, ...], str, int | None]:
        """`decompress` for programs that do without NumPy.

        Returns:
            The bytes of the samples, each little endian, their shape, their type, and the bits of a
            component, None for arrays.
        """

@final
class RateSearch:
    """The search for the quality that gives a target, for programs whose trials run elsewhere.

    Args:
        target: `bpp`: bits of the whole file for each pixel, to within 1 %; `size`: bytes of the whole
            file, no more and no less than 99 % of it; `psnr`: decibels, to within 0.05.
        value: how much of it.
        num_pixels: of the picture.

    Raises:
        ValueError: the target is another, or the value not above 0 or not finite.
    """

    def __new__(cls, target: str, value: float, num_pixels: int) -> RateSearch: ...
    def next_quality(self) -> float | None:
        """The quality to try next; None once the search has ended."""

    def record(self, quality: float, value: float) -> bool:
        """Takes the bytes, or the PSNR, of a file at `quality`.

        Returns:
            Whether it is the best one until now.
        """

    @property
    def shortfall(self) -> str | None:
        """What was reached instead of the target, in words; None if it was reached."""

def transcode(
    package: Package,
    y: NDArray[np.float32] | _Tensor,
    z: NDArray[np.float32] | _Tensor | None,
    *,
    size: tuple[int, int],
    crop: tuple[int, int],
    decoded: tuple[int, int],
    quality: float | None = None,
    kind: _Kind = "lcrs",
    threads: int | None = None,
) -> bytes:
    """The bytes of an .lcrs file that decodes to latents which another program decoded, symbol by symbol.

    Args:
        package: the model.
        y: float32, (C, H, W), what the synthesis takes.
        z: float32, (C, H, W), what y is conditioned on; None for a model without it.
        size: (height, width) of the visible picture.
        crop: (top, left): rows and columns of what the synthesis gives that come before the visible
        picture.
        decoded: (height, width) of what the synthesis gives.
        quality: 0 to 100, which the latents of a variable-rate model are at; None for one of a fixed rate.
        kind: of the entropy-coded streams.
        threads: how many to use; the bytes do not depend on it.

    Raises:
        ValueError: shapes, sizes or the quality are not those of the model.
        DesyncError: a value lies between those that the model's symbols can have.
    """

def level_of(quality: float, num_levels: int) -> float:
    """The level of a quality, for a model of so many levels.

    Raises:
        ValueError: the quality is out of range.
    """

def codes_clouds(path: str | PathLike[str]) -> bool:
    """Whether a package file codes point clouds, by its header; errors as in `CloudPackage.from_file`."""

def package_digests(description: str, tensors: dict[str, NDArray[Any]]) -> dict[str, str]:
    """The digests of a description (JSON) and its tensors, by the members of the description that hold them.

    Raises:
        LcrsError: the description is not one, or names a tensor that is not there.
    """

def write_not_portable(
    model: str,
    digests: tuple[bytes, bytes],
    sections: Sequence[bytes],
    *,
    shape: Sequence[int],
    dtype: str = "uint8",
    bit_depth: int | None = None,
    kind: _Kind = "lcrs",
    metadata: dict[str, Any] | None = None,
    max_pixels: int | None = None,
) -> bytes:
    """The bytes of an .lcrs file that says that it is not portable.

    Args:
        model: the name of the model, as that of a package.
        digests: first 8 bytes each of digests of what decides a symbol, and of what turns symbols into
            pixels.
        sections: at most 128, of what the program wants.
        shape: of the picture, (H, W, 3), (H, W, 1) or (H, W).
        dtype: of the picture, uint8 or uint16.
        bit_depth: bits of a component, 1 to 8 of uint8, 9 to 16 of uint16; by default 8 or 16.
        kind: of the entropy-coded streams.
        metadata: what goes along, by the names that `metadata` gives.
        max_pixels: of a picture; by default 2^28.

    Raises:
        ValueError: an argument is not as above.
        LimitError: the picture or the metadata are above the limits.
    """

def read_not_portable(
    data: _Bytes, *, max_pixels: int | None = None, max_bytes: int | None = None
) -> list[bytes]:
    """The sections of an .lcrs file that says that it is not portable.

    Args:
        data: the whole file.
        max_pixels: of the picture; by default 2^28.
        max_bytes: that the call may hold at a time; by default 2^31.

    Raises:
        LcrsError: the file is cut off, damaged, of a later version, portable, or above the limits.
    """

def info_json(data: _Bytes, *, max_pixels: int | None = None, max_bytes: int | None = None) -> str:
    """What an .lcrs file says about itself, as a JSON object; errors as in `metadata`."""

def bytes_needed(first: _Bytes, *, max_pixels: int | None = None, max_bytes: int | None = None) -> int:
    """How many bytes must be at hand before more can be said of an .lcrs file that begins with `first`.

    As soon as that is not more than `len(first)`, it is the length of the file: so one reads what a file
    announces, and no more. After 8 bytes the length of the header is known, after the header that of the
    file.

    Raises:
        LcrsError: the first bytes are damaged, of a later version, or no .lcrs file at all.
        LimitError: the picture, the metadata or the file are above the limits.
    """

def metadata(data: _Bytes, *, max_pixels: int | None = None, max_bytes: int | None = None) -> dict[str, Any]:
    """What travels with the picture of an .lcrs file, None where it carries no such thing.

    Returns:
        `icc`: a colour profile; `exif`: an EXIF block from its TIFF header on; `xmp`: an XMP packet;
        `iptc`: IPTC-IIM records; `resolution`: pixels an inch, across and down; `cicp`: primaries,
        transfer characteristics, matrix coefficients and full-range flag of ITU-T H.273; `gamma`: the
        exponent from light to components times 100,000; `chromaticities`: x and y of the white point, of
        red, of green and of blue, times 100,000.

    Raises:
        LcrsError: the file is cut off, damaged, or of a later version.
    """

# Lossless pictures --------------------------------------------------------------------------------

def compress_lossless(
    pixels: NDArray[Any] | _Tensor | bytes,
    *,
    max_size: int | None = None,
    shape: Sequence[int] | None = None,
    dtype: str | None = None,
    bit_depth: int | None = None,
    metadata: dict[str, Any] | None = None,
    threads: int | None = None,
    max_pixels: int | None = None,
    max_bytes: int | None = None,
) -> bytes | None:
    """The bytes of an .lcrs file that holds a picture to the bit, without a model.

    Args:
        pixels: at least 1 x 1, uint8 or uint16, (H, W, 3), or grey: (H, W) or (H, W, 1). Or the bytes of
            that, each sample little endian, with `shape`.
        max_size: the most bytes that the file may have.
        shape: of what is given as bytes.
        dtype: of what is given as bytes; by default uint8.
        bit_depth: bits of a component, 1 to 8 of uint8, 9 to 16 of uint16; by default 8 or 16.
        metadata: what goes along, by the names that `metadata` gives.
        threads: how many to use; the bytes do not depend on it.
        max_pixels: of a picture; by default 2^28.
        max_bytes: that the call may hold at a time; by default 2^31.

    Returns:
        The file; None if it would be larger than `max_size`, or take more memory than
        allowed.

    Raises:
        ValueError: the pixels are not as above.
        LimitError: the picture or the metadata are above the limits.
    """

def decompress_lossless(
    data: _Bytes,
    *,
    threads: int | None = None,
    max_pixels: int | None = None,
    max_bytes: int | None = None,
) -> NDArray[Any]:
    """The picture of a lossless .lcrs file, of the shape and type that it was given in.

    Args:
        data: the whole file.
        threads: how many to use; the pixels do not depend on it.
        max_pixels: of a picture; by default 2^28.
        max_bytes: that the call may hold at a time; by default 2^31.

    Raises:
        LcrsError: the file is cut off, damaged, of a later version, not lossless, or above the limits.
    """

def decompress_lossless_bytes(
    data: _Bytes,
    *,
    threads: int | None = None,
    max_pixels: int | None = None,
    max_bytes: int | None = None,
) -> tuple[bytes, tuple[int, ...], str, int | None]:
    """`decompress_lossless` for programs that do without NumPy.

    Returns:
        The bytes of the samples, each little endian, their shape, their type, and the bits of a component.
    """

# Pictures -----------------------------------------------------------------------------------------

def structural_similarity(
    a: NDArray[Any],
    b: NDArray[Any],
    peak: float,
    half_window: Sequence[float],
    constants: tuple[float, float],
    scales: int = 1,
    threads: int | None = None,
) -> NDArray[np.float64]:
    """Structural similarity of the components of two pictures, at scales of which each halves the sides.

    Args:
        a: uint8, uint16 or float32, (H, W) or (H, W, C).
        b: of the same type and shape.
        peak: the largest value that there may be.
        half_window: weights of a window of 11 x 11 in one direction: the outermost first, the one of the
            centre last.
        constants: `C1` and `C2`, for values from 0 to 1.
        scales: how many; a side has 11 values or more at each.
        threads: as everywhere.

    Returns:
        float64, (C, scales, 2): the means over whole windows, and those of contrast and structure alone.
    """

# Point clouds -------------------------------------------------------------------------------------

def nearest_points(
    points: _Coordinates, queries: _Coordinates, k: int = 1, threads: int | None = None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The `k` nearest points of each query, nearest first, of equals the lowest index.

    Args:
        points: float64 or float32, (N, 3) or (B, N, 3); all finite.
        queries: of the same type, (M, 3) or (B, M, 3).
        k: at most N.
        threads: as everywhere.

    Returns:
        Squared distances, of the type of `points`, and indexes, int64; both (M, k) or (B, M, k).
    """

def ball_points(
    points: _Coordinates, centres: _Coordinates, radius: float, count: int, threads: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first `count` points, by index, that are not farther than `radius` from each centre.

    Places that are left repeat the first of them; where no point is so near, all are the nearest point.

    Args:
        points: float64 or float32, (N, 3) or (B, N, 3); all finite.
        centres: of the same type, (M, 3) or (B, M, 3).
        radius: not negative; a point at this distance is inside.
        count: places of each centre.
        threads: as everywhere.

    Returns:
        Indexes, int64, (M, count) or (B, M, count); how many points were found, int64, (M,) or (B, M).
    """

def farthest_points(
    points: _Coordinates, count: int, start: int = 0, threads: int | None = None
) -> NDArray[np.int64]:
    """Indexes of `count` points, each the farthest from those before it; of equals the lowest index.

    Args:
        points: float64 or float32, (N, 3) or (B, N, 3); all finite.
        count: if it is above the number of different points, the lowest index follows again and again.
        start: index of the first.
        threads: as everywhere; clouds are spread over them.

    Returns:
        int64, (count,) or (B, count).
    """

def normals_of_points(points: _Coordinates, k: int = 16, threads: int | None = None) -> NDArray[Any]:
    """Normals of the surface around points, by principal components of their `k` nearest.

    A normal's greatest component (of equals, the first) is positive. A neighbourhood of equal points
    has (0, 0, 1).

    Args:
        points: float64 or float32, (N, 3) or (B, N, 3); all finite.
        k: neighbours, the point itself among them; fewer if there are fewer points.
        threads: as everywhere.

    Returns:
        Vectors of length one, of the type and shape of `points`.
    """

def voxelize_points(
    points: _Coordinates,
    size: float,
    origin: tuple[float, float, float] = ...,
    threads: int | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """The voxels `floor((point - origin) / size)` that have points.

    Args:
        points: float64 or float32, (N, 3); all finite.
        size: side of a voxel, positive.
        origin: a corner of voxel (0, 0, 0).
        threads: as everywhere.

    Returns:
        Coordinates of the M voxels, int32, (M, 3), in Morton order; the voxel of each point as an index
        of these, int64, (N,);
        numbers of points, int64, (M,).
    """

def morton_order(points: _Int32, threads: int | None = None) -> NDArray[np.int64]:
    """Indexes of points in Morton order, that of an octree's leaves; equal points keep their order.

    Args:
        points: int32, (N, 3); from the lowest of each coordinate on.
        threads: as everywhere.

    Returns:
        int64, (N,).
    """

def morton_codes(points: _Int32) -> NDArray[np.int64]:
    """Morton codes: of each bit of the coordinates, highest first, those of x, y and z.

    Args:
        points: int32, (N, 3), in 0..2097152.

    Returns:
        int64, (N,).
    """
