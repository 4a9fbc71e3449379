"""Fresh processes find the same tables, numbers and bytes on every path of SIMD, whatever the threads."""

from __future__ import annotations

import json
from pathlib import Path

import fingerprints
import pytest

from lcrs import coding

CODE = """
import json, sys
sys.path[:0] = sys.argv[1:]
import fingerprints
from lcrs import coding
found = [fingerprints.all_of_them(threads) for threads in (1, None)]
print(json.dumps([coding.simd_path(), coding.num_threads(), *found]))
"""


@pytest.mark.parametrize("path", coding.simd_paths())
def test_a_fresh_process_finds_the_same(path: str, fresh_python) -> None:
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    found = json.loads(fresh_python(CODE, *folders, LCRS_SIMD=path, LCRS_NUM_THREADS="3"))
    expected = fingerprints.all_of_them(2)
    assert found == [path, 3, expected, expected]
