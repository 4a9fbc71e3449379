"""What the endings of files say: which are pictures, which point clouds.

Nothing is imported here, since a command line is parsed with it.
"""

from __future__ import annotations

__all__ = ["CLOUDS", "CLOUD_FORMATS", "PICTURES"]

# fmt: off
PICTURES = frozenset({
    ".apng", ".avif", ".avifs", ".blp", ".bmp", ".bw", ".cur", ".dcx", ".dds", ".dib", ".fit", ".fits",
    ".flc", ".fli", ".ftc", ".ftu", ".gbr", ".gif", ".heic", ".heif", ".hif", ".icb", ".icns", ".ico",
    ".iim", ".im", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".jxl",
    ".mpo", ".msp", ".pbm", ".pcd", ".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".pxr", ".qoi",
    ".ras", ".rgb", ".rgba", ".sgi", ".tga", ".tif", ".tiff", ".vda", ".vst", ".webp", ".xbm", ".xpm",
})
# fmt: on
"""What pictures are called that Pillow reads, or reads with a plugin; no others are taken out of a folder."""

CLOUD_FORMATS = ("ply", "pcd", "xyz", "csv", "npy", "bin", "las", "laz", "obj", "off", "stl")
"""Those of `lcrs.clouds.FORMATS`."""

CLOUDS = frozenset({*(f".{name}" for name in CLOUD_FORMATS), ".txt"})
"""Of files of points. `.pcd` is a kind of picture, too: there the first bytes tell."""
