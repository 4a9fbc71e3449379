"""A setting that several need at once."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from lcrs.ops.held_setting import HeldSetting


def test_the_first_block_sets_and_the_last_one_restores():
    written = []
    setting = HeldSetting(lambda: "theirs", written.append)
    first, second = ExitStack(), ExitStack()
    first.enter_context(setting.held("ours"))
    second.enter_context(setting.held("ours"))
    first.close()  # not the inner one: blocks of two threads overlap in any way
    assert written == ["ours"]
    second.close()
    assert written == ["ours", "theirs"]
    with pytest.raises(ZeroDivisionError), setting.held("ours"):
        _ = 1 / 0
    assert written == ["ours", "theirs", "ours", "theirs"]
