"""Entropy coders side by side: lcrs, torch_ans, CompressAI and constriction on the same symbols in one run.

Run it in the environment that ``make_peers_env.sh`` makes. Coders take turns, so that whatever else the
machine does meets all of them; a figure is the median over the turns, with the quartiles beside it.
Everything that codes must give its symbols back.

    python benches/python/coders.py [--turns 7] [--clock wall|cpu] [--workloads FAMILY:COUNT ...]
                                    [--picture FILE ...]
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import importlib
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

warnings.filterwarnings("ignore", category=FutureWarning)

import torch  # noqa: E402

Ints = npt.NDArray[np.int32]
SCALES = np.exp(np.linspace(np.log(0.11), np.log(256), 64))
WIDE_SCALES = np.exp(np.linspace(np.log(0.5), np.log(1000), 100))
WIDE_MEAN = 40_000
PHOTO = Path(__file__).resolve().parents[2] / "tests" / "data" / "photo.png"
Clock = Callable[[], float]
CLOCKS = {"wall": time.perf_counter, "cpu": time.thread_time}


@dataclass
class Work:
    """Symbols, the row of each, and the table."""

    name: str
    symbols: Ints
    indexes: Ints
    cdfs: Ints
    lengths: Ints
    offsets: Ints

    @property
    def num_symbols(self) -> int:
        return self.symbols.size


@dataclass
class Row:
    """The times of one coder on one workload, in seconds."""

    coder: str
    workload: str
    num_symbols: int
    num_bytes: int
    encode: list[float] = field(default_factory=list)
    decode: list[float] = field(default_factory=list)

    def speed(self, what: str) -> float:
        """Million symbols a second, median."""
        return self.num_symbols / statistics.median(getattr(self, what)) / 1e6

    def spread(self, what: str) -> tuple[float, float]:
        """Million symbols a second, quartiles."""
        times = sorted(getattr(self, what))
        low, high = times[len(times) // 4], times[-1 - len(times) // 4]
        return self.num_symbols / high / 1e6, self.num_symbols / low / 1e6


class Coder:
    """A coder as its users call it. ``encode`` and ``decode`` are timed, ``prepare`` is not."""

    name: str

    def encode(self) -> Any:
        raise NotImplementedError

    def prepare(self, data: Any) -> Any:
        """What is handed to ``decode``."""
        return data

    def decode(self, data: Any) -> Any:
        raise NotImplementedError

    def size(self, data: Any) -> int:
        return len(data)

    def turn(self, repeats: int, clock: Clock, symbols: Ints | None = None) -> tuple[float, float, int]:
        """Seconds of one encoding and one decoding, and the number of bytes.

        With ``symbols`` these must come back. One more call of each goes before, untimed: what the coder
        before has left in the caches is not what is measured.
        """
        self.decode(self.prepare(self.encode()))
        begin = clock()
        for _ in range(repeats):
            data = self.encode()
        middle = clock()
        prepared = [self.prepare(data) for _ in range(repeats)]
        decode_begin = clock()
        for item in prepared:
            out = self.decode(item)
        end = clock()
        if symbols is not None and not np.array_equal(np.asarray(out), symbols):
            raise ValueError(f"{self.name} does not give back what it was given")
        return (middle - begin) / repeats, (end - decode_begin) / repeats, self.size(data)


class Lcrs(Coder):
    """lcrs through `lcrs.coding`, on the path that it chooses itself."""

    def __init__(self, work: Work, kind: str) -> None:
        from lcrs import coding

        self.coding, self.work, self.kind = coding, work, kind
        self.name = f"lcrs {kind}"
        self.table = coding.CdfTable(work.cdfs, work.lengths, work.offsets)

    def encode(self) -> bytes:
        return self.coding.encode(self.work.symbols, self.work.indexes, self.table, kind=self.kind, threads=1)

    def decode(self, data: bytes) -> Any:
        return self.coding.decode(data, self.work.indexes, self.table, kind=self.kind, threads=1)


class LcrsOnPath(Coder):
    """lcrs forced to a SIMD path, in a process of its own: a process keeps the path that it began with."""

    def __init__(self, work: Work, simd: str, clock: str) -> None:
        self.name = f"lcrs lcrs ({simd})"
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        os.environ["LCRS_SIMD"] = simd
        self.process = context.Process(target=serve, args=(theirs, work, clock), daemon=True)
        self.process.start()
        del os.environ["LCRS_SIMD"]

    def turn(self, repeats: int, clock: Clock, symbols: Ints | None = None) -> tuple[float, float, int]:
        self.pipe.send((repeats, symbols is not None))
        answer: tuple[float, float, int] = self.pipe.recv()
        return answer


def serve(pipe: Connection, work: Work, clock: str) -> None:
    """Takes turns for `LcrsOnPath` until the pipe is closed."""
    coder = Lcrs(work, "lcrs")
    while True:
        try:
            repeats, checks = pipe.recv()
        except EOFError:
            return
        pipe.send(coder.turn(repeats, CLOCKS[clock], work.symbols if checks else None))


class TorchAns(Coder):
    """torch_ans on tensors: its raw operators, without the way to bytes.

    Its search, that is: its inverse tables want rows of one length.
    """

    def __init__(self, work: Work, impl: str, lanes: int) -> None:
        from torch_ans.utils import TorchANSInterface

        self.work = work
        self.name = f"torch_ans {impl} x{lanes}"
        self.coder = TorchANSInterface(impl=impl, num_interleaves=lanes)
        self.coder.set_cdfs(*(torch.from_numpy(a) for a in (work.cdfs, work.lengths, work.offsets)))
        self.symbols, self.indexes = (torch.from_numpy(a)[None] for a in (work.symbols, work.indexes))

    def encode(self) -> Any:
        return self.coder.encode(self.symbols, dist_indexes=self.indexes)

    def prepare(self, data: Any) -> Any:
        return data.clone()  # decoding uses it up

    def decode(self, data: Any) -> Any:
        return self.coder.decode(data, dist_indexes=self.indexes)[0]

    def size(self, data: Any) -> int:
        return sum(len(s) for s in self.coder._native.rans_stream_to_byte_strings(data))


class TorchAnsBytes(TorchAns):
    """torch_ans from tensors to bytes and back: its interface."""

    def __init__(self, work: Work, impl: str, lanes: int) -> None:
        super().__init__(work, impl, lanes)
        self.name += " to bytes"

    def encode(self) -> Any:
        return self.coder.encode_with_indexes(self.symbols, self.indexes)

    def prepare(self, data: Any) -> Any:
        return data

    def decode(self, data: Any) -> Any:
        return self.coder.decode_with_indexes(data, self.indexes)[0]

    def size(self, data: Any) -> int:
        return len(data)


class CompressAI(Coder):
    """CompressAI's coder as its entropy models call it: tables and symbols become lists every time."""

    name = "CompressAI as called"
    module = "compressai.ans"

    def __init__(self, work: Work) -> None:
        self.ans, self.work = importlib.import_module(self.module), work

    def table(self) -> tuple[list[list[int]], list[int], list[int]]:
        return self.work.cdfs.tolist(), self.work.lengths.tolist(), self.work.offsets.tolist()

    def encode(self) -> bytes:
        symbols, indexes = self.work.symbols.tolist(), self.work.indexes.tolist()
        return self.ans.RansEncoder().encode_with_indexes(symbols, indexes, *self.table())

    def decode(self, data: bytes) -> Any:
        values = self.ans.RansDecoder().decode_with_indexes(data, self.work.indexes.tolist(), *self.table())
        return np.asarray(values, np.int32)


class CompressAILists(CompressAI):
    """CompressAI's coder on lists that are there already: its core and the conversion of lists to vectors."""

    name = "CompressAI, lists ready"

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.lists = work.symbols.tolist(), work.indexes.tolist()
        self.tables = self.table()

    def encode(self) -> bytes:
        return self.ans.RansEncoder().encode_with_indexes(*self.lists, *self.tables)

    def decode(self, data: bytes) -> Any:
        return self.ans.RansDecoder().decode_with_indexes(data, self.lists[1], *self.tables)


class LcrsLists(CompressAILists):
    """lcrs through `lcrs.ans` on such lists."""

    name = "lcrs ans, lists ready"
    module = "lcrs.ans"


class Constriction(Coder):
    """constriction's ANS coder with a Gaussian of 24 bits for each symbol."""

    name = "constriction ANS, Gaussian"

    def __init__(self, work: Work) -> None:
        import constriction

        self.stream, self.work = constriction.stream, work
        self.model = constriction.stream.model.QuantizedGaussian(-1600, 1600)
        self.scales = SCALES[work.indexes]
        self.means = np.zeros_like(self.scales)

    def encode(self) -> Any:
        coder = self.stream.stack.AnsCoder()
        coder.encode_reverse(self.work.symbols, self.model, self.means, self.scales)
        return coder.get_compressed()

    def decode(self, data: Any) -> Any:
        return self.stream.stack.AnsCoder(data).decode(self.model, self.means, self.scales)

    def size(self, data: Any) -> int:
        return data.nbytes


def gaussian_table() -> tuple[Ints, Ints, Ints]:
    """The peer's own table of its default scales: cdfs, lengths and offsets."""
    from compressai.entropy_models import GaussianConditional

    model = GaussianConditional(SCALES.tolist())
    model.update()
    arrays = (model._quantized_cdf, model._cdf_length, model._offset)
    cdfs, lengths, offsets = (np.ascontiguousarray(a.numpy(), np.int32) for a in arrays)
    return cdfs, lengths, offsets


def wide_table() -> tuple[Ints, Ints, Ints]:
    """Gaussians of 100 scales up to 1,000 around the value 40,000.

    More rows than registers hold, rows of up to 12,000 entries, and values beyond 15 bits.
    """
    from compressai.entropy_models import GaussianConditional

    model = GaussianConditional(WIDE_SCALES.tolist())
    model.update()
    arrays = (model._quantized_cdf, model._cdf_length, model._offset + WIDE_MEAN)
    cdfs, lengths, offsets = (np.ascontiguousarray(a.numpy(), np.int32) for a in arrays)
    return cdfs, lengths, offsets


def workloads(names: list[str], pictures: list[Path]) -> Iterator[Work]:
    """The workloads of these names, ``FAMILY:COUNT``.

    ``uniform64``: index uniform over all scales; ``skewed``: weight exp(-i / 8) over the 41 up to 16;
    ``wide``: index uniform over the rows of `wide_table`; ``y`` and ``z``: that latent of the pictures in
    the shipped model, at the quality that stands for the count.
    """
    weights = {
        "uniform64": np.ones(64),
        "skewed": np.where(np.arange(64) < 41, np.exp(-np.arange(64) / 8), 0),
        "wide": np.ones(WIDE_SCALES.size),
    }
    for name in names:
        family, _, count = name.partition(":")
        if family in ("y", "z"):
            yield picture_latents(name, pictures)
            continue
        rng = np.random.default_rng(1)
        scales, mean = (WIDE_SCALES, WIDE_MEAN) if family == "wide" else (SCALES, 0)
        weight = weights[family] / weights[family].sum()
        indexes = rng.choice(scales.size, size=int(count), p=weight).astype(np.int32)
        symbols = np.rint(rng.standard_normal(int(count)) * scales[indexes]).astype(np.int32) + np.int32(mean)
        yield Work(name, symbols, indexes, *(wide_table() if family == "wide" else gaussian_table()))


def picture_latents(name: str, pictures: list[Path]) -> Work:
    """One latent of pictures, one after the other, for example ``y:50``: the latent y at quality 50."""
    from PIL import Image

    from latents import Model

    latent, _, quality = name.partition(":")
    model = Model()
    parts = [
        model.latents(np.asarray(Image.open(path).convert("RGB")), float(quality))[latent]
        for path in pictures
    ]
    symbols, indexes = (np.concatenate([getattr(p, what) for p in parts]) for what in ("symbols", "indexes"))
    return Work(name, symbols, indexes, *model.table())


def coders(work: Work, simd: list[str], clock: str) -> list[Coder]:
    """All of them; lcrs on the fastest path, as it comes, and on each of ``simd``."""
    variants = [("rans64", 1), ("rans64", 4), ("rans64", 8), ("rans32", 4), ("rans32", 8)]
    return [
        Lcrs(work, "lcrs"),
        *(LcrsOnPath(work, path, clock) for path in simd),
        Lcrs(work, "ans"),
        *(TorchAns(work, *variant) for variant in variants),
        TorchAnsBytes(work, "rans64", 4),
        *([] if work.name.startswith("wide") else [Constriction(work)]),
        LcrsLists(work),
        CompressAILists(work),
        CompressAI(work),
    ]


def measure(work: Work, simd: list[str], turns: int, clock: str) -> list[Row]:
    """Times all coders on ``work``, one after the other in each turn."""
    entrants = coders(work, simd, clock)
    rows: dict[str, Row] = {}
    # small calls are repeated, so that the clock's own time does not count
    repeats = max(1, 20_000 // work.num_symbols)
    for turn in range(turns + 1):
        for coder in entrants:
            is_slow = isinstance(coder, CompressAI | Constriction)
            if is_slow and turn > 3:
                continue
            encode, decode, size = coder.turn(repeats, CLOCKS[clock], None if turn else work.symbols)
            if turn == 0:  # warms up, and proves that everything comes back
                rows[coder.name] = Row(coder.name, work.name, work.num_symbols, size)
            else:
                rows[coder.name].encode.append(encode)
                rows[coder.name].decode.append(decode)
    return list(rows.values())


def tensor_face(turns: int, clock: Clock) -> dict[str, dict[str, float]]:
    """Median seconds of compressing and decompressing a tensor of 491,520 symbols, indexes built too."""
    import compressai.entropy_models

    import lcrs.entropy_models

    generator = torch.Generator().manual_seed(2)
    scales = torch.exp(torch.rand(1, 320, 32, 48, generator=generator) * 5 - 2)
    y = torch.randn(scales.shape, generator=generator) * scales
    times: dict[str, dict[str, list[float]]] = {}
    for turn in range(turns + 1):
        for package in (compressai, lcrs):
            model = package.entropy_models.GaussianConditional(SCALES.tolist())
            model.update()
            begin = clock()
            strings = model.compress(y, model.build_indexes(scales))
            middle = clock()
            y_hat = model.decompress(strings, model.build_indexes(scales))
            end = clock()
            assert torch.equal(y_hat, y.round())
            if turn:
                row = times.setdefault(package.__name__, {"compress": [], "decompress": []})
                row["compress"].append(middle - begin)
                row["decompress"].append(end - middle)
    return {name: {what: statistics.median(t) for what, t in row.items()} for name, row in times.items()}


def two_threads(work: Work, turns: int) -> dict[str, float]:
    """How many times faster two streams are on two threads than on one, by the wall clock.

    Beside them the same for SHA-256 of two buffers: what the machine gave to two threads in these moments.
    Nothing where this process may use one processor only.
    """
    from lcrs import coding

    if num_processors() < 2:
        return {}
    table = coding.CdfTable(work.cdfs, work.lengths, work.offsets)
    symbols, indexes = (a[: a.size // 2 * 2].reshape(2, -1) for a in (work.symbols, work.indexes))
    buffers = [bytes(8_000_000)] * 2
    times: dict[tuple[str, int], list[float]] = {}
    for _ in range(turns):
        for threads in (1, 2):
            begin = time.perf_counter()
            streams = coding.encode_batch(symbols, indexes, table, threads=threads)
            middle = time.perf_counter()
            coding.decode_batch(streams, indexes, table, threads=threads)
            times.setdefault(("encode", threads), []).append(middle - begin)
            end = time.perf_counter()
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(hashlib.sha256, buffers))
            times.setdefault(("decode", threads), []).append(end - middle)
            times.setdefault(("SHA-256", threads), []).append(time.perf_counter() - end)
    return {
        what: statistics.median(times[what, 1]) / statistics.median(times[what, 2])
        for what in ("encode", "decode", "SHA-256")
    }


def num_processors() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine(clock: str) -> dict[str, Any]:
    """What the figures depend on."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    packages = ("torch_ans", "compressai", "constriction", "numpy", "torch", "lcrs")
    return {
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit,
        "cpu": cpu.partition(":")[2].strip() or platform.processor(),
        "num_cpus": num_processors(),
        "load_average": os.getloadavg(),
        "clock": clock,
        "threads": 1,
        "versions": {name: version(name) for name in packages},
    }


def as_table(rows: list[Row]) -> str:
    """The rows as Markdown, with ratios to the best torch_ans operator of each column."""
    lines = []
    for workload in dict.fromkeys(row.workload for row in rows):
        group = [row for row in rows if row.workload == workload]
        raw = [row for row in group if row.coder.startswith("torch_ans") and "bytes" not in row.coder]
        best = {what: max(row.speed(what) for row in raw) for what in ("encode", "decode")}
        lines += [f"\n## {title(workload, group[0].num_symbols)}\n"]
        lines += ["| coder | encode Msym/s (quartiles) | ratio | decode Msym/s (quartiles) | ratio | bytes |"]
        lines += ["|---|---|---|---|---|---|"]
        for row in group:
            cells = [row.coder]
            for what in ("encode", "decode"):
                low, high = row.spread(what)
                cells += [
                    f"{row.speed(what):.1f} ({low:.1f} to {high:.1f})",
                    f"{row.speed(what) / best[what]:.2f}",
                ]
            lines += ["| " + " | ".join([*cells, f"{row.num_bytes:,}"]) + " |"]
    return "\n".join(lines)


def title(workload: str, num_symbols: int) -> str:
    """A workload in words."""
    family, _, number = workload.partition(":")
    if family in ("y", "z"):
        return f"latent {family} of real pictures at quality {number}, {num_symbols} symbols"
    return f"{family}, {num_symbols} symbols"


def main() -> None:
    """Measures and writes ``coders.json`` and ``coders.md``."""
    sizes = ["uniform64:4000000", "skewed:4000000", "uniform64:300000", "skewed:300000", "wide:300000"]
    sizes += ["y:25", "y:75", "z:50", "skewed:16"]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: time of the thread, for a busy machine"
    )
    parser.add_argument("--workloads", nargs="+", default=sizes, metavar="FAMILY:COUNT")
    parser.add_argument(
        "--picture", nargs="+", type=Path, default=[PHOTO], metavar="FILE", help="of the workloads y and z"
    )
    parser.add_argument(
        "--simd", nargs="+", default=["avx2", "scalar"], help="paths to measure besides the fastest"
    )
    parser.add_argument("--out", type=Path, default=Path("benches/results"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    about = machine(args.clock)
    rows: list[Row] = []
    scaling = {}
    for work in workloads(args.workloads, args.picture):
        rows += measure(work, args.simd, args.turns, args.clock)
        if work.name == args.workloads[0]:
            scaling = two_threads(work, 3 * args.turns)
        print(as_table([row for row in rows if row.workload == work.name]), flush=True)
    tensors = tensor_face(args.turns, CLOCKS[args.clock])
    ratios = {
        what: tensors["compressai"][what] / tensors["lcrs"][what] for what in ("compress", "decompress")
    }
    about["load_average_after"] = os.getloadavg()
    result = {
        "machine": about,
        "rows": [vars(row) for row in rows],
        "tensor_face": tensors,
        "two_threads": scaling,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "coders.json").write_text(json.dumps(result, indent=1) + "\n")
    loads = [" ".join(f"{load:.1f}" for load in about[key]) for key in ("load_average", "load_average_after")]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    text = [
        "# Entropy coders, one thread",
        "",
        f"{about['cpu']}, {about['num_cpus']} processors, {about['time']}, commit {about['commit'][:10]},",
        f"{args.clock} clock, load average {loads[0]} before and {loads[1]} after. {versions}.",
        "Ratios are to the best torch_ans operator of the column in the same run.",
        as_table(rows),
        "",
        f"Tensors (491,520 symbols, indexes built too): lcrs is {ratios['compress']:.1f} times CompressAI in",
        f"`compress`, {ratios['decompress']:.1f} times in `decompress`.",
        *(
            [
                f"Two streams on two threads: {scaling['encode']:.2f} times one in encoding,",
                f"{scaling['decode']:.2f} times in decoding; SHA-256 of two buffers",
                f"{scaling['SHA-256']:.2f} times (wall clock).",
            ]
            if scaling
            else ["Two streams on two threads: not measured, this process may use one processor only."]
        ),
        "",
    ]
    (args.out / "coders.md").write_text("\n".join(text))


if __name__ == "__main__":
    main()
