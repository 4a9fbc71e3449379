"""What readers of the pages have beside them, and what they do with it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lcrs import clouds

PHOTO = Path(__file__).parents[1] / "data" / "photo.png"
# One process for all commands of a page: most of what they take is loading what they need.
COMMANDS = """
import json, sys
from lcrs.cli import main
for words in json.loads(sys.argv[1]):
    try:
        code = main(words)
    except SystemExit as end:  # of --version
        code = end.code
    assert not code, words
"""


@pytest.fixture
def readers_folder(tmp_path):
    """A folder with a part of a photograph, `photo.png`, a point cloud, `cloud.ply`, and with `photos`, a
    folder of two small pictures.
    """
    (tmp_path / "photos").mkdir()
    with Image.open(PHOTO) as photo:
        photo.crop((0, 100, 240, 276)).save(tmp_path / "photo.png")
        for name, left, side in (
            ("first", 0, 168),
            ("second", 200, 80),
        ):  # the second is too small for MS-SSIM
            photo.crop((left, 100, left + side, 100 + side)).save(tmp_path / "photos" / f"{name}.png")
    points = np.unique(np.random.default_rng(0).integers(0, 64, (500, 3)), axis=0).astype(np.int32)
    clouds.write(tmp_path / "cloud.ply", clouds.Cloud(points, {"red": points[:, 0].astype(np.uint8)}))
    return tmp_path


@pytest.fixture
def run_commands(readers_folder, python_with_torch):
    """Runs the commands, each a list of words after ``lcrs``, one after another in the reader's folder."""

    def run(commands):
        result = python_with_torch.run(
            "-c", COMMANDS, json.dumps(commands), cwd=readers_folder, is_strict=False
        )
        assert result.returncode == 0, result.stderr

    return run
