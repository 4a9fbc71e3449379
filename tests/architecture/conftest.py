"""What readers of the pages have beside them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lcrs import clouds

PHOTO = Path(__file__).parents[1] / "data" / "photo.png"


@pytest.fixture
def readers_folder(tmp_path):
    """A folder with a part of a photograph, `photo.png`, a point cloud, `cloud.ply`, and with `photos`, a
    folder of two small pictures.
    """
    (tmp_path / "photos").mkdir()
    with Image.open(PHOTO) as photo:
        photo.crop((0, 100, 384, 356)).save(tmp_path / "photo.png")
        for name, left, side in (
            ("first", 0, 168),
            ("second", 200, 80),
        ):  # the second is too small for MS-SSIM
            photo.crop((left, 100, left + side, 100 + side)).save(tmp_path / "photos" / f"{name}.png")
    points = np.unique(np.random.default_rng(0).integers(0, 64, (500, 3)), axis=0).astype(np.int32)
    clouds.write(tmp_path / "cloud.ply", clouds.Cloud(points, {"red": points[:, 0].astype(np.uint8)}))
    return tmp_path
