"""Writing files: whole or not at all, and only regular ones are ever replaced."""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
import threading
from pathlib import Path

import pytest

from lcrs.coding import files
from lcrs.coding.files import write_atomically

posix = pytest.mark.skipif(os.name != "posix", reason="no such files there")


@pytest.fixture(params=["without a name", "with a name"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Systems that can write a file before it has a name, and others."""
    if request.param == "with a name":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("not here")
    return request.param


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_usual_mode(system: str, tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a", b"new")
    finally:
        os.umask(old)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert os.name != "posix" or mode(tmp_path / "a") == 0o640
    assert names(tmp_path) == ["a"]


@posix
@pytest.mark.parametrize("bits", [0o600, 0o444, 0o664, 0o755])
def test_a_replaced_file_keeps_its_mode(bits: int, system: str, tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    target.chmod(bits)
    write_atomically(target, b"new", overwrite=True)
    assert (target.read_bytes(), mode(target)) == (b"new", bits)
    assert names(tmp_path) == ["a"]


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root gives files away")
def test_a_replaced_file_keeps_its_owner(system: str, tmp_path: Path, monkeypatch) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    target.chmod(0o664)
    os.chown(target, 1234, 2345)
    write_atomically(target, b"new", overwrite=True)
    assert (target.stat().st_uid, target.stat().st_gid, mode(target)) == (1234, 2345, 0o664)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(os, "fchown", refuse)
    write_atomically(target, b"newer", overwrite=True)
    assert mode(target) == 0o644  # another group than before may not write it


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="no such attributes there")
def test_a_replaced_file_keeps_its_attributes(system: str, tmp_path: Path, monkeypatch) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    # Owner, group, others and a user of its own: rw, r, nothing, r; a mask of r.
    entries = [(1, 6, -1), (2, 4, 1234), (4, 4, -1), (16, 4, -1), (32, 0, -1)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(target, "user.note", b"mine")
        os.setxattr(target, "system.posix_acl_access", acl)
    except OSError:
        pytest.skip("this file system has no such attributes")
    before = mode(target)
    write_atomically(target, b"new", overwrite=True)
    assert (target.read_bytes(), mode(target)) == (b"new", before)
    assert os.getxattr(target, "user.note") == b"mine"
    assert os.getxattr(target, "system.posix_acl_access") == acl

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(os, "setxattr", refuse)
    write_atomically(target, b"newer", overwrite=True)
    assert target.read_bytes() == b"newer"


@posix
def test_chmod_may_be_refused(system: str, tmp_path: Path, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    for name in ("chmod", "fchmod", "lchmod"):
        monkeypatch.setattr(os, name, refuse, raising=False)
    target = tmp_path / "a"
    write_atomically(target, b"new")
    write_atomically(target, b"newer", overwrite=True)
    assert target.read_bytes() == b"newer"


@pytest.mark.parametrize("length", [1, 200, 240, 241, 255])
def test_names_may_be_as_long_as_the_system_has_them(length: int, system: str, tmp_path: Path) -> None:
    target = tmp_path / ("x" * length)
    write_atomically(target, b"new")
    write_atomically(target, b"newer", overwrite=True)
    assert target.read_bytes() == b"newer"
    assert len(names(tmp_path)) == 1


@posix
def test_links_stay_and_lead_to_what_is_written(system: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target, link, dangling = tmp_path / "folder" / "a", tmp_path / "link", tmp_path / "dangling"
    target.write_bytes(b"old")
    link.symlink_to("folder/a")
    dangling.symlink_to("folder/b")
    for path in (link, dangling):
        with pytest.raises(FileExistsError, match="exists"):
            write_atomically(path, b"new")
        write_atomically(path, b"new", overwrite=True)
        assert path.is_symlink()
        assert path.read_bytes() == b"new"
    assert names(tmp_path / "folder") == ["a", "b"]
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    for overwrite in (False, True):
        with pytest.raises(OSError, match="loop"):
            write_atomically(loop, b"new", overwrite=overwrite)


@posix
def test_devices_and_pipes_are_written_to(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for overwrite in (False, True):
        for path in (Path("/dev/null"), link):
            write_atomically(path, b"gone", overwrite=overwrite)
            assert stat.S_ISCHR(path.stat().st_mode)
        read = []
        thread = threading.Thread(target=lambda: read.append(pipe.read_bytes()))  # noqa: B023
        thread.start()
        write_atomically(pipe, b"through", overwrite=overwrite)
        thread.join()
        assert read == [b"through"]
        assert stat.S_ISFIFO(pipe.stat().st_mode)
    if sys.platform == "linux":
        with pytest.raises(OSError, match="No space left") as caught:
            write_atomically("/dev/full", b"much")
        assert caught.value.filename == "/dev/full"


@posix
def test_disks_and_sockets_are_refused(tmp_path: Path, monkeypatch) -> None:
    import socket

    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(OSError, match="is a socket"):
            write_atomically("socket", b"new", overwrite=True)
        assert stat.S_ISSOCK(Path("socket").stat().st_mode)
    real = Path.stat

    def of_a_disk(self: Path, **options: bool) -> os.stat_result:
        status = list(real(self, **options))
        status[0] = stat.S_IFBLK | 0o600
        return os.stat_result(status)

    Path("disk").write_bytes(b"precious")
    monkeypatch.setattr(Path, "stat", of_a_disk)
    with pytest.raises(OSError, match="is a disk"):
        write_atomically("disk", b"new", overwrite=True)
    monkeypatch.undo()
    assert (tmp_path / "disk").read_bytes() == b"precious"


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="not here")
def test_open_descriptors_go_on_where_they_are(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        file.write(b"before ")
        file.flush()
        write_atomically(f"/dev/fd/{file.fileno()}", b"between ", overwrite=True)
        (tmp_path / "link").symlink_to(f"/dev/fd/{file.fileno()}")
        write_atomically(tmp_path / "link", b"after", overwrite=True)
    assert (tmp_path / "log").read_bytes() == b"before between after"


def test_nothing_stays_of_what_fails(system: str, tmp_path: Path, monkeypatch) -> None:
    target = tmp_path / "a"

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for overwrite in (False, True):
        with pytest.raises(OSError, match="No space left") as caught:
            write_atomically(target, b"new", overwrite=overwrite)
        assert caught.value.filename == str(target)
    assert names(tmp_path) == []
    target.write_bytes(b"old")
    with pytest.raises(OSError, match="No space left"):
        write_atomically(target, b"new", overwrite=True)
    assert (target.read_bytes(), names(tmp_path)) == (b"old", ["a"])


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_systems_without_fsync_will_do(code: int, system: str, tmp_path: Path, monkeypatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(code, "not here")

    monkeypatch.setattr(os, "fsync", unsupported)
    write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_systems_without_links_will_do(system: str, tmp_path: Path, monkeypatch) -> None:
    def unsupported(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", unsupported)
    write_atomically(tmp_path / "a", b"new")
    write_atomically(tmp_path / "a", b"newer", overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"newer"
    with pytest.raises(FileExistsError, match="exists"):
        write_atomically(tmp_path / "a", b"newest")
    assert names(tmp_path) == ["a"]


def test_a_name_that_is_taken_in_the_meantime_stays(system: str, tmp_path: Path, monkeypatch) -> None:
    target = tmp_path / "a"
    fill = files._fill

    def and_another(*arguments: object) -> None:
        fill(*arguments)
        target.write_bytes(b"another")

    monkeypatch.setattr(files, "_fill", and_another)
    with pytest.raises(FileExistsError, match="exists"):
        write_atomically(target, b"new")
    assert (target.read_bytes(), names(tmp_path)) == (b"another", ["a"])


def test_folders_and_missing_ones_are_named(system: str, tmp_path: Path) -> None:
    for overwrite in (False, True):
        with pytest.raises(OSError, match=r"folder|exists"):
            write_atomically(tmp_path, b"new", overwrite=overwrite)
        with pytest.raises(FileNotFoundError) as caught:
            write_atomically(tmp_path / "no" / "a", b"new", overwrite=overwrite)
        assert caught.value.filename == str(tmp_path / "no" / "a")
