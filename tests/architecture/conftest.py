"""What readers of the pages have beside them."""

from pathlib import Path

import pytest
from PIL import Image

PHOTO = Path(__file__).parents[1] / "data" / "photo.png"


@pytest.fixture
def readers_folder(tmp_path):
    """A folder with a photograph, `photo.png`, and with `photos`, a folder of two small ones."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photo.png").write_bytes(PHOTO.read_bytes())
    with Image.open(PHOTO) as photo:
        for name, left in (("first", 0), ("second", 200)):
            photo.crop((left, 100, left + 192, 292)).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path
