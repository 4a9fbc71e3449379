"""Pictures from files, Pillow images and arrays, and files from pictures: one rule for what may be lost.

Importing this loads neither NumPy nor Pillow.
"""

from lcrs.pictures.convert import MAX_PIXELS, to_picture
from lcrs.pictures.errors import PictureError
from lcrs.pictures.picture import Background, Metadata, Picture

__all__ = ["MAX_PIXELS", "Background", "Metadata", "Picture", "PictureError", "to_picture"]
