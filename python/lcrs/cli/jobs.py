"""From what stands on the command line to jobs: which file becomes which."""

from __future__ import annotations

import argparse
import glob
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lcrs.cli.arguments import add_jobs
from lcrs.cli.messages import UsageError
from lcrs.cli.streams import NO_URL, STANDARD, is_url, location


@dataclass(frozen=True)
class Job:
    """One file and what it becomes."""

    source: Path
    target: Path
    is_named_here: bool = True
    """The target has no name on the command line: its folder is made if there is none."""

    @property
    def target_text(self) -> str:
        """The target in words."""
        return "standard output" if self.target == STANDARD else str(self.target)

    @property
    def num_bytes(self) -> int:
        """Of the source, as far as that is known."""
        try:
            return self.source.stat().st_size
        except OSError:
            return 0


@dataclass
class Plan:
    """All that a command is to do."""

    jobs: list[Job] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """What cannot be done, a line each."""
    is_single: bool = False
    """One file was named, and nothing else."""
    num_others: int = 0
    """Files in folders that are of no kind that is looked for."""


@dataclass(frozen=True)
class Kind:
    """Which files a verb takes out of folders, and what it calls what it makes of them."""

    endings: frozenset[str]
    """Of the files that are taken out of folders, in lower case."""
    rename: Callable[[str], str]
    """From the name of a source to that of its target."""
    what: str
    """What is looked for, in words."""
    advice: str = ""
    """What helps where sources of two names have one target."""


def add_files(parser: argparse.ArgumentParser, what: str, output: str) -> None:
    """The arguments that `plan` reads, and how many files are worked on."""
    parser.add_argument("inputs", metavar="IN", nargs="+", help=f"{what}, or - for standard input")
    parser.add_argument("-o", "--output", metavar="OUT", help=output)
    parser.add_argument("--force", action="store_true", help="replace files that exist")
    many = parser.add_argument_group("many files")
    many.add_argument(
        "-r", "--recursive", action="store_true", help="take what is in folders; OUT gets the tree"
    )
    add_jobs(many)
    many.add_argument(
        "--skip-existing",
        action="store_true",
        help="leave out what is there and whole: goes on where an earlier run ended",
    )
    many.add_argument("--keep-times", action="store_true", help="give each file the time of its source")
    many.add_argument("--quiet", action="store_true", help="say only what goes wrong")


def find_sources(
    texts: Iterable[str], kind: Kind, *, recursive: bool, found: Plan
) -> Iterator[tuple[Path, Path]]:
    """The files that `texts` name, each with its path below the folder that it was found in.

    Shells of Windows leave patterns to programs, so they are expanded here.
    """
    for text in texts:
        if text == str(STANDARD):
            yield STANDARD, STANDARD
            continue
        if is_url(text):
            found.failures.append(f"{text}: {NO_URL}")
            continue
        path = location(text)
        if os.path.lexists(path) or not glob.has_magic(text):
            paths = [path]
        else:
            paths = [Path(match) for match in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207 (also absolute)
            if not paths:
                found.failures.append(f"{text}: no file has a name like this")
        for path in paths:
            if not path.is_dir():
                yield path, Path(path.name)
            elif recursive:
                yield from _walk(path, kind, found)
            else:
                found.failures.append(f"{path}: is a folder; -r takes {kind.what} in it")


def _walk(folder: Path, kind: Kind, found: Plan) -> Iterator[tuple[Path, Path]]:
    """The files of a kind in a folder and below. Hidden ones, what links to folders lead to, and what is no
    file, such as a pipe that nobody may ever write to, are left out.
    """

    def unreadable(error: OSError) -> None:
        found.failures.append(f"{error.filename}: {error.strerror}")

    for root, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            path = Path(root, name)
            is_file = path.is_file() or not path.exists()  # a dangling link fails in its turn
            if is_file and path.suffix.lower() in kind.endings:
                yield path, path.relative_to(folder)
            else:
                found.num_others += 1


def plan(arguments: argparse.Namespace, kind: Kind) -> Plan:
    """What the arguments of `add_files` ask for.

    Raises:
        UsageError: inputs and output do not fit.
    """
    _refuse_second_name(arguments, kind)
    made = Plan()
    sources = list(
        dict.fromkeys(find_sources(arguments.inputs, kind, recursive=arguments.recursive, found=made))
    )
    if len(arguments.inputs) == 1:
        only = arguments.inputs[0]
        is_named = not is_url(only) and [source for source, _ in sources] == [location(only)]
        made.is_single = is_named or (bool(made.failures) and not sources)
    folder = _folder(arguments.output, is_single=made.is_single)
    if STANDARD in (source for source, _ in sources) and not made.is_single:
        msg = "- is standard input, which comes alone"
        raise UsageError(msg)
    for source, below in sources:
        if folder is not None and source == STANDARD:
            msg = f"-o {arguments.output} is a folder: what comes from standard input has no name there"
            raise UsageError(msg)
        if folder is not None:
            target = folder / below.with_name(kind.rename(below.name))
        elif arguments.output is not None:
            target = location(arguments.output)
        else:
            target = STANDARD if source == STANDARD else source.with_name(kind.rename(source.name))
        is_named_here = folder is not None or arguments.output is None
        made.jobs.append(Job(source, target, is_named_here))
    _refuse_conflicts(made, kind)
    return made


def _refuse_second_name(arguments: argparse.Namespace, kind: Kind) -> None:
    """Raises `UsageError` for IN OUT, as other programs have it: every name is that of an input here."""
    if arguments.output is not None or len(arguments.inputs) != 2 or glob.has_magic(arguments.inputs[1]):
        return
    if any(map(is_url, arguments.inputs)):
        return
    first, second = map(location, arguments.inputs)
    if second.name.startswith("-") and second != STANDARD and not os.path.lexists(second):
        msg = f"there is no {second} to read: what follows -- is a file's name, options come before it"
        raise UsageError(msg)
    is_new = second != STANDARD and not os.path.lexists(second) and second.suffix.lower() not in kind.endings
    if is_new and first.exists():
        msg = f"there is no {second} to read: -o {second} writes it"
        raise UsageError(msg)


def _folder(output: str | None, *, is_single: bool) -> Path | None:
    """The folder that files go to; None if they go beside their sources, or to one file."""
    if output is None:
        return None
    if is_url(output):
        raise UsageError(f"-o {output}: {NO_URL.split(',')[0]}, where nothing can be written")
    is_folder = output != str(STANDARD) and (Path(output).is_dir() or output.endswith(("/", os.sep)))
    if is_single and not is_folder:
        return None
    if output == str(STANDARD):
        msg = "-o - is standard output, which takes one file"
        raise UsageError(msg)
    if Path(output).exists() and not Path(output).is_dir():
        msg = f"-o {output} is a file, {'no' if is_single else 'and several files need a'} folder"
        raise UsageError(msg)
    return Path(output)


def _refuse_conflicts(made: Plan, kind: Kind) -> None:
    """Takes out the jobs whose target is that of another one, or one of the sources."""
    by_target: dict[str, list[Job]] = {}
    for job in made.jobs:
        by_target.setdefault(_identity(job.target), []).append(job)
    sources = {_identity(job.source) for job in made.jobs}
    kept = []
    for target, jobs in by_target.items():
        if len(jobs) > 1:
            for job in jobs:
                other = next(other.source for other in jobs if other is not job)
                words = f"{job.source}: would become {job.target}, as would {other}"
                made.failures.append(words + _advice(job.source, other, kind))
        elif target in sources and not made.is_single:
            made.failures.append(f"{jobs[0].source}: would become {jobs[0].target}, which is read, too")
        else:
            kept += jobs
    made.jobs = kept


def _advice(source: Path, other: Path, kind: Kind) -> str:
    """What helps where two sources have one target."""
    if source.name != other.name:
        return kind.advice
    return "; -r on a folder that holds both, or one run for each with its own -o, keeps them apart"


def _identity(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path)) if path != STANDARD else str(path)
