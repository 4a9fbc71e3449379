"""How much to pad a picture so that a network's strides divide it."""

from __future__ import annotations

__all__ = ["compute_padding"]

_Padding = tuple[int, int, int, int]


def compute_padding(
    in_h: int, in_w: int, *, out_h: int | None = None, out_w: int | None = None, min_div: int = 1
) -> tuple[_Padding, _Padding]:
    """Centred padding to a given size, or to the next multiple of `min_div`.

    Args:
        in_h: Height before padding, in samples.
        in_w: Width before padding, in samples.
        out_h: Height after padding; by default the next multiple of `min_div` from `in_h` up.
        out_w: Width after padding; by default the next multiple of `min_div` from `in_w` up.
        min_div: What the padded sides must be divisible by; at least 1.

    Returns:
        `(pad, unpad)`, each `(left, right, top, bottom)` as `torch.nn.functional.pad` takes them; `unpad` is
        `pad` negated. An odd difference puts the extra sample right or bottom.

    Raises:
        ValueError: `min_div` is below 1, or a given output side is not divisible by it.

    Example:
        >>> compute_padding(5, 6, min_div=4)
        ((1, 1, 1, 2), (-1, -1, -1, -2))
    """
    if min_div < 1:
        raise ValueError(f"min_div is {min_div}; it must be at least 1")
    top, bottom = _split("out_h", in_h, out_h, min_div)
    left, right = _split("out_w", in_w, out_w, min_div)
    return (left, right, top, bottom), (-left, -right, -top, -bottom)


def _split(name: str, size: int, target: int | None, min_div: int) -> tuple[int, int]:
    """Divides the difference between `target` and `size` over both ends of a side."""
    if target is None:
        target = -(-size // min_div) * min_div
    elif target % min_div != 0:
        raise ValueError(f"{name} is {target}, which is not divisible by min_div = {min_div}")
    before = (target - size) // 2
    return before, target - size - before
