"""A plugin for Pillow: `Image.open("x.lcrs")` and `image.save("x.lcrs", quality=60)`, once asked for.

Example:
    >>> import lcrs.pillow
    >>> lcrs.pillow.register()
    >>> import io
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (40, 30), "teal").save(file, "LCRS", quality=30)
    >>> Image.open(file).size
    (40, 30)
"""

from __future__ import annotations

__all__ = ["register"]


def register() -> None:
    """Makes Pillow, and all that opens pictures by it (imageio, torchvision), read and write .lcrs files.

    `Image.open` reads the header; pixels are decoded when they are needed, as RGB, or L if they are grey;
    components of more than 8 bits are rounded to 8, but for grey ones (I;16). `image.info` has
    `icc_profile`, `exif`, `xmp` and `dpi` by Pillow's names, `lossless` if the picture is, else `model` and
    `quality`.

    What is wrong with a file is raised as `OSError`, as Pillow's other readers do: `UnidentifiedImageError`
    by `Image.open`.

    `image.save` takes the keywords of `lcrs.compress`: `quality`, `lossless`, `model`, `background`,
    `to_8bit` and all others. As Pillow's other writers do, it takes the profile (`icc_profile`) and the
    resolution (`dpi`) of the image unless given others, and EXIF (`exif`) and XMP (`xmp`) only if given;
    with `keep_exif=True` or `keep_metadata=True` it takes the image's own.

    Calling it again changes nothing.
    """
    from PIL import Image

    from lcrs.codec import pillow_plugin

    plugin = pillow_plugin.LcrsImageFile
    Image.register_open(plugin.format, plugin, pillow_plugin.accept)
    Image.register_save(plugin.format, pillow_plugin.save)
    Image.register_extension(plugin.format, ".lcrs")
    Image.register_mime(plugin.format, "image/x-lcrs")
