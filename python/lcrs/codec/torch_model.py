"""Files of a model that is at hand as a torch module: by its package, if it has one, else by its own methods.

What its own `compress` returns is carried as it is. Such a file is not portable: it says so, and decodes only
with the same weights where torch computes the same sums. Its symbols are verified.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import re
from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lcrs import coding
from lcrs.codec.call_text import from_text, to_text
from lcrs.coding import Package
from lcrs.errors import CorruptError, LcrsError, MissingModelError, NotPortableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray

    from lcrs.codec.samples import Samples

__all__ = ["OwnCoding", "own_coding_of", "package_of"]

_MULTIPLE = 64
"""What pictures are padded to, where a model does not say it: as CompressAI's evaluation does."""
_SAMPLES_PER_PIXEL = 64
"""At most so many numbers of a latent for each pixel are believed of a file."""
_MAX_AXES = 5
"""Of a latent; more numbers side by side are no size."""


def package_of(net: torch.nn.Module) -> Package:
    """The package of a model, under the name of its class.

    Raises:
        NotPortableError: it has none.
    """
    from lcrs.models.packing import pack

    try:
        return Package.from_bytes(coding.package_bytes(*pack(net, _name(net))))  # type: ignore[arg-type]
    except NotPortableError:
        raise
    except Exception as error:  # networks that nobody here knows end in all sorts of ways
        reason = str(error).strip().partition("\n")[0]
        msg = f"{type(net).__name__} is not portable: no package can be made of it ({reason})"
        raise NotPortableError(msg) from error


def own_coding_of(net: torch.nn.Module) -> OwnCoding:
    """How `net` codes by itself.

    Raises:
        NotPortableError: it has no `compress` and `decompress`.
        ValueError: it is not for pictures.
    """
    for method in ("compress", "decompress"):
        if not callable(getattr(net, method, None)):
            raise NotPortableError(f"{type(net).__name__} has no {method}: it does not code")
    if (channels := getattr(net, "in_channels", 3)) != 3:
        msg = f"{type(net).__name__} takes {channels} channels: files that are not portable hold pictures"
        raise ValueError(msg)
    return OwnCoding(net)


class OwnCoding:
    """A model that codes by its own `compress` and `decompress`, with the members of `Package` that count.

    Args:
        net: Has these methods, as CompressAI's models.
    """

    levels = None
    samples = None

    def __init__(self, net: torch.nn.Module) -> None:
        self.net, self.name = net, _name(net)
        # Nobody can say which weights decide symbols and which only pixels.
        self.entropy_digest = self.synthesis_digest = _digest(net)

    def compress(
        self, samples: Samples, *, metadata: dict[str, Any] | None = None, max_pixels: int | None = None
    ) -> bytes:
        """The bytes of an .lcrs file.

        Raises:
            ValueError: `compress` of the model returns what no file can hold.
        """
        import torch

        from lcrs.codec.picture_numbers import picture_numbers

        kind = getattr(self.net, "entropy_coder", None)

        def written(sections: list[bytes]) -> bytes:
            return coding.write_not_portable(
                self.name,
                (bytes.fromhex(self.entropy_digest[:16]), bytes.fromhex(self.synthesis_digest[:16])),
                sections,
                kind="ans" if kind == "ans" else "lcrs",
                metadata=metadata,
                max_pixels=max_pixels,
                **samples.form,
            )

        written([])  # what no file can hold is refused before anything is computed
        pixels = samples.array()
        factor = getattr(self.net, "downsampling_factor", None) or _MULTIPLE
        padded = [-(-side // factor) * factor for side in pixels.shape[:2]]
        like = next((p for p in self.net.parameters() if p.is_floating_point()), torch.empty(0))
        x = picture_numbers(samples, padded, like.device).to(like.dtype)
        with self._coding(like.device):
            out = self.net.compress(x)  # type: ignore[operator]
        if not isinstance(out, Mapping) or "strings" not in out:
            msg = f"compress of {type(self.net).__name__} returns no dict with 'strings'"
            raise ValueError(msg)
        try:
            text, strings = to_text(arguments := self._arguments(out))
        except (TypeError, ValueError) as error:
            msg = f"of what compress of {type(self.net).__name__} returns: {error}"
            raise ValueError(msg) from error
        _check_sizes(arguments, {"height": pixels.shape[0], "width": pixels.shape[1]})
        return written([text.encode(), *strings])

    def decompress(
        self,
        data: bytes | bytearray | memoryview,
        *,
        threads: int | None = None,
        max_pixels: int | None = None,
        max_bytes: int | None = None,
    ) -> NDArray[Any]:
        """The pixels of an .lcrs file; torch uses as many threads as it is set to, and what memory it needs.

        Raises:
            MissingModelError: it was made with another model, or other weights.
            DesyncError: torch computes other sums here.
            LcrsError: it is damaged.
        """
        limits: dict[str, Any] = {"max_pixels": max_pixels, "max_bytes": max_bytes}
        from lcrs.codec.picture_numbers import picture_samples

        fields = coding.info(data, **limits)
        self._check_model(fields)
        text, *strings = coding.read_not_portable(data, **limits) or [b""]
        arguments = from_text(text, strings)
        if not isinstance(arguments, dict) or "strings" not in arguments:
            raise CorruptError("what the file says of its sections has no strings")
        _check_sizes(arguments, fields)
        x_hat = self._restored(arguments)
        height, width = fields["height"], fields["width"]
        if x_hat.ndim != 4 or x_hat.shape[:2] != (1, 3) or x_hat.shape[2] < height or x_hat.shape[3] < width:
            msg = f"the model gives {tuple(x_hat.shape)}, the file holds a picture of {width} x {height}"
            raise CorruptError(msg)
        visible = x_hat[0, :, :height, :width].detach().float()
        if bool(visible.isnan().any()):
            raise CorruptError("the model gives numbers that are not a number")
        whole = picture_samples(visible.clamp(0, 1), fields["shape"], fields["bit_depth"])
        pixels: NDArray[Any] = whole.astype(fields["dtype"]).reshape(fields["shape"])
        return pixels

    @contextmanager
    def _coding(self, device: torch.device) -> Iterator[None]:
        """What both methods run in: as repeatable as torch is, everything coded with a checksum."""
        from lcrs.layers.foreign import coding_scope, in_torch, verify_all

        with coding_scope(), in_torch(self.net, device):
            verify_all(type(self.net).__name__)
            yield

    def _arguments(self, out: Mapping[str, Any]) -> dict[str, Any]:
        """What of the result goes to `decompress`: strings, shape, and what else it asks for."""
        asked = inspect.signature(self.net.decompress).parameters  # type: ignore[arg-type]
        return {key: value for key, value in out.items() if key in ("strings", "shape") or key in asked}

    def _restored(self, arguments: dict[str, Any]) -> torch.Tensor:
        import torch

        first = [arguments.pop(key) for key in ("strings", "shape") if key in arguments]
        like = next(self.net.parameters(), torch.empty(0))
        try:
            with self._coding(like.device):
                out = self.net.decompress(*first, **arguments)  # type: ignore[operator]
        except LcrsError:
            raise
        except Exception as error:  # of code that nobody here knows, given what nobody here can check
            reason = str(error).strip().partition("\n")[0]
            msg = f"decompress of {type(self.net).__name__} does not take what the file holds: {reason}"
            raise CorruptError(msg) from error
        x_hat = out.get("x_hat") if isinstance(out, Mapping) else out
        if not isinstance(x_hat, torch.Tensor):
            msg = f"decompress of {type(self.net).__name__} returns no 'x_hat'"
            raise ValueError(msg)
        return x_hat

    def _check_model(self, fields: dict[str, Any]) -> None:
        if self.name != fields["model"]:
            msg = f"the file needs model '{fields['model']}', the model at hand is '{self.name}'"
            raise MissingModelError(msg)
        if not self.entropy_digest.startswith(fields["entropy_digest"]):
            msg = (
                f"the file needs model '{self.name}' with weights and tables of digest "
                f"{fields['entropy_digest']}, those at hand have {self.entropy_digest[:16]}"
            )
            raise MissingModelError(msg)


def _name(net: torch.nn.Module) -> str:
    """What files call a model: the name of its class, registered or not, in letters that they take."""
    from lcrs.models.packing import architecture_of

    return re.sub(r"[^A-Za-z0-9._-]", "-", architecture_of(type(net))).lstrip(".")[:64] or "model"


def _digest(net: torch.nn.Module) -> str:
    """SHA-256 of the weights, and of the tables that are not made of them, on any device."""
    import torch

    from lcrs.entropy_models import EntropyModel

    derived: set[str] = set()
    digest = hashlib.sha256(b"lcrs state dict 1")

    def add(name: str, dtype: object, shape: object, data: bytes | memoryview) -> None:
        digest.update(f"\n{name} {dtype} {tuple(shape)}\n".encode())  # type: ignore[arg-type]
        digest.update(data)

    for path, module in net.named_modules():
        if isinstance(module, EntropyModel):
            # Buffers count as the table that is coded with, whether update() has filled them or not.
            buffers = ("_quantized_cdf", "_cdf_length", "_offset", "scale_table")
            derived |= {f"{path}.{name}".lstrip(".") for name in buffers}
            if module.has_own_density:
                continue  # torch makes these tables, and another torch others: strings tell
            table = module.integer_table()
            for name, array in (("cdfs", table.cdfs), ("lengths", table.lengths), ("offsets", table.offsets)):
                add(f"{path}:{name}", array.dtype, array.shape, array.tobytes())
    for name, tensor in sorted(net.state_dict().items()):
        if isinstance(tensor, torch.Tensor) and name not in derived:
            values = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            add(name, tensor.dtype, tensor.shape, values.numpy().data)
    return digest.hexdigest()


def _check_sizes(arguments: dict[str, Any], fields: dict[str, Any]) -> None:
    """Refuses sizes of latents beyond any that a picture of this size has.

    Raises:
        CorruptError: there is one.
    """
    padded = [max(side, _MULTIPLE) + _MULTIPLE for side in (fields["height"], fields["width"])]
    most = _SAMPLES_PER_PIXEL * math.prod(padded)

    def check(value: Any) -> None:
        items = list(value.values()) if isinstance(value, dict) else value
        if not isinstance(items, list | tuple):
            items = [items]
        numbers = [item for item in items if isinstance(item, int | float)]
        size = numbers if len(numbers) <= _MAX_AXES else []
        if any(abs(number) > most for number in numbers) or abs(math.prod(size)) > most:
            width, height = fields["width"], fields["height"]
            msg = f"{numbers} is no size of a latent of a picture of {width} x {height}"
            raise CorruptError(msg)
        for item in items:
            if isinstance(item, dict | list | tuple):
                check(item)

    check(arguments)
