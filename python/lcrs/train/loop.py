"""A run from beginning to end: resumed or begun, stepped, watched, validated, saved, packed."""

from __future__ import annotations

from lcrs import needs_torch  # noqa: F401

# isort: split
import contextlib
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lcrs.coding.files import write_atomically
from lcrs.errors import LcrsError, NotPortableError
from lcrs.train.beginnings import begin
from lcrs.train.checkpoints import Checkpoints, load_run, save_tensors
from lcrs.train.config import Config, ConfigError, checked
from lcrs.train.data.batches import Stateless
from lcrs.train.data.opening import Data
from lcrs.train.data.pictures import only_our_limit
from lcrs.train.display import Display, make_display
from lcrs.train.graphs import CapturedStep, check_capturable
from lcrs.train.meter import Meter
from lcrs.train.networks import architecture_of_run, load_start, make_network
from lcrs.train.processes import Processes
from lcrs.train.random_states import seed_all
from lcrs.train.recipes import flat
from lcrs.train.records import Records
from lcrs.train.run_folder import RunFolder
from lcrs.train.sheets import write_sheet
from lcrs.train.signals import Signals, StoppedError
from lcrs.train.subjects import subject_of
from lcrs.train.toml_text import dump
from lcrs.train.trainer import Facts, Trainer, check_choices
from lcrs.train.validation import Validation
from lcrs.train.versions import versions
from lcrs.zoo.state_dicts import read_checkpoint

__all__ = ["Result", "TrainingError", "run"]

log = logging.getLogger("lcrs.train")

_MAY_CHANGE = {
    "output", "summary", "steps", "minutes", "device", "workers", "threads", "checkpoint_every",
    "checkpoint_keep", "validation", "watch", "start", "start_state", "loop.max_skipped",
}  # fmt: skip
_SECONDS = 30.0
"""Without a line of the log, one is written all the same: whoever waits for the first wants to know."""
_SAVED_SECONDS = 300.0
"""Between checkpoints at most, where `checkpoint_every` steps take longer."""


class TrainingError(LcrsError):
    """A run cannot go on, and says what may help."""


@dataclass
class Result:
    """What a run came to.

    Attributes:
        output: Its folder.
        steps: Taken in all.
        signal: The number of the one that ended it; 0 if it came to its end.
        validation: The last one.
        package: The model package, if one was written.
    """

    output: Path
    steps: int
    signal: int
    validation: Validation | None
    package: Path | None


def run(config: Config, *, restart: bool = False) -> Result:
    """Trains as `config` says, from where the run in its folder stopped.

    Args:
        config: As `lcrs.train.load_recipe` or `checked` gives it.
        restart: Forgets what is in the folder of the run.

    Raises:
        ConfigError: the configuration does not fit the data, the network or the run that is there.
        TrainingError: the run came to nothing, and why.
        OSError: the folder cannot be written.
    """
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    processes = Processes(config.device)
    kind = config.watch.display if processes.is_main else "off"
    with contextlib.ExitStack() as stack:
        stack.callback(processes.end)
        stack.enter_context(only_our_limit())
        with processes.together():
            display = make_display(kind, f"lcrs train {config.recipe}")
            stack.callback(display.close)
            stack.enter_context(_logging_to(display))
            folder = RunFolder(config.output) if processes.is_main else None
            stack.callback(folder.leave if folder is not None else lambda: None)
        with processes.together():
            whole = _Run(config, processes, restart)
        display.rate_unit = whole.subject.rate_unit
        display.example_unit = getattr(whole.subject, "example_unit", display.example_unit)
        with processes.together():
            if folder is not None:
                folder.enter(forget=restart)
        return whole.go(display)


class _Run:
    """The parts of a run, and how they work together."""

    def __init__(self, config: Config, processes: Processes, restart: bool) -> None:
        self.config, self.processes = config, processes
        self.folder = config.output
        self.checkpoints = Checkpoints(self.folder / "checkpoints", config.checkpoint_keep)
        # What is to be forgotten stays until all else is known to fit.
        saved = None if restart else self.checkpoints.latest()
        if saved is None and not restart and processes.is_main and (self.folder / "model.pt").exists():
            raise ConfigError(f"{self.folder} has a model.pt, but no checkpoint: --restart begins anew")
        if saved is not None:
            check_same(config, saved[0]["config"], self.folder)
        seed_all(config.seed)
        net = make_network(config.model)
        self.subject = subject_of(net)
        # What is wrong is said before the data are looked at, which may take long.
        check_choices(config, processes.device)
        start, begun = "", None
        if saved is None and config.start is not None:
            if config.start_state == "all":
                begun = load_run(config.start)
            else:
                start = f"begins with the weights of {load_start(net, config)}"
        self.data: Data = self.subject.open_data(
            config, processes.device, rank=processes.rank, world=processes.world
        )
        self.step, self.seconds, self.is_stable_saved = 0, 0.0, False
        self.saved_step, self.validated_step = -1, 0
        notes = [self.data.summary]
        if saved is None:
            notes += [begin(net, config, self.data.sampler), start]
        layout = torch.channels_last if config.loop.channels_last else torch.contiguous_format
        net = net.to(processes.device, memory_format=layout).train()  # type: ignore[call-overload]
        self.net: nn.Module = net
        self.trainer = Trainer(net, config, processes)
        if config.loop.graph:
            check_capturable(config, self.trainer)
        if saved is not None:
            self._go_on(saved[0])
            self.saved_step = self.step
            notes.append(f"goes on from {saved[1].name}, step {self.step}")
        elif begun is not None:
            self._go_on(begun[0])
            notes.append(f"goes on from {begun[1]}, step {self.step}")
        self.notes = [note for note in notes if note]
        self.validator = self.subject.validator(config, self.trainer.task, self.trainer.objective, self.data)
        self.validation: Validation | None = None
        self.package: Path | None = None
        self.meter = Meter(config, processes.world)
        self.signals = Signals()

    def _go_on(self, saved: dict[str, Any]) -> None:
        self.step, self.seconds = int(saved["step"]), float(saved["seconds"])
        self.is_stable_saved = bool(saved["is_stable_saved"])
        self.validated_step = int(saved.get("validated_step", self.step))
        # Before the weights, since what is frozen and how values are rounded is no part of them.
        self.trainer.enter_phase(self._done())
        self.trainer.load_state_dict(saved["state"])
        if saved["data"]["identity"] != self.data.identity:
            log.warning("the training pictures are others than before: their order is, too")
        states = saved["data"]["batches"]
        if len(states) == self.processes.world:
            self.data.batches.load_state_dict(states[self.processes.rank])

    # --- the loop ---

    def go(self, display: Display) -> Result:
        """Steps until the end, or until a signal."""
        config, is_main = self.config, self.processes.is_main
        records: Records | None = None
        with self.processes.together():
            if is_main:
                text = dump(config.as_dict())
                # By this file the folder is known as one of a run: a part of it would lock the run out.
                write_atomically(self.folder / "config.toml", text.encode(), overwrite=True)
                records = Records(self.folder, self.step, tensorboard=config.watch.tensorboard)
        stopped_by = 0
        try:
            with self.signals as signals:
                for note in self.notes:
                    display.say(note)
                    self._event(records, note)
                was_over = self._is_over()
                if was_over:
                    display.say(
                        f"the run is over, at step {self.step}: more steps= or minutes= go on, --restart "
                        "begins anew"
                    )
                else:
                    stopped_by = self._steps(signals, display, records)
                (is_finished,) = self.processes.from_main(float(was_over and self._is_packed()))
                if not is_finished:
                    stopped_by = self._finish(display, records, stopped_by)
        finally:
            self.data.batches.close()
            if records is not None:
                records.close()
        return Result(self.folder, self.step, stopped_by, self.validation, self.package)

    def _done(self) -> float:
        """The share of the run that is done, by steps or by the clock."""
        config = self.config
        shares = [
            self.step / config.steps if config.steps else 0.0,
            self.seconds / (60 * config.minutes) if config.minutes else 0.0,
        ]
        return max(shares)

    def _is_over(self) -> bool:
        return self._done() >= 1

    def _steps(self, signals: Signals, display: Display, records: Records | None) -> int:
        """All steps that remain; returns the signal that ended them."""
        config, trainer, meter = self.config, self.trainer, self.meter
        began, before = time.monotonic(), self.seconds
        validated_at = reported_at = saved_at = began
        captured: CapturedStep | None = None
        if self._is_validation_due(0) and not self._is_over():  # of the step at which the run was stopped
            self._validate(display, records)
        while True:
            done, number = self._agreed(signals.number)
            if done >= 1 or number:
                return number
            phase = trainer.enter_phase(done)
            if phase is not None:
                self._event(records, f"phase from {phase.from_:g} begins")
            self._keep_stable(done)
            trainer.schedule.before_step(self.step, done)
            meter.begin_step()
            if config.loop.graph:
                captured = captured or CapturedStep(trainer, self.data.batches)
                facts: Facts | None = captured.step()
            else:
                x = self._next_batch()
                if x is None:
                    continue
                meter.data_came()
                facts = trainer.step(x, self.step)
            self.step += 1
            if facts is None:
                self._skipped(records)
            meter.end_step(facts)
            now = time.monotonic()
            self.seconds = before + now - began
            if self.step % config.watch.every == 0 or now - reported_at > _SECONDS:
                self._report(display, records)
                reported_at = now
            if self._is_validation_due(now - validated_at) and not self._is_over():
                self._validate(display, records)
                validated_at = time.monotonic()
            if self._is_save_due(time.monotonic() - saved_at):
                self._save()
                saved_at = time.monotonic()
            meter.pause(now)
            self.seconds = before + time.monotonic() - began

    def _next_batch(self) -> Any:
        """The batch of this step, which may take minutes to make; None if a signal came meanwhile."""
        batches, crop = self.data.batches, self.trainer.crop
        # Several processes have to take a step together, and others cannot make a batch again.
        if self.processes.world > 1 or not isinstance(batches, Stateless):
            return batches.get(self.step, crop)
        with contextlib.suppress(StoppedError), self.signals.give_up():
            return batches.get(self.step, crop)
        return None

    def _agreed(self, number: int) -> tuple[float, int]:
        """The share that is done and the signal that came, the same in all processes."""
        if self.processes.world == 1:
            return self._done(), number
        (done,) = self.processes.from_main(self._done())
        return done, self.processes.largest(number)

    def _is_due_by_steps(self) -> bool:
        """Whether a validation belongs to this step, wherever the run was begun, and has not been yet."""
        every = self.config.validation.every
        return every is not None and self.step % every == 0 and self.validated_step < self.step

    def _is_validation_due(self, seconds: float) -> bool:
        minutes = self.config.validation.minutes
        return self._as_main(self._is_due_by_steps() or (minutes is not None and seconds >= 60 * minutes))

    def _is_save_due(self, seconds: float) -> bool:
        return self._as_main(self.step % self.config.checkpoint_every == 0 or seconds >= _SAVED_SECONDS)

    def _as_main(self, is_due: bool) -> bool:
        """What the clock of the main process says, in all of them."""
        return bool(self.processes.from_main(float(is_due))[0])

    def _keep_stable(self, done: float) -> None:
        """Keeps the checkpoint from which a run can go on at the full rate."""
        schedule = self.config.schedule
        if schedule.type == "wsd" and done >= schedule.decay_from and not self.is_stable_saved:
            self.is_stable_saved = True
            self._save("stable.pt")

    def _skipped(self, records: Records | None) -> None:
        trainer, limit = self.trainer, self.config.loop.max_skipped
        text = f"step {self.step} was not finite and is skipped; the first such tensor: {trainer.guilty}"
        log.warning("%s", text)
        self._event(records, text)
        if trainer.skipped_in_a_row >= limit:
            rate = trainer.optimizer.param_groups[0]["lr"]
            raise TrainingError(
                f"{limit} steps in a row were not finite, the last by {trainer.guilty}: lower optimizer.lr "
                f"(now {float(rate):.2g}) or optimizer.clip (now {self.config.optimizer.clip:g}), use "
                "loop.precision=float32, or go back to an earlier checkpoint of "
                f"{self.checkpoints.folder}"
            )

    def _report(self, display: Display, records: Records | None) -> None:
        rate = float(self.trainer.optimizer.param_groups[0]["lr"])
        values = self.meter.values(self.step, self._done(), self.seconds)
        values |= {"lr": rate, "skipped": self.trainer.num_skipped}
        values["left_out"] = sum(self.data.left_out.counts.values())
        if self.trainer.objective.target_bpp is not None:
            values["log_factor"] = float(self.trainer.objective.log_factor)
        display.progress(values)
        if records is not None:
            records.write("train", **values)

    # --- validation, saving, packing ---

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        average = self.trainer.average
        with average.in_place() if average is not None else contextlib.nullcontext():
            yield

    def _validate(self, display: Display, records: Records | None) -> bool:
        """Validates; false if a signal came in the middle, as if there had been none."""
        loss, is_whole = math.nan, 1.0
        with self.processes.together():
            if self.processes.is_main:
                found: Validation | None = None
                with contextlib.suppress(StoppedError), self._averaged(), self.signals.give_up():
                    found = self.validator(self.net)
                if found is not None:
                    self.validation, loss = found, found.loss
                    self._tell(found, display, records)
                    self._write_model()
                is_whole = float(found is not None)
        loss, is_whole = self.processes.from_main(loss, is_whole)
        if not is_whole:
            return False
        # Where steps say when, the clock must not change what a schedule does.
        if self._is_due_by_steps() or self.config.validation.every is None:
            self.trainer.schedule.validated(loss)
        self.validated_step = self.step
        return True

    def _tell(self, found: Validation, display: Display, records: Records | None) -> None:
        for point in found.points:
            display.say(f"validation, step {self.step}: {point.sentence(self.subject.rate_unit)}")
            if records is not None:
                records.write("validation", self.step, **point.record())
        for warning in found.warnings:
            log.warning("%s", warning)
            self._event(records, warning)
        if self.config.validation.sheet and found.sheet:
            try:
                write_sheet(self.folder / "sheets" / f"step-{self.step:09d}.png", found.sheet)
            except OSError as error:
                log.warning("the sheet of pictures cannot be written: %s", error)

    def _content(self) -> dict[str, Any]:
        states = self.processes.of_all(self.data.batches.state_dict())
        return {
            "config": self.config.as_dict(),
            "versions": versions(),
            "step": self.step,
            "seconds": self.seconds,
            "is_stable_saved": self.is_stable_saved,
            "validated_step": self.validated_step,
            "state": self.trainer.state_dict(),
            "data": {"identity": self.data.identity, "batches": states},
        }

    def _save(self, name: str | None = None, *, must: bool = False) -> None:
        """Writes a checkpoint; on failure the run goes on, unless it `must` be."""
        content = self._content()
        failure: OSError | None = None
        with self.processes.together():
            if self.processes.is_main:
                try:
                    self.checkpoints.save(content, self.step, name)
                except OSError as error:
                    if must:
                        raise
                    failure = error
                    log.warning("no checkpoint at step %d: %s; the ones before stay", self.step, error)
        # Whether there is one is for the main process to say: others may look before a file is there.
        (failed,) = self.processes.from_main(float(failure is not None))
        if not failed and name is None:
            self.saved_step = self.step

    def _write_model(self) -> None:
        """Writes `model.pt`, with averaged weights if there are."""
        with self._averaged():
            # Copies: on the CPU the tensors themselves get their own values back in a moment.
            state = {key: value.detach().cpu().clone() for key, value in self.net.state_dict().items()}
        content = {
            **architecture_of_run(self.config.model),
            "state_dict": state,
            "config": constructor_arguments(self.net, self.config),
            "steps": self.step,
            "minutes": self.seconds / 60,
            "recipe": self.config.as_dict(),
            "versions": versions(),
        }
        try:
            save_tensors(content, self.folder / "model.pt")
        except OSError as error:
            log.warning("model.pt cannot be written: %s", error)

    def _finish(self, display: Display, records: Records | None, stopped_by: int) -> int:
        """Saves, and at the end of the run validates and packs; returns the signal that ended it, or 0."""
        if self.saved_step != self.step:
            self._save(must=True)
        if not stopped_by and not self._validate(display, records):
            stopped_by = self._agreed(self.signals.number)[1]
        if stopped_by:
            display.say(f"stopped at step {self.step}, which is saved; the same command goes on")
            if self.processes.is_main:
                self._write_model()
            return stopped_by
        with self.processes.together():
            if self.processes.is_main:
                self._pack(display, records)
        return 0

    def _is_packed(self) -> bool:
        """Whether the package is of these weights: another process may have been killed before it was."""
        network, package = self.folder / "model.pt", self.folder / "model.lcrm"
        try:
            if package.stat().st_mtime_ns < network.stat().st_mtime_ns:
                return False
            saved = read_checkpoint(network)
        except (OSError, LcrsError):
            return False
        return isinstance(saved, dict) and saved.get("steps") == self.step

    def _pack(self, display: Display, records: Records | None) -> None:
        path = self.folder / "model.lcrm"
        card = {"recipe": self.config.recipe, "pictures": self.data.summary}
        try:
            self.subject.pack(self.folder / "model.pt", path, self.config.output.resolve().name, card)
        except NotPortableError as error:
            text = f"no package: {error}"
            display.say(text)
            self._event(records, text)
            return
        self.package = path
        display.say(f"{path} is the model: lcrs encode FILE -o OUT.lcrs --model {path}")

    def _event(self, records: Records | None, text: str) -> None:
        if records is not None:
            records.write("event", self.step, text=text)


def constructor_arguments(net: nn.Module, config: Config) -> dict[str, Any]:
    """What makes the network again: its `config`, or else the sizes that the run gave."""
    own = getattr(net, "config", None)
    return dict(own) if isinstance(own, dict) else dict(config.model.sizes)


def check_same(config: Config, before: dict[str, Any], folder: Path) -> None:
    """Refuses to go on with another network, other data or another way of training.

    Raises:
        ConfigError: with the keys that differ.
    """
    with contextlib.suppress(ConfigError):  # keys that came later had their defaults
        before = checked(before).as_dict()
    now, before = flat(config.as_dict()), flat(before)
    keys = [
        key
        for key in {**before, **now}
        if not {key, key.partition(".")[0]} & _MAY_CHANGE and before.get(key) != now.get(key)
    ]
    if keys:
        first = keys[0]
        raise ConfigError(
            f"the run in {folder} was begun with other {', '.join(keys)} ({first} = {before.get(first)!r}, "
            f"now {now.get(first)!r}): --restart begins anew, output=FOLDER begins another"
        )


@contextlib.contextmanager
def _logging_to(display: Display) -> Iterator[None]:
    """Shows what the engine logs."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            prefix = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
            display.say(prefix + record.getMessage())

    handler, before, propagates = Handler(logging.INFO), log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
        log.propagate = propagates
