"""Starts cxr with one fault planted: ``python faults.py NAME[:VALUE] <arguments of cxr>``.

Each fault is what some library, loader or machine has really done to somebody. It acts inside the
process under test, so the records that the process writes are those of a faulty run.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import itertools
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import export_faults  # beside this script
import killing
import serving_faults

from cxr.__main__ import main
from cxr.determinism.variables import reexecute_prepared

Fault = Callable[[str], None]
FAULTS: dict[str, Fault] = {
    **killing.FAULTS,
    **export_faults.FAULTS,
    **serving_faults.FAULTS,
}


def fault(plant: Fault) -> Fault:
    """Register a fault under its function's name, with hyphens."""
    FAULTS[plant.__name__.strip("_").replace("_", "-")] = plant
    return plant


@fault
def _gradient_noise(value: str) -> None:
    """At step ``value`` the first gradient is off by 1e-10."""

    def disturb(learner: Any) -> None:
        next(learner.network.parameters()).grad.add_(1e-10)

    _after_gradients(int(value), disturb)


@fault
def _gradient_nan(value: str) -> None:
    """At step ``value`` the loss is finite and its gradient is not."""

    def disturb(learner: Any) -> None:
        next(learner.network.parameters()).grad.fill_(float("nan"))

    _after_gradients(int(value), disturb)


@fault
def _extra_draw(value: str) -> None:
    """At step ``value`` somebody draws once more from torch's global generator."""
    import torch

    _after_gradients(int(value), lambda _: torch.rand(1))


@fault
def _crash(value: str) -> None:
    """At step ``value`` a library fails in its own way."""

    def fail(_: Any) -> None:
        raise RuntimeError("the planted library gave up")

    _after_gradients(int(value), fail)


@fault
def _crash_known(value: str) -> None:
    """At step ``value`` something fails that cxr has an error for."""
    from cxr.errors import TrainingError

    def fail(_: Any) -> None:
        raise TrainingError("planted", where=f"step {value}", hint="plant nothing")

    _after_gradients(int(value), fail)


@fault
def _signal(value: str) -> None:
    """At step ``value`` the process is told to stop, as by Ctrl-C."""
    _after_gradients(int(value), lambda _: os.kill(os.getpid(), signal.SIGINT))


@fault
def _stop_repeat(value: str) -> None:
    """At step ``value`` of this run somebody presses Ctrl-C at the repeat that started it."""
    from cxr.interruption import has_signal

    def press(_: Any) -> None:
        os.kill(os.getppid(), signal.SIGINT)
        # The repeat passes it on; a tiny run would be done before that.
        while not has_signal():
            time.sleep(0.01)

    _after_gradients(int(value), press)


@fault
def _two_signals(value: str) -> None:
    """At step ``value`` somebody presses Ctrl-C twice."""

    def press(_: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    _after_gradients(int(value), press)


@fault
def _signal_while_stopping(value: str) -> None:
    """Ctrl-C at step ``value``, and again while the record says how the run ended."""
    from cxr.records.run_record import RunRecord

    original = RunRecord.stop

    def stop(*arguments: Any, **options: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        original(*arguments, **options)

    RunRecord.stop = stop
    _signal(value)


@fault
def _signal_while_loading(value: str) -> None:
    """Ctrl-C while the module ``value`` loads, which catches all that is raised meanwhile."""

    class Finder:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == value:
                with contextlib.suppress(BaseException):
                    os.kill(os.getpid(), signal.SIGINT)

    sys.meta_path.insert(0, Finder())


@fault
def _signals_break_loading(value: str) -> None:
    """Ctrl-C twice while the module ``value`` loads, which makes another error of it."""

    class Finder:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == value:
                os.kill(os.getpid(), signal.SIGINT)
                try:
                    os.kill(os.getpid(), signal.SIGINT)
                except KeyboardInterrupt as error:
                    raise RuntimeError("planted") from error

    sys.meta_path.insert(0, Finder())


@fault
def _signal_after_sealing(_: str) -> None:
    """Ctrl-C when the run is complete and its result not yet shown."""
    from cxr.records.run_record import RunRecord

    original = RunRecord.complete

    def complete(*arguments: Any, **options: Any) -> Any:
        manifest = original(*arguments, **options)
        os.kill(os.getpid(), signal.SIGINT)
        return manifest

    RunRecord.complete = complete


@fault
def _signal_as_run_starts(_: str) -> None:
    """Ctrl-C when a run of a repeat has just been started."""
    original = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> Any:
        process = original(*arguments, **options)
        os.kill(os.getpid(), signal.SIGINT)
        return process

    subprocess.Popen = start


@fault
def _signal_at_reexecution(_: str) -> None:
    """Ctrl-C when the process has started itself again and its interpreter is not up yet."""
    original = os.execve

    def execute(program: str, arguments: list[str], variables: dict[str, str]) -> None:
        early = str(Path(__file__).with_name("early_signal"))
        original(program, arguments, {**variables, "PYTHONPATH": early})

    os.execve = execute
    del os.environ["PYTHONHASHSEED"]


@fault
def _nondeterministic_op(value: str) -> None:
    """At step ``value`` an op runs that has no deterministic kernel."""
    import torch

    _after_gradients(
        int(value), lambda _: torch.zeros(4).put_(torch.tensor([1]), torch.tensor([1.0]))
    )


@fault
def _unrepeatable_op(value: str) -> None:
    """From step ``value`` on an op of the first layer adds other bits each time that it runs.

    It asks the machine's own source of randomness, so neither seeds nor flags know of it.
    """
    from torch import nn

    from cxr.training import doubled

    original = doubled.run_step

    def run_step(learner: Any, batch: Any) -> Any:
        if batch.step < int(value):
            return original(learner, batch)
        layer = next(m for m in learner.network.modules() if isinstance(m, (nn.Linear, nn.Conv2d)))
        noise = int.from_bytes(os.urandom(2)) / 2**20
        handle = layer.register_forward_hook(lambda _module, _inputs, output: output + noise)
        try:
            return original(learner, batch)
        finally:
            handle.remove()

    doubled.run_step = run_step


@fault
def _initial_weight(_: str) -> None:
    """One weight that is drawn is off by 1e-7."""
    import torch

    from cxr.training import prepare

    original = prepare.build_network

    def build(*arguments: Any, **options: Any) -> Any:
        network = original(*arguments, **options)
        with torch.no_grad():
            next(network.parameters()).view(-1)[0].add_(1e-7)
        return network

    prepare.build_network = build


@fault
def _other_order(value: str) -> None:
    """At step ``value`` the loader returns the right samples in another order."""
    import dataclasses

    from cxr.training import loop

    original = loop.iterate_batches

    def iterate(*arguments: Any, **options: Any) -> Any:
        for batch in original(*arguments, **options):
            if batch.step != int(value):
                yield batch
                continue
            yield dataclasses.replace(
                batch,
                indices=batch.indices[::-1].copy(),
                images_BCHW=batch.images_BCHW.flip(0),
                labels=batch.labels.flip(0),
            )

    loop.iterate_batches = iterate


@fault
def _other_lr(value: str) -> None:
    """In epoch ``value`` the learning rate is twice the schedule's."""
    from cxr.training import step

    original = step.derive_learning_rate

    def derive(config: Any, number: int, *, steps_per_epoch: int, **options: Any) -> float:
        factor = 2 if number // steps_per_epoch == int(value) else 1
        return factor * original(config, number, steps_per_epoch=steps_per_epoch, **options)

    step.derive_learning_rate = derive


@fault
def _evaluation_in_between(_: str) -> None:
    """Before each step somebody evaluates, and draws from and re-seeds every generator."""
    import numpy as np
    import torch

    from cxr.training import loop

    original = loop.run_checked_step

    def run(learner: Any, batch: Any, doubled: Any) -> Any:
        random.seed(99)
        random.random()  # noqa: S311 - nothing is kept secret
        np.random.seed(99)  # noqa: NPY002 - others draw from it
        np.random.rand(3)  # noqa: NPY002
        torch.manual_seed(99)
        torch.rand(3)
        learner.network.eval()
        with torch.no_grad():
            learner.network(batch.images_BCHW)
        learner.network.train()
        return original(learner, batch, doubled)

    loop.run_checked_step = run


@fault
def _no_validation_predictions(_: str) -> None:
    """At its end a run neither predicts nor keeps the validation split."""
    from cxr.records.data_lock import DataLock
    from cxr.training import recorded_run

    predict, of_split = recorded_run._predict, DataLock.of_split

    def predict_alone(*given: Any) -> Any:
        def hide(lock: DataLock, split: str) -> Any:
            return [] if split == "val" else of_split(lock, split)

        DataLock.of_split = hide
        return predict(*given)

    recorded_run._predict = predict_alone


@fault
def _no_decoding(_: str) -> None:
    """Whoever decodes an image fails."""
    from cxr.data.sources import image_files

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("an image was decoded")

    image_files.decode_image = refuse


@fault
def _killed_decoding(value: str) -> None:
    """The process is killed when image ``value`` is decoded; every few images are a block."""
    _signal_decoding(int(value), signal.SIGKILL)


@fault
def _interrupted_decoding(value: str) -> None:
    """Ctrl-C comes when image ``value`` is decoded."""
    _signal_decoding(int(value), signal.SIGINT)


def _signal_decoding(last: int, number: signal.Signals) -> None:
    from cxr.data.caches import growing_file
    from cxr.data.sources import image_files

    original, counted = image_files.decode_image, itertools.count(1)

    def decode(*arguments: Any, **options: Any) -> Any:
        # Once: a second signal is not waited for.
        if next(counted) == last:
            os.kill(os.getpid(), number)
        return original(*arguments, **options)

    growing_file.BLOCK_BYTES = 4096
    image_files.decode_image = decode


@fault
def _asked_from_threads(_: str) -> None:
    """Nothing is wrong: four threads ask a predictor for all images first, of their bytes."""
    import threading

    from cxr.inference import predict_run, predictor

    original = predict_run.iterate_answers

    def ask(loaded: predictor.Predictor, inputs: Any) -> None:
        answers = [
            loaded.predict(Path(one.path).read_bytes(), name=one.path) for one in inputs.images
        ]
        logits = [one.to_json()["logits"] for one in answers]
        sys.stderr.write(json.dumps([logits, threading.current_thread().name]) + "\n")

    def iterate(loaded: predictor.Predictor, inputs: Any, **options: Any) -> Any:
        threads = [threading.Thread(target=ask, args=(loaded, inputs)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return original(loaded, inputs, **options)

    predict_run.iterate_answers = iterate


@fault
def _settled_files(_: str) -> None:
    """Every file was last changed long ago."""
    from cxr.data.caches import file_stat

    file_stat.SETTLED_NS = -(10**12)


@fault
def _stopped_clock(_: str) -> None:
    """Every directory is named in the same second."""
    from datetime import UTC, datetime

    from cxr.training import recorded_run

    class Clock:
        now = staticmethod(lambda _: datetime(2025, 1, 2, tzinfo=UTC))

    recorded_run.datetime = Clock


@fault
def _stuck_threads(_: str) -> None:
    """Torch keeps three threads, whatever it is told."""
    import torch

    torch.set_num_threads(3)
    torch.set_num_threads = lambda _: None


@fault
def _limited_team(_: str) -> None:
    """OpenMP gives each op one thread, whatever torch is asked for and reports."""
    os.environ["OMP_THREAD_LIMIT"] = "1"
    import torch

    assert torch.get_num_threads() > 0
    del os.environ["OMP_THREAD_LIMIT"]


@fault
def _reported_thread_pools(_: str) -> None:
    """Nothing is wrong: the thread pools of all libraries are shown on stderr at the end."""
    import threadpoolctl

    def report() -> None:
        found = threadpoolctl.threadpool_info()
        pools = [(pool["internal_api"], pool["num_threads"]) for pool in found]
        sys.stderr.write(f"thread pools: {json.dumps(pools)}\n")

    atexit.register(report)


@fault
def _changed_canary(_: str) -> None:
    """One canary no longer decodes to the pixels that are expected of it."""
    from cxr.environment import canaries

    canaries.EXPECTED["jpeg_grey"] = "sha256:" + "0" * 64


@fault
def _other_arithmetic(value: str) -> None:
    """A later cxr, whose portable arithmetic has another version."""
    from cxr.determinism.portable import version

    version.ARITHMETIC_VERSION = int(value)  # type: ignore[misc]


@fault
def _other_decoder(_: str) -> None:
    """One canary decodes to other pixels than it did, as with another libjpeg."""
    from cxr.environment import canaries

    canaries._FILES["jpeg_grey"] = canaries._FILES["png_grey"]


@fault
def _hidden_distribution(value: str) -> None:
    """The distribution ``value`` is not installed."""
    _describe_distributions(lambda name, version: version if name != value else None)


@fault
def _other_version(value: str) -> None:
    """A distribution has another version: ``value`` is ``name==version``."""
    wanted, _, other = value.partition("==")
    _describe_distributions(lambda name, version: version if name != wanted else other)


@fault
def _one_core(_: str) -> None:
    """The process may use one core alone, as under taskset."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@fault
def _small_files(value: str) -> None:
    """No file can grow beyond ``value`` bytes, as on a disk that is full.

    The copy of the lock file is left out: it is larger than anything else of a small run.
    """
    from cxr.environment import locked_packages

    locked_packages.find_lock_file = lambda: None
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(value), int(value)))


@fault
def _unlistable_directory(value: str) -> None:
    """No directory of the name ``value`` can be listed."""
    original = os.scandir

    def scan(path: Any = ".") -> Any:
        if Path(path).name == value:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return original(path)

    os.scandir = scan


@fault
def _read_only(value: str) -> None:
    """Nothing at or below the directory ``value`` can be written, as on a disk mounted so."""
    changes = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate")

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if (writes or event in changes) and str(arguments[0]).startswith(value):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), arguments[0])

    sys.addaudithook(refuse)


@fault
def _unseen(value: str) -> None:
    """Nothing below the directories ``value``, with commas, can be opened: it is not there."""
    places = tuple(f"{place}/" for place in value.split(","))

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).startswith(places):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), arguments[0])

    sys.addaudithook(refuse)


@fault
def _no_temporary_directory(_: str) -> None:
    """No directory for temporary files can be made."""
    import tempfile

    def refuse(*_: Any, **__: Any) -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    tempfile.mkdtemp = refuse


@fault
def _interrupted_drawing(value: str) -> None:
    """Ctrl-C comes before image ``value`` of a drawn set."""
    from cxr.data.drawing import radiographs

    original = radiographs.draw_radiograph
    drawn = iter(range(int(value)))

    def draw(*arguments: Any) -> Any:
        if next(drawn, None) is None:
            raise KeyboardInterrupt
        return original(*arguments)

    radiographs.draw_radiograph = draw


@fault
def _started_by_nohup(_: str) -> None:
    """The process was started so that it survives its terminal."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@fault
def _named_machine(_: str) -> None:
    """The machine has a name that can be looked for."""
    original = os.uname

    def name() -> Any:
        known = original()
        return os.uname_result(
            (known.sysname, "planted-host", known.release, known.version, known.machine)
        )

    os.uname = name
    socket.gethostname = lambda: "planted-host"


@fault
def _no_network(_: str) -> None:
    """There is no network: whoever asks for a name, connects or sends is stopped.

    A socket may be made: urllib3 makes one when it is imported, to see whether there is IPv6.
    """
    used = ("connect", "getaddrinfo", "gethostbyname", "gethostbyaddr", "getnameinfo", "sendto")
    events = {f"socket.{name}" for name in (*used, "sendmsg")}

    def refuse(event: str, _: tuple[Any, ...]) -> None:
        if event in events:
            os.write(2, f"the planted network was used: {event}\n".encode())
            os._exit(9)

    sys.addaudithook(refuse)


@fault
def _other_seed_in_run_2(_: str) -> None:
    """The second run of a repeat has another seed."""

    original = subprocess.Popen

    def start(command: list[str], **options: Any) -> Any:
        extra = ["--set", "seed=2"] if any("run-2" in word for word in command) else []
        return original([*command, *extra], **options)

    subprocess.Popen = start


@fault
def _other_bits_in_run(value: str) -> None:
    """In run ``value`` of a repeat the first gradient of step 3 is off by 1e-10."""
    original = subprocess.Popen

    def start(command: list[str], **options: Any) -> Any:
        if not any(f"run-{value}" in word for word in command):
            return original(command, **options)
        faulty = [command[0], __file__, "gradient-noise:3", *command[command.index("cxr") + 1 :]]
        return original(faulty, **options)

    subprocess.Popen = start


@fault
def _in_run(value: str) -> None:
    """In run ``value`` of a repeat, as ``2=crash:3``, another fault is planted; ``*`` is all."""
    which, _, planted = value.partition("=")
    original = subprocess.Popen

    def start(command: list[str], **options: Any) -> Any:
        names = [Path(word).name for word in command] if "train" in command else []
        if not any(name.startswith("run-") and which in ("*", name[4:]) for name in names):
            return original(command, **options)
        program = [command[0], __file__, planted, *command[command.index("cxr") + 1 :]]
        return original(program, **options)

    subprocess.Popen = start


@fault
def _surroundings(value: str) -> None:
    """At step 3 gradients depend on what must not matter: ``value`` names some, with commas."""
    import torch

    def read_uninitialised(_: Any) -> int:
        # So large that the system gives it, in zeros, unless the C library fills it.
        return int(torch.empty(2**26, dtype=torch.uint8)[2**20])

    sources: dict[str, Callable[[Any], int]] = {
        "hash": lambda _: hash("a name") % 1000,
        "workers": lambda learner: learner.config.workers,
        "directory": lambda _: len(Path.cwd().name),
        "memory": read_uninitialised,
        "variables": lambda _: sum(map(len, os.environ.values())),
    }
    chosen = [sources[name] for name in value.split(",")]

    def disturb(learner: Any) -> None:
        noise = sum(source(learner) for source in chosen)
        next(learner.network.parameters()).grad.add_(noise * 1e-6)

    _after_gradients(3, disturb)


def _set_hash_seed_too_late() -> None:
    """Have the variables of cxr set in an interpreter that began with others, and nobody look."""
    from cxr.determinism import controls
    from cxr.determinism.variables import FIXED_VARIABLES

    os.environ.update(FIXED_VARIABLES)
    original = controls.read_controls
    controls.read_controls = lambda: {**original(), "hash_randomization": False}


@fault
def _blind_spots(value: str) -> None:
    """What cxr should see it does not: ``value`` names some of the spots, with commas."""
    from cxr.compare import inputs, verify_run
    from cxr.determinism import arithmetic
    from cxr.records import ledger
    from cxr.training import loop, step

    same = bytes(16)
    spots: dict[str, tuple[Any, str, Any]] = {
        "gradients": (step, "trace_gradients", lambda _: {"backbone.1.weight": same}),
        "labels": (step, "trace_batch", lambda _: {"images": same, "labels": same}),
        "samples": (inputs, "compare_samples", lambda *_: iter(())),
        "ops": (arithmetic, "name_nondeterministic_op", lambda _: None),
        "doubling": (
            loop,
            "run_checked_step",
            lambda learner, batch, _: step.run_step(learner, batch),
        ),
        "files": (verify_run, "_check_files", lambda *_: iter(())),
        "chain": (ledger, "require_link", lambda *_: None),
    }
    for name in value.split(","):
        module, function, blind = spots[name]
        setattr(module, function, blind)


@fault
def _unlike_runs(_: str) -> None:
    """At step 5 the gradient of each run of one process is off by another amount."""
    noise = itertools.count(1)

    def disturb(learner: Any) -> None:
        next(learner.network.parameters()).grad.add_(next(noise) * 1e-7)

    _after_gradients(5, disturb)


def _describe_distributions(describe: Callable[[str, str], str | None]) -> None:
    """Have installed distributions named with another version, or not at all where it is None."""
    import importlib.metadata

    original = importlib.metadata.distributions

    class Described:
        def __init__(self, distribution: Any, version: str) -> None:
            self._distribution, self.version = distribution, version
            self.metadata = distribution.metadata
            self.metadata.replace_header("Version", version)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._distribution, name)

    def distributions(**options: Any) -> Any:
        for one in original(**options):
            version = describe(one.metadata["Name"].lower(), one.version)
            if version is not None:
                yield Described(one, version)

    importlib.metadata.distributions = distributions


def _after_gradients(number: int, act: Callable[[Any], None]) -> None:
    """Act at step ``number``, once its gradients are there."""
    from cxr.training import step

    original = step.accumulate_gradients

    def accumulate(learner: Any, batch: Any) -> float:
        loss = original(learner, batch)
        if batch.step == number:
            act(learner)
        return loss

    step.accumulate_gradients = accumulate


if __name__ == "__main__":
    chosen, _, given = sys.argv.pop(1).partition(":")
    # Before torch is imported: main() would start the process again and lose nothing but time.
    if chosen == "surroundings" and "hash" in given.split(","):
        _set_hash_seed_too_late()
    reexecute_prepared(sys.orig_argv)
    FAULTS[chosen](given)
    main()
