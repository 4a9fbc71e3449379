"""Pictures beside what low rates make of them: a model at some qualities, AVIF and WebP of the same size.

``python benches/python/contact_sheets.py --model photo --output FOLDER PICTURE...``

One sheet a picture: a crop of the original, then a row for each quality. Crops are shown pixel for pixel;
bits per pixel and PSNR below them are of the whole picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import lcrs
from pillow_codecs import described, of_size, psnr_db

PEERS = ("avif", "webp")
LABEL = 22  # pixels below every crop
GAP = 4


def labelled(crop: np.ndarray, text: str) -> Image.Image:
    """A crop with a line of text below it."""
    height, width = crop.shape[:2]
    cell = Image.new("RGB", (width, height + LABEL), "white")
    cell.paste(Image.fromarray(crop), (0, 0))
    ImageDraw.Draw(cell).text((3, height + 3), text, "black", ImageFont.load_default(14))
    return cell


def sheet(
    picture: np.ndarray, model: lcrs.coding.Package, qualities: list[float], place: tuple[int, int, int, int]
) -> Image.Image:
    """The sheet of one picture; `place` (left, top, width, height) is what is shown of it."""
    left, top, width, height = place
    part = np.s_[top : top + height, left : left + width]
    pixels = picture.shape[0] * picture.shape[1]
    columns = 1 + len(PEERS)
    rows = []
    for quality in qualities:
        data = lcrs.compress(picture, quality=quality, model=model)
        made = [(f"lcrs, quality {quality:g}", len(data), lcrs.decompress(data, model=model))]
        for codec in PEERS:
            num_bytes, restored = of_size(picture, codec, len(data))
            smallest = " (its smallest)" if num_bytes > len(data) else ""
            made.append((f"{codec.upper()}{smallest}", num_bytes, restored))
        rows.append(
            [
                labelled(
                    restored[part], f"{name}: {8 * n / pixels:.3f} bpp, {psnr_db(picture, restored):.2f} dB"
                )
                for name, n, restored in made
            ]
        )
    cells = [labelled(picture[part], "original"), *(cell for row in rows for cell in row)]
    size = ((width + GAP) * columns, (height + LABEL + GAP) * (1 + len(rows)))
    page = Image.new("RGB", size, "white")
    page.paste(cells[0], (0, 0))
    note = (
        f"AVIF: {described('avif')}\nWebP: {described('webp')}\nnever larger than the lcrs file, unless said"
    )
    ImageDraw.Draw(page).multiline_text((width + 12, 10), note, "black", ImageFont.load_default(13))
    for index, cell in enumerate(cells[1:]):
        row, column = divmod(index, columns)
        page.paste(cell, (column * (width + GAP), (row + 1) * (height + LABEL + GAP)))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", nargs="+", help="PATH, or PATH:LEFT,TOP,WIDTH,HEIGHT to show a part")
    parser.add_argument("--model", default="photo", help="name, or a package's path")
    parser.add_argument("--qualities", type=float, nargs="+", default=[0, 10, 25])
    parser.add_argument("--prefix", default="sheet", help="of the files' names")
    parser.add_argument("--jpeg-quality", type=int, default=88, help="of the sheets")
    parser.add_argument("--output", type=Path, required=True, help="folder")
    arguments = parser.parse_args()
    model = lcrs.codec.load_package(arguments.model)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for given in arguments.pictures:
        path, _, numbers = given.partition(":")
        picture = np.asarray(Image.open(path).convert("RGB"))
        whole = (0, 0, picture.shape[1], picture.shape[0])
        left, top, width, height = (int(v) for v in numbers.split(",")) if numbers else whole
        page = sheet(picture, model, arguments.qualities, (left, top, width, height))
        to = arguments.output / f"{arguments.prefix}-{Path(path).stem}.jpg"
        page.save(to, quality=arguments.jpeg_quality, subsampling="4:4:4", optimize=True)
        print(f"{to}: {page.size[0]} x {page.size[1]}, {to.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
