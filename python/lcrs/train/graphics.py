"""Pictures that no camera took: flat colours, gradients, lines, text, patterns, interfaces, halftones.

Folders of photographs hold next to none of these, and a network that never saw one spends bits on a flat
colour, misses it by tens of levels, and loses the finest patterns whole. Every picture is a function of the
generator's state: the same seed gives the same pictures on a machine with the same fonts and Pillow.
"""

from __future__ import annotations

from lcrs import needs_torch  # noqa: F401

# isort: split
import colorsys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts", "C:/Windows/Fonts")
LETTERS = "etaoinshrdlucmfwypvbgkjqxz"
MARKS = "0123456789.,:;-()/'\"%&@+=*#?![]{}<>"


def find_fonts(folders: Sequence[str] = FONT_FOLDERS) -> list[Path]:
    """TrueType fonts of the system, in the order of their paths; none is needed."""
    return sorted(path for folder in folders for path in Path(folder).rglob("*.ttf"))


def any_colour(rng: np.random.Generator) -> Colour:
    """A colour: a corner or an edge of the cube, a grey, a dark one, or anything, by turns."""
    kind = rng.integers(6)
    if kind == 0:
        colour = rng.integers(0, 2, 3) * 255
    elif kind == 1:
        colour = np.where(rng.random(3) < 0.5, rng.integers(0, 2, 3) * 255, rng.integers(0, 256, 3))
    elif kind == 2:
        colour = np.full(3, rng.integers(0, 256))
    elif kind == 3:
        colour = rng.integers(0, 64, 3)
    elif kind == 4:  # even in hue, which uniform numbers are not
        rgb = colorsys.hsv_to_rgb(rng.random(), rng.random() ** 0.5, rng.random() ** 0.5)
        colour = np.rint(255 * np.array(rgb))
    else:
        colour = rng.integers(0, 256, 3)
    return int(colour[0]), int(colour[1]), int(colour[2])


def ink_on(rng: np.random.Generator, paper: Colour) -> Colour:
    """A colour to write with: most often black or white, whichever is seen."""
    if rng.random() < 0.6:
        return (0, 0, 0) if sum(paper) > 382 else (255, 255, 255)
    return any_colour(rng)


def paper_colour(rng: np.random.Generator) -> Colour:
    """White, nearly white, nearly black, or any colour."""
    kind = rng.integers(4)
    if kind == 0:
        return (255, 255, 255)
    if kind == 3:
        return any_colour(rng)
    base = int(rng.integers(225, 256) if kind == 1 else rng.integers(0, 50))
    tint = rng.integers(-6, 7, 3) + base
    red, green, blue = (int(v) for v in np.clip(tint, 0, 255))
    return red, green, blue


def as_pixels(values: NDArray[np.floating]) -> Pixels:
    """The nearest levels from 0 to 255."""
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


def canvas(size: int, colour: Colour) -> Pixels:
    """A flat picture, (size, size, 3)."""
    return np.full((size, size, 3), colour, dtype=np.uint8)


def flat(rng: np.random.Generator, size: int) -> Pixels:
    """One colour, or two to four with straight borders."""
    picture = canvas(size, any_colour(rng))
    for _ in range(int(rng.integers(4)) if rng.random() < 0.5 else 0):
        at = int(rng.integers(size))
        if rng.random() < 0.5:
            picture[at:] = any_colour(rng)
        else:
            picture[:, at:] = any_colour(rng)
    return picture


def gradient(rng: np.random.Generator, size: int) -> Pixels:
    """A linear or round passage between two colours, sometimes with the grain of dithering."""
    first, last = (np.array(any_colour(rng), dtype=np.float32) for _ in range(2))
    if rng.random() < 0.4:  # sky, skin, a wall: colours near each other
        last = np.clip(first + rng.integers(-40, 41, 3), 0, 255)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    if rng.random() < 0.6:
        angle = rng.random() * 2 * np.pi
        along = x * np.cos(angle) + y * np.sin(angle)
    else:
        along = np.hypot(x - rng.random() * 2 + 0.5, y - rng.random() * 2 + 0.5)
    along = (along - along.min()) / (along.max() - along.min())
    picture = first + (last - first) * along[..., None]
    if rng.random() < 0.3:
        picture = picture + rng.random((size, size, 1)) - 0.5
    return as_pixels(picture)


def dark(rng: np.random.Generator, size: int) -> Pixels:
    """A smooth dark field: a few soft lights, sometimes the noise of a sensor."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    picture = np.zeros((size, size, 3), dtype=np.float32) + rng.integers(0, 30, 3)
    for _ in range(int(rng.integers(1, 4))):
        radius = 0.1 + rng.random()
        light = np.exp(-((x - rng.random()) ** 2 + (y - rng.random()) ** 2) / radius**2)
        picture += light[..., None] * rng.integers(0, 60, 3)
    if rng.random() < 0.4:
        picture += rng.normal(0, 1.5 * rng.random(), (size, size, 3))
    return as_pixels(picture)


def pattern(rng: np.random.Generator, size: int) -> Pixels:
    """Checkers or stripes with a period from two pixels up, over all of the picture or a part of it."""
    first, last = (np.array(any_colour(rng)) for _ in range(2))
    if rng.random() < 0.4:
        first, last = np.zeros(3), np.full(3, 255)
    y, x = np.mgrid[0:size, 0:size]
    step = int(1 if rng.random() < 0.4 else rng.integers(1, 5) if rng.random() < 0.7 else rng.integers(5, 40))
    x, y = (x + rng.integers(2 * step)) // step, (y + rng.integers(2 * step)) // step
    index = (x + y, x, y, x & y, x + y // 2)[int(rng.choice(5, p=(0.4, 0.25, 0.25, 0.05, 0.05)))] % 2
    picture = np.where(index[..., None] == 0, first, last).astype(np.uint8)
    if rng.random() < 0.25:
        picture = paste(rng, canvas(size, any_colour(rng)), picture)
    return picture


def paste(rng: np.random.Generator, under: Pixels, over: Pixels) -> Pixels:
    """`under` with a rectangle of `over` in its place."""
    size = under.shape[0]
    top, left = (int(v) for v in rng.integers(0, size * 3 // 4, 2))
    height, width = (int(v) for v in rng.integers(size // 8, size, 2))
    under[top : top + height, left : left + width] = over[top : top + height, left : left + width]
    return under


def halftone(rng: np.random.Generator, size: int) -> Pixels:
    """Dots of a turned screen whose areas follow a passage of tone, or an ordered dither of it."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    tone = (x * rng.normal() + y * rng.normal()) / size
    tone = 0.05 + 0.9 * (tone - tone.min()) / (np.ptp(tone) + 1e-6)
    if rng.random() < 0.3:
        bayer = np.array([[0, 2], [3, 1]])
        for _ in range(int(rng.integers(0, 3))):
            bayer = np.block([[4 * bayer, 4 * bayer + 2], [4 * bayer + 3, 4 * bayer + 1]])
        side = bayer.shape[0]
        screen = (bayer[y.astype(int) % side, x.astype(int) % side] + 0.5) / side**2
    else:
        angle, period = rng.random() * np.pi, 3 + 9 * rng.random()
        u = (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period
        v = (y * np.cos(angle) - x * np.sin(angle)) * 2 * np.pi / period
        screen = 0.5 + 0.25 * (np.cos(u) + np.cos(v))
    ink = np.clip((tone - screen) * (1e3 if rng.random() < 0.5 else 4) + 0.5, 0, 1)[..., None]
    first, last = (np.array(any_colour(rng)) for _ in range(2))
    if rng.random() < 0.5:
        first, last = np.full(3, 255), np.zeros(3)
    return as_pixels(first + (last - first) * ink)


def lines(rng: np.random.Generator, size: int) -> Pixels:
    """Straight lines, frames, discs, polygons and curves of a few colours, hard or smooth at their edges."""
    scale = int(rng.integers(1, 4))  # drawn large and reduced: smooth edges
    picture = Image.new("RGB", (size * scale, size * scale), paper_colour(rng))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(2, 25))):
        places = [int(v) for v in rng.integers(-size // 8, size + size // 8, 6) * scale]
        left, right = sorted(places[::2][:2])
        top, bottom = sorted(places[1::2][:2])
        colour, width = any_colour(rng), int(rng.integers(1, 6)) * scale
        kind = rng.integers(5)
        if kind == 0:
            draw.line(places[:4], colour, width)
        elif kind == 1:
            draw.rectangle((left, top, right, bottom), None if rng.random() < 0.5 else colour, colour, width)
        elif kind == 2:
            draw.ellipse((left, top, right, bottom), None if rng.random() < 0.5 else colour, colour, width)
        elif kind == 3:
            draw.polygon(places, colour)
        else:
            start, end = (int(v) for v in rng.integers(0, 360, 2))
            draw.arc((left, top, right, bottom), start, end, colour, width)
    return np.asarray(picture.reduce(scale)) if scale > 1 else np.asarray(picture)


def words(rng: np.random.Generator, count: int) -> str:
    """Letters by about their frequency in English, in words, with capitals, numbers and marks."""
    frequency = 1 / (np.arange(len(LETTERS)) + 3)
    frequency /= frequency.sum()
    out = []
    for _ in range(count):
        word = "".join(rng.choice(list(LETTERS), int(rng.integers(1, 11)), p=frequency))
        kind = rng.random()
        if kind < 0.15:
            word = word.capitalize()
        elif kind < 0.22:
            word = word.upper()
        elif kind < 0.4:
            word += str(rng.choice(list(MARKS)))
        elif kind < 0.48:
            word = str(rng.integers(10**5))
        out.append(word)
    return " ".join(out)


def write(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    ink: Colour,
    font: Font,
) -> None:
    """Fills `box` (left, top, right, bottom) with lines of words."""
    left, top, right, bottom = box
    low, high = (float(v) for v in font.getbbox("Ag")[1::2])
    leading = max(5.0, high - low) * (1.15 + 0.5 * float(rng.random()))
    y = float(top)
    while y < bottom:
        length = (right - left) * (1.0 if rng.random() < 0.8 else float(rng.random()))
        text = words(rng, 2 + int(length / max(4.0, 3 * (high - low))))
        while len(text) > 1 and font.getlength(text) > length:
            text = text[: max(1, int(len(text) * 0.9))]
        draw.text((left, y), text, fill=ink, font=font)
        y += leading


class GraphicsSampler:
    """Crops of drawn pictures, made when they are asked for.

    Args:
        seed: seed of everything that is drawn.
        fonts: TrueType files to write with; Pillow's own font is always among them.
    """

    def __init__(self, seed: int = 0, fonts: Sequence[Path] = ()) -> None:
        self.rng = np.random.default_rng(seed)
        self.fonts = list(fonts)
        self.kinds: dict[str, tuple[Callable[[np.random.Generator, int], Pixels], float]] = {
            "flat": (flat, 0.14),
            "gradient": (gradient, 0.12),
            "dark": (dark, 0.06),
            "pattern": (pattern, 0.16),
            "halftone": (halftone, 0.04),
            "lines": (lines, 0.10),
            "text": (self.text, 0.24),
            "interface": (self.interface, 0.14),
        }

    def font(self, points: int) -> Font:
        """A font of about `points` pixels' height."""
        index = int(self.rng.integers(len(self.fonts) + 1))
        if index < len(self.fonts):
            return ImageFont.truetype(str(self.fonts[index]), points)
        return ImageFont.load_default(points)

    def text(self, rng: np.random.Generator, size: int) -> Pixels:
        """A part of a page: words of one or two sizes, antialiased, hard, or with coloured fringes."""
        paper = paper_colour(rng)
        ink = ink_on(rng, paper)
        fringes = rng.random() < 0.2  # one third of a pixel a channel, as screens do
        width = 3 * size if fringes else size
        picture = Image.new("RGB", (width, size), paper)
        draw = ImageDraw.Draw(picture)
        draw.fontmode = "1" if not fringes and rng.random() < 0.2 else "L"
        left, top = int(rng.integers(-20, 30)), int(rng.integers(-20, 30))
        if rng.random() < 0.3:
            points = int(rng.integers(18, 64))
            write(rng, draw, (left, top, width, top + points), ink, self.font(points))
            top += int(points * 1.6)
        write(rng, draw, (left, top, width, size), ink, self.font(int(rng.integers(8, 26))))
        if not fringes:
            return np.asarray(picture)
        sharp = np.asarray(picture).astype(np.float32)
        wide = (np.roll(sharp, 1, 1) + sharp + np.roll(sharp, -1, 1)) / 3
        return as_pixels(np.stack([wide[:, k::3, k] for k in range(3)], 2))

    def interface(self, rng: np.random.Generator, size: int) -> Pixels:
        """Panels, bars, buttons, tables and small icons with a word or two on each."""
        picture = Image.new("RGB", (size, size), paper_colour(rng))
        draw = ImageDraw.Draw(picture)
        font = self.font(int(rng.integers(9, 17)))
        for _ in range(int(rng.integers(3, 14))):
            left, top = (int(v) for v in rng.integers(-20, size, 2))
            width, height = int(rng.integers(20, size)), int(rng.integers(12, size // 2))
            fill = paper_colour(rng) if rng.random() < 0.7 else any_colour(rng)
            ink, border = ink_on(rng, fill), any_colour(rng) if rng.random() < 0.5 else fill
            radius = int(rng.integers(0, 10)) if rng.random() < 0.5 else 0
            box = (left, top, left + width, top + height)
            draw.rounded_rectangle(box, radius, fill, border, int(rng.integers(1, 3)))
            kind = rng.integers(4)
            if kind == 0:
                write(rng, draw, (left + 6, top + 4, left + width - 6, top + height - 14), ink, font)
            elif kind == 1:
                for y in range(top + 20, top + height, 20):
                    draw.line((left, y, left + width, y), border, 1)
                    draw.text((left + 5, y - 17), words(rng, 2), fill=ink, font=font)
            elif kind == 2:
                draw.text((left + 8, top + 3), words(rng, int(rng.integers(1, 4))), fill=ink, font=font)
            else:
                for x in range(left + 4, left + width - 16, 22):
                    draw.ellipse((x, top + 4, x + 14, top + 18), any_colour(rng), ink, 1)
        if rng.random() < 0.3:
            return paste(rng, np.array(picture), gradient(rng, size))
        return np.asarray(picture)

    def draw(self, size: int, kind: str | None = None) -> Pixels:
        """One picture, (size, size, 3).

        Args:
            size: height and width, at least 64.
            kind: one of `kinds`; by default drawn by their weights.

        Raises:
            ValueError: there is no such kind, or `size` is too small.
        """
        if size < 64:
            raise ValueError(f"size is {size}; it must be at least 64")
        if kind is None:
            weights = [weight for _, weight in self.kinds.values()]
            kind = str(self.rng.choice(list(self.kinds), p=np.array(weights) / sum(weights)))
        if kind not in self.kinds:
            raise ValueError(f"no kind {kind!r}; there are {', '.join(self.kinds)}")
        return self.kinds[kind][0](self.rng, size)

    def sample(self, count: int, size: int) -> Tensor:
        """`count` pictures in [0, 1], (count, 3, size, size), channels last."""
        batch = torch.from_numpy(np.stack([self.draw(size) for _ in range(count)]))
        return batch.permute(0, 3, 1, 2).float().div_(255).contiguous(memory_format=torch.channels_last)
