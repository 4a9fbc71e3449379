"""Code that imports CompressAI gets lcrs: the same modules, the same classes."""

import functools
import sys

import pytest

from lcrs import shims


@pytest.fixture
def installed():
    shims.install()
    yield
    shims.uninstall()


@pytest.mark.usefixtures("installed")
def test_modules_and_classes_are_the_same_by_either_name():
    import compressai
    import compressai.models.google as google
    from compressai.entropy_models import EntropyBottleneck
    from compressai.zoo import image_models

    import lcrs
    import lcrs.models.google

    assert compressai is lcrs
    assert google is lcrs.models.google
    assert google.__spec__.name == "lcrs.models.google"
    assert EntropyBottleneck is lcrs.entropy_models.EntropyBottleneck
    assert image_models is lcrs.zoo.image_models


@pytest.mark.usefixtures("installed")
def test_what_is_not_there_is_named_by_both():
    with pytest.raises(
        ModuleNotFoundError, match=r"lcrs has no lcrs\.nothing, imported as compressai\.nothing"
    ):
        import compressai.nothing  # noqa: F401
    with pytest.raises(ModuleNotFoundError):
        import compressai_other  # noqa: F401


def test_installing_twice_is_once_and_can_be_undone():
    before = list(sys.meta_path)
    shims.install()
    shims.install()
    assert len(sys.meta_path) == len(before) + 1
    import compressai  # noqa: F401

    shims.uninstall()
    assert sys.meta_path == before
    assert not [name for name in sys.modules if name.split(".")[0] == "compressai"]


def test_what_is_imported_already_is_left_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "compressai", sys)
    with pytest.raises(ImportError, match="imported already"):
        shims.install()


@pytest.fixture
def run(python_with_torch):
    """Runs `python -m lcrs.shims` with arguments, in a folder."""
    return functools.partial(python_with_torch.run, "-m", "lcrs.shims")


def test_scripts_and_modules_run_with_their_arguments(run, tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "helper.py").write_text("from compressai import available_entropy_coders as coders\n")
    script = "import sys, helper\nprint(__name__, sys.argv[1:], helper.coders())\n"
    (folder / "script.py").write_text(script)
    expected = "__main__ ['--a', 'b'] ['ans', 'lcrs']\n"
    done = run("code/script.py", "--a", "b", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, expected), done.stderr
    done = run("-m", "script", "--a", "b", cwd=folder)
    assert (done.returncode, done.stdout) == (0, expected), done.stderr
    done = run("-m", "compressai.utils.update_model", "--help", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "--architecture" in done.stdout


def test_what_is_wrong_is_said(run, tmp_path):
    done = run("nowhere.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "lcrs.shims: error: there is no script nowhere.py\n")
    assert "usage" in run(cwd=tmp_path).stderr


COPIED_CODER = """
from compressai import ans, available_entropy_coders, get_entropy_coder

class _EntropyCoder:
    def __init__(self, method):
        if method not in available_entropy_coders():
            raise ValueError(method)
        if method == "ans":
            encoder, decoder = ans.RansEncoder(), ans.RansDecoder()
        elif method == "rangecoder":
            import range_coder
            encoder, decoder = range_coder.RangeEncoder(), range_coder.RangeDecoder()
        self.name, self._encoder, self._decoder = method, encoder, decoder

coder = _EntropyCoder(get_entropy_coder())
from compressai.models import FactorizedPrior
print(coder.name, FactorizedPrior(2, 3).entropy_coder)
"""


def test_copied_code_gets_the_coder_that_it_knows(run, tmp_path):
    (tmp_path / "script.py").write_text(COPIED_CODER)
    for options in ((), ("--entropy-coder", "ans"), ("--entropy-coder=ans",)):
        done = run(*options, "script.py", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "ans ans\n"), done.stderr
    (tmp_path / "other.py").write_text(
        "import sys, compressai\nprint(compressai.get_entropy_coder(), sys.argv[1:])\n"
    )
    done = run("--entropy-coder", "lcrs", "-m", "other", "--entropy-coder", "x", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "lcrs ['--entropy-coder', 'x']\n"), done.stderr
    done = run("--entropy-coder", "huffman", "other.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "error: entropy_coder is 'huffman'" in done.stderr


def test_parts_of_lcrs_are_there_by_name(fresh_python):
    code = """
import sys, lcrs
lcrs.shims.install()
import compressai
assert lcrs.cli.main and lcrs.version.__version__ == lcrs.__version__
print(compressai is lcrs, "torch" in sys.modules)
"""
    assert fresh_python(code) == "True False"


VENDORED = {
    "__init__.py": "from compressai import models\nOWN = 3\n",
    "models/__init__.py": "from .google import *\nfrom .tcm import *\n",
    "models/google.py": """
from .base import CompressionModel
from compressai.layers import OwnBlock
__all__ = ["MeanScaleHyperprior", "Changed"]
class MeanScaleHyperprior(CompressionModel):
    pass
class Changed(CompressionModel):
    block = OwnBlock
""",
    "models/tcm.py": """
from compressai.entropy_models import EntropyBottleneck
from compressai.ans import BufferedRansEncoder
from .google import MeanScaleHyperprior
from .utils import conv
from ..layers.swin import window
from ..registry import register_model
__all__ = ["TCM"]
@register_model("tcm")
class TCM(MeanScaleHyperprior):
    size = window
""",
    "layers/__init__.py": "from .layers import *\nfrom .own import OwnBlock\n",
    "layers/layers.py": "raise RuntimeError('lcrs has this one')\n",
    "layers/own.py": "class OwnBlock:\n    pass\n",
    "layers/swin.py": "window = 8\n",
    "ops/__init__.py": "from .ops import quantize_ste\n",
    "ops/broken.py": "def f(:\n",
    "zoo/__init__.py": """
from compressai.models import TCM
from .image import *
MINE = 4
image_models = {"tcm": TCM, "mbt2018": TCM}
models = {}
models.update(image_models)
""",
}

USES_VENDORED = """
import compressai, lcrs
from compressai.models import TCM
from compressai.models.tcm import TCM as again
from compressai.models import MeanScaleHyperprior
from compressai.models.google import Changed
from compressai.layers import GDN, OwnBlock
import compressai.layers.swin
from compressai.zoo import MINE, image_models, models
assert MINE == 4 and image_models is lcrs.zoo.image_models and len(models) > len(image_models)
assert models["tcm"] is image_models["tcm"] is TCM and models["mbt2018"] is lcrs.zoo.mbt2018
assert {"OWN", "zoo", "compress"} - {*dir(compressai)} == {"OWN"}
assert TCM is again and issubclass(TCM, lcrs.models.MeanScaleHyperprior)
assert MeanScaleHyperprior is lcrs.models.MeanScaleHyperprior
assert Changed.block is OwnBlock and issubclass(Changed, lcrs.models.CompressionModel)
assert lcrs.registry.MODELS["tcm"] is TCM and TCM(2, 3).size == compressai.layers.swin.window == 8
assert GDN is lcrs.layers.GDN and compressai.OWN == 3
for place, name in (("models", "Nothing"), ("layers", "nothing"), ("ops", "nothing")):
    try:
        getattr(getattr(compressai, place), name)
    except AttributeError as error:
        assert name in str(error)
    else:
        raise AssertionError(name)
lcrs.shims.uninstall()
assert not hasattr(lcrs.layers, "Unheard") and "tcm" not in lcrs.zoo.models
print("fine")
"""


@pytest.fixture
def vendored(tmp_path):
    for name, text in VENDORED.items():
        path = tmp_path / "compressai" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "script.py").write_text(USES_VENDORED)
    return tmp_path


@pytest.mark.parametrize("as_module", [False, True])
def test_a_changed_copy_is_named_and_what_it_has_beyond_lcrs_comes_from_it(run, vendored, as_module):
    done = run(*(("-m", "script") if as_module else ("script.py",)), cwd=vendored)
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        f"lcrs.shims: note: {vendored / 'compressai'} is a copy of CompressAI; lcrs takes its place"
    )
    assert "modules of its own on top (layers/own.py, layers/swin.py, models/tcm.py, ops/broken.py)" in line
    assert (
        "from __init__.py, layers/__init__.py, models/__init__.py, models/google.py, zoo/__init__.py." in line
    )
    assert line.count("\n") == 0


def test_without_a_copy_nothing_is_said(run, tmp_path):
    (tmp_path / "script.py").write_text("import compressai\n")
    done = run("script.py", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_installing_by_hand_takes_a_copy_too(vendored, fresh_torch):
    code = """
import sys, lcrs
lcrs.shims.install(copy=sys.argv[1])
from compressai.models.tcm import TCM
lcrs.shims.uninstall()
print(TCM.__module__, "compressai.models.tcm" in sys.modules)
"""
    assert fresh_torch(code, str(vendored / "compressai")) == "compressai.models.tcm True"


STARRED = {
    "__init__.py": "from compressai import layers, models\n",
    "layers/__init__.py": "from .layers import *\n",
    "layers/layers.py": """
from torch import nn
from .gdn import *
__all__ = ["GDN", "ResidualBlock", "OwnBlock"]
class ResidualBlock(nn.Module):
    pass
class OwnBlock(nn.Module):
    inner = ResidualBlock
""",
    "layers/gdn.py": "raise RuntimeError('lcrs has this one')\n__all__ = ['GDN']\n",
    "models/__init__.py": "from .google import *\nfrom .stf import STF\nfrom compressai.models.more import *",
    "models/google.py": """
from .utils import conv
from compressai.layers import *
from compressai.models import *
from compressai.registry import register_model
__all__ = ["FactorizedPrior", "Mine"]
@register_model("bmshj2018-factorized")
class FactorizedPrior:
    pass
class Mine:
    block = OwnBlock
""",
    "models/stf.py": "class STF:\n    pass\n",
    "models/more.py": "from ..models.stf import *\nclass More(STF):\n    pass\n_hidden = 1\n",
    "ops/__init__.py": "from .ops import *\n",
    "ops/ops.py": "from . import *\n__all__ = ['quantize_ste']\nraise RuntimeError('nothing new here')\n",
}


@pytest.mark.parametrize(
    "code",
    [
        "from compressai.layers import OwnBlock",
        pytest.param("from compressai.layers.layers import OwnBlock", marks=pytest.mark.slow),
        "from compressai.models import Mine, STF, More; assert Mine.block.__name__ == 'OwnBlock'",
        "from compressai.layers import *; OwnBlock; assert GDN is lcrs.layers.GDN",
        pytest.param(
            "from compressai.layers.layers import *; OwnBlock\n"
            "assert ResidualBlock is lcrs.layers.ResidualBlock",
            marks=pytest.mark.slow,
        ),
        "from compressai.models import *; Mine, STF; assert FactorizedPrior is lcrs.models.FactorizedPrior",
        pytest.param("from compressai.models.google import *; Mine", marks=pytest.mark.slow),
        "import compressai; compressai.models.STF, compressai.models.Mine, compressai.layers.OwnBlock",
        pytest.param(
            "import compressai; compressai.models.stf.STF; compressai.models.more.More",
            marks=pytest.mark.slow,
        ),
        "import compressai.models as m; m.Mine; assert not hasattr(m, 'Other') and not hasattr(m, '_hidden')",
        pytest.param(
            "from compressai.ops import *; assert quantize_ste is lcrs.ops.quantize_ste",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "import lcrs.models, lcrs.layers; from compressai.models import More", marks=pytest.mark.slow
        ),
    ],
)
@pytest.mark.parametrize("is_imported_before", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_names_taken_by_a_star_come_from_the_copy_too(code, is_imported_before, tmp_path, fresh_torch):
    for name, text in STARRED.items():
        path = tmp_path / "compressai" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    prepared = "import lcrs, lcrs.models, lcrs.layers.layers" if is_imported_before else "import lcrs"
    script = f"""
import sys
{prepared}
lcrs.shims.install(copy=sys.argv[1])
{code}
lcrs.shims.uninstall()
assert not hasattr(lcrs.models, "More") and "FactorizedPrior" in lcrs.models.__all__
assert "OwnBlock" not in lcrs.layers.__all__ and lcrs.layers.__spec__.loader is lcrs.layers.__loader__
from lcrs.registry import MODELS
assert MODELS["bmshj2018-factorized"] is lcrs.models.FactorizedPrior
print("fine")
"""
    assert fresh_torch(script, str(tmp_path / "compressai")) == "fine"
