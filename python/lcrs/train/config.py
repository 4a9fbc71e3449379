"""What a run is told: a typed configuration, whose errors name key, legal values and the nearest name.

The docstring of each part says what its keys mean; recipes are TOML files with the same keys.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from lcrs.errors import LcrsError

try:
    from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
except ModuleNotFoundError as error:
    if error.name != "pydantic":
        raise
    raise ModuleNotFoundError(
        "training needs pydantic: pip install '.[train]' in the sources of lcrs", name="pydantic"
    ) from None

__all__ = ["Config", "ConfigError", "Phase", "checked", "dotted_keys", "text_keys"]

Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
PositiveNumber = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Place = Annotated[str, Field(min_length=1)]

_DEVICE, _IMPORT = r"^(auto|cpu|mps|cuda(:\d+)?)$", r"^[\w.]+:[\w.]+$"
_PATTERNS = {_DEVICE: "auto, cpu, mps, cuda or cuda:NUMBER", _IMPORT: "MODULE:CLASS"}


class ConfigError(LcrsError):
    """A configuration says what cannot be."""


class Part(BaseModel):
    """A part of a configuration: no other keys, no change once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, protected_namespaces=())


class ModelConfig(Part):
    """The network.

    Attributes:
        name: Registered name, such as "mbt2018-mean".
        import_: `import` in files: "module:Class" of a model of one's own, in place of a name.
        sizes: Arguments of its constructor; with `quality`, those of the zoo where they are not given.
        begin: "default", or "principal-components" for the gain hyperpriors.
        quantization: What the decoder sees while it learns: "own" leaves it to the model, "mixed" rounds it
            with the gradient of the identity, and noise stays for the rate.
    """

    name: str | None = None
    import_: str | None = Field(default=None, alias="import", pattern=_IMPORT)
    sizes: dict[str, Any] = Field(default_factory=dict)
    begin: Literal["default", "principal-components"] = "default"
    quantization: Literal["own", "mixed"] = "own"

    @model_validator(mode="after")
    def _is_named(self) -> ModelConfig:
        if (self.name is None) == (self.import_ is None):
            raise ValueError("give either model.name (registered) or model.import (module:Class)")
        return self


class DataConfig(Part):
    """Pictures and video.

    Attributes:
        train: A folder, several, or tar shards (`{000..099}` counts); a raw video or a folder of them.
        tune: The same, for validation; by default some are split off, or are those of the folder `test`.
        kind: What is there; "auto" looks.
        order: "shuffle": each picture once before any again; "area": every pixel as likely.
        flip: Mirrors pictures, left to right and top to bottom, at random.
        transpose: Transposes them at random.
        downscale: Crops are of pictures scaled down at random by a factor from this to 1.
        keep: Where pictures wait: decoded anew each time ("disk"), as uint8 in "memory" or on the "device";
            "auto" takes memory if they fit into a quarter of it.
        max_pixels: Larger pictures are left out.
        tune_pictures: How many are split off or used of `tune`, at most.
        frames: Frames of a clip, for video.
        tuplet: Of Vimeo-90K: 7 or 3.
        options: What else the subject of the network takes, if it is neither pictures nor video.
    """

    train: Place | list[Place] | None = None
    tune: Place | list[Place] | None = None
    kind: Literal["auto", "pictures", "shards", "vimeo90k", "raw-video", "video-folder"] = "auto"
    order: Literal["shuffle", "area"] = "shuffle"
    flip: bool = True
    transpose: bool = False
    downscale: Annotated[float, Field(gt=0.05, le=1)] = 1.0
    keep: Literal["auto", "disk", "memory", "device"] = "auto"
    max_pixels: Positive = 1 << 28
    tune_pictures: Positive = 24
    frames: Positive = 3
    tuplet: Literal[3, 7] = 7
    options: dict[str, Any] = Field(default_factory=dict)


class LossConfig(Part):
    """Rate and distortion.

    Attributes:
        metric: "mse", "ms-ssim", "l1", "charbonnier", "lpips", or a sum such as "mse+ms-ssim". Of point
            clouds "chamfer", and "none" of what is coded without loss.
        lmbda: Weight of the distortion against bits a pixel; for a sum, a table with a weight for each.
            Models of several levels know their own, and of these a table says weights within the sum.
        balance: For models of several levels: the loss of each is times (lambda / middle) to this power.
        target_bpp: Wanted bits a pixel: lambda is steered to it.
        lpips_backbone: File of torchvision's AlexNet weights, for "lpips".
    """

    metric: str = "mse"
    lmbda: PositiveNumber | dict[str, PositiveNumber] | None = None
    balance: float = 0.0
    target_bpp: PositiveNumber | None = None
    lpips_backbone: Path | None = None

    @model_validator(mode="after")
    def _fits(self) -> LossConfig:
        from lcrs.train.metric_names import METRICS

        names = self.metric.split("+")
        for name in names:
            if name not in METRICS:
                raise ValueError(f"metric: {no_such(name, METRICS)}")
        if len(set(names)) != len(names):
            raise ValueError(f"metric {self.metric!r} has a name twice")
        if isinstance(self.lmbda, dict) and set(self.lmbda) != set(names):
            raise ValueError(f"lmbda is for {sorted(self.lmbda)}, must be for {sorted(names)}")
        if len(names) > 1 and not isinstance(self.lmbda, dict):
            raise ValueError(f"{self.metric!r} needs lmbda as a table with a weight for each of {names}")
        if "lpips" in names and self.lpips_backbone is None:
            raise ValueError("'lpips' needs lpips_backbone, a file of torchvision's AlexNet weights")
        return self


class OptimizerConfig(Part):
    """Attributes: type: a registered name ("Adam", "AdamW", any of torch.optim); lr: its rate at the peak;
    options: its other arguments; clip: largest norm of the gradient, 0 for any; aux_lr: of a second optimiser
    for `quantiles` under `aux_loss()`, as CompressAI has it; without it these stay as they are.
    """

    type: str = "Adam"
    lr: PositiveNumber = 1e-4
    options: dict[str, Any] = Field(default_factory=dict)
    clip: Annotated[float, Field(ge=0)] = 1.0
    aux_lr: PositiveNumber | None = None


class ScheduleConfig(Part):
    """How the learning rate goes.

    Attributes:
        type: "constant", "cosine", "wsd" (warm-up, stable, decay), "plateau", or a class of
            `torch.optim.lr_scheduler` by its name.
        warm_up: Steps in which the rate rises from 0.
        decay_from: For "wsd": the share of the run after which it falls; `checkpoints/stable.pt` is of there.
        last_lr: What it falls to, for "cosine", "wsd" and "plateau".
        factor: For "plateau": what it is multiplied by.
        patience: For "plateau": validations without a better loss before that.
        options: For a class of torch: its other arguments.
        every: For a class of torch: what its steps are.
    """

    type: str = "constant"
    warm_up: Count = 0
    decay_from: Share = 0.5
    last_lr: Annotated[float, Field(ge=0)] = 1e-6
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    patience: Count = 20
    options: dict[str, Any] = Field(default_factory=dict)
    every: Literal["step", "validation"] = "step"


class LoopConfig(Part):
    """How steps are computed.

    Attributes:
        ema: Decay of the moving average of weights, which is what is kept in the end; none without.
        precision: "bf16" runs networks in bfloat16 where that is safe; likelihoods and losses stay float32.
        channels_last: Memory layout of pictures and convolutions.
        compile: Runs the forward pass through torch.compile.
        graph: Captures the whole step in a CUDA graph; needs data.keep = "device" and fixed sizes.
        max_skipped: So many steps in a row that are not finite end the run.
    """

    ema: Share | None = None
    precision: Literal["float32", "bf16"] = "float32"
    channels_last: bool = False
    compile: bool = False
    graph: bool = False
    max_skipped: Positive = 10


class ValidationConfig(Part):
    """Attributes: every: steps between validations; minutes: or minutes, whichever comes first; coded: how
    many pictures are coded to real bytes; size: pictures are cut to it at most; qualities: where models of
    several rates are looked at, 0 to 100; sheet: whether pictures are written to look at.
    """

    every: Positive | None = None
    minutes: PositiveNumber | None = 10.0
    coded: Count = 2
    size: Annotated[int, Field(ge=64)] = 512
    qualities: list[Annotated[float, Field(ge=0, le=100)]] = Field(default_factory=lambda: [0.0, 50.0, 100.0])
    sheet: bool = True


class WatchConfig(Part):
    """Attributes: every: steps between lines of the log; display: "rich" (live), "lines", "off", or "auto":
    live on a terminal; tensorboard: whether to write that too.
    """

    every: Positive = 50
    display: Literal["auto", "rich", "lines", "off"] = "auto"
    tensorboard: bool = False


class Phase(Part):
    """What is other from a point of the run on; what a phase leaves out stays as it was before it.

    Attributes:
        from_: `from` in files: share of the run at which it begins.
        crop: Side of crops.
        quantization: "own", "mixed", or "hard": rounded as in files, which needs a frozen encoder.
        freeze: Names of parts of the network that stop learning, such as ["g_a", "h_a"].
        stage: Of the models of variable rate that CompressAI has: 1 or 2.
    """

    from_: Share = Field(default=0.0, alias="from")
    crop: Annotated[int, Field(ge=16)] | None = None
    quantization: Literal["own", "mixed", "hard"] | None = None
    freeze: list[str] | None = None
    stage: Literal[1, 2] | None = None


class Config(Part):
    """A run.

    Attributes:
        recipe: Its name.
        summary: What it makes, in a line.
        output: The folder of the run; "runs/RECIPE" by default.
        steps: Ends it after so many.
        minutes: Ends it after so long, without the time that it was not running; the first of both counts.
        batch: Pictures a step, of each process.
        crop: Side of their crops.
        seed: Of weights, crops, levels and noise.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        workers: Threads that read pictures; "auto" for as many as help.
        threads: Threads of torch on the CPU; its own choice without.
        checkpoint_every: Steps between checkpoints.
        checkpoint_keep: How many of them stay.
        quality: Of a model of the zoo, from 1: sets sizes and, by the metric, the published lambda.
        start: Checkpoint to begin from, "published" for the zoo's weights, or a run's folder.
        start_state: "weights" alone, or "all": optimiser, place and counts too, to go on later.
        phases: What changes on the way.
    """

    recipe: str = "own"
    summary: str = ""
    output: Path = Path("runs/own")
    steps: Positive | None = None
    minutes: PositiveNumber | None = None
    batch: Annotated[int, Field(ge=1, le=1 << 16)] = 8
    crop: Annotated[int, Field(ge=16)] = 256
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 1
    device: Annotated[str, Field(pattern=_DEVICE)] = "auto"
    workers: Annotated[int, Field(ge=0, le=1024)] | Literal["auto"] = "auto"
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    checkpoint_every: Positive = 500
    checkpoint_keep: Positive = 2
    quality: Annotated[int, Field(ge=1, le=8)] | None = None
    start: str | None = None
    start_state: Literal["weights", "all"] = "weights"
    model: ModelConfig
    data: DataConfig = Field(default_factory=DataConfig)
    loss: LossConfig = Field(default_factory=LossConfig)
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = Field(default_factory=ScheduleConfig)
    loop: LoopConfig = Field(default_factory=LoopConfig)
    validation: ValidationConfig = Field(default_factory=ValidationConfig)
    watch: WatchConfig = Field(default_factory=WatchConfig)
    phases: list[Phase] = Field(default_factory=list)

    @model_validator(mode="after")
    def _ends(self) -> Config:
        if self.steps is None and self.minutes is None:
            raise ValueError("one of steps and minutes is needed: when does the run end?")
        if self.output == Path():
            raise ValueError("output is '', must be a folder")
        places = [phase.from_ for phase in self.phases]
        if places != sorted(places):
            raise ValueError(f"phases begin at {places}, must ascend")
        return self

    def largest_crop(self) -> int:
        """The largest side of crops in any phase."""
        return max([self.crop, *(phase.crop or 0 for phase in self.phases)])

    def as_dict(self) -> dict[str, Any]:
        """As JSON values under the names of files; what is not set is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def checked(values: Mapping[str, Any]) -> Config:
    """The configuration that `values` say.

    Raises:
        ConfigError: a key or a value is wrong; all that is wrong is said, each with what is legal.
    """
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        complaints: dict[tuple[Any, ...], list[str]] = {}
        for entry in error.errors():
            complaints.setdefault(_place(entry), []).append(_complaint(entry))
        # Of a value that may be of several types the last complaint is of the words that are legal.
        raise ConfigError("; ".join(_joined(of_one) for of_one in complaints.values())) from None


def dotted_keys(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[str]:
    """All keys of a configuration, as they are written on the command line."""
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        inner = _part_in(field.annotation)
        yield key
        if inner is not None:
            yield from dotted_keys(inner, f"{key}.")


def text_keys(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[str]:
    """Those of them whose values are texts or paths."""
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        inner = _part_in(field.annotation)
        if inner is not None:
            yield from text_keys(inner, f"{key}.")
        elif field.annotation is not None and {str, Path} & set(_plain_types(field.annotation)):
            yield key


def _plain_types(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, type):
        yield annotation
    elif get_origin(annotation) not in (Literal, list, dict):
        for part in get_args(annotation):
            yield from _plain_types(part)


def _complaint(error: Mapping[str, Any]) -> str:
    """One thing that is wrong, in words."""
    key = ".".join(str(part) for part in _place(error))
    kind = error["type"]
    if kind == "extra_forbidden":
        return f"there is no key {key!r}{_nearest_key(key)}"
    if kind == "missing":
        return f"{key} is missing"
    if kind == "literal_error":
        legal = error["ctx"]["expected"]
        choices = legal.replace(" or ", ", ").replace("'", "").split(", ")
        return f"{key} is {error['input']!r}, must be {legal}{_nearest(str(error['input']), choices)}"
    if kind == "value_error":
        reason = str(error["ctx"]["error"])
        if key and reason.partition(": ")[0].isidentifier():  # a key of this part
            return f"{key}.{reason}"
        return f"{key}: {reason}" if key else reason
    if kind == "string_too_short":
        return f"{key} is {error['input']!r}, must not be empty"
    if kind == "string_pattern_mismatch":
        return f"{key} is {error['input']!r}, must be {_PATTERNS[error['ctx']['pattern']]}"
    reason = error["msg"][0].lower() + error["msg"][1:]
    reason = reason.replace("input should be", "must be")
    return f"{key} is {error['input']!r}, {reason}" if key else reason


def _place(error: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(part for part in error["loc"] if not (isinstance(part, str) and _is_branch(part)))


def _joined(complaints: list[str]) -> str:
    """Several complaints of one value: what comes after the first is an alternative."""
    first, *others = complaints
    return first + "".join(f", or{other.partition(', must')[2] or ' ' + other}" for other in others)


def _is_branch(part: str) -> bool:
    """Whether pydantic means a branch of a union, and no key."""
    return "[" in part or part in {
        "int",
        "float",
        "str",
        "constrained-int",
        "constrained-float",
        "constrained-str",
    }


def _nearest_key(key: str) -> str:
    """What a key that does not exist may have meant, or which there are beside it."""
    known = list(dotted_keys())
    parts = [part for part in key.split(".") if not part.isdecimal()]
    group, leaf = ".".join(parts[:-1]), parts[-1]
    siblings = {name.rpartition(".")[2]: name for name in known if name.rpartition(".")[0] == group}
    leaves = {name.rpartition(".")[2]: name for name in reversed(known)} | _OTHER_WORDS
    for names in (siblings, leaves):
        if names is leaves and leaf in leaves:
            return f"; did you mean {leaves[leaf]}?"
        if near := difflib.get_close_matches(leaf, names, n=1, cutoff=0.6):
            return f"; did you mean {names[near[0]]}?"
    where = f"of {group}" if siblings and group else "at the top"
    here = siblings or {name: name for name in known if "." not in name}
    return f" (keys {where}: {', '.join(here)})"


_OTHER_WORDS = {
    "learning_rate": "optimizer.lr", "lambda": "loss.lmbda", "epochs": "steps", "batch_size": "batch",
    "patch_size": "crop", "num_workers": "workers", "dataset": "data.train",
    "clip_max_norm": "optimizer.clip",
    "aux_learning_rate": "optimizer.aux_lr",
}  # fmt: skip
"""What the training scripts of CompressAI and others call keys."""


def _nearest(value: str, choices: list[str]) -> str:
    found = difflib.get_close_matches(value, choices, n=1, cutoff=0.4)
    return f"; did you mean {found[0]!r}?" if found else ""


def no_such(value: str, choices: Iterable[str]) -> str:
    """That a value is none of those that there are, and which one it may have meant."""
    choices = list(choices)
    return f"{value!r} is none of {', '.join(choices)}{_nearest(value, choices)}"


def _part_in(annotation: Any) -> type[BaseModel] | None:
    """The part that a field is, or is a list of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (list, Union):
        return next(filter(None, map(_part_in, get_args(annotation))), None)
    return None
