from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from cxr.config.data_section import DataConfig
from cxr.data.decoding.open_picture import MAX_PIXELS
from cxr.data.normalise import derive_pixel_table
from cxr.environment.private_text import names_a_secret
from cxr.errors import PreprocessingError
from cxr.inference.answers import Refusal
from cxr.inference.inputs import describe_file
from cxr.inference.prepare_image import decode_input
from cxr.serving import decoder
from cxr.serving.decoder import Decoder, DecoderError
from cxr.serving.decoder_messages import Task
from cxr.serving.uploads import Upload
from support.decoding_faults import mark, write_faults
from support.dicoms import draw_values, make_dicom, write_dicom
from support.hostile_images import HOSTILE, JPEG, VALID
from support.serving import read_variables

CONFIG = DataConfig(
    source="folder",
    root="x",
    classes=("a", "b"),
    image_size=40,
    mean=0.4,
    std=0.3,
    window={"kind": "range", "low": 0, "high": 4095},
)
GOOD = Upload(name="image-1.jpeg", content=JPEG)
SECRETS = ("CXR_KEY_PASSWORD", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "WANDB_API_KEY")
DEEP = write_dicom(make_dicom(draw_values(low=0, high=4095)))

Make = Callable[..., Decoder]


@pytest.fixture
def make() -> Iterator[Make]:
    """Make decoders, which are closed after the test."""
    made: list[Decoder] = []

    def build(*, limit_s: float = 60.0, digest: str | None = None) -> Decoder:
        task = Task(config=CONFIG, max_pixels=MAX_PIXELS)
        made.append(Decoder(task, limit_s=limit_s, digest=digest))
        return made[-1]

    yield build
    for one in made:
        one.close()


def spoil(name: str) -> Upload:
    return Upload(name="image-1.jpeg", content=mark(JPEG, name))


def find_pid(one: Decoder) -> int:
    return one._ready.process.pid


def test_a_process_decodes_to_the_bit_what_is_decoded_here(make: Make):
    table = derive_pixel_table(CONFIG.mean, CONFIG.std)
    files = [(name, content) for name, content, _ in HOSTILE.values()]
    files += [*VALID.values(), ("a.dcm", DEEP), ("zeros \u00e9.png", b"\0" * 3_000_000)]
    some = make()
    num_decoded = 0
    for name, content in files:
        there = some.decode(Upload(name=name, content=content))
        here = decode_input(describe_file(Path(name)), CONFIG, content=content)
        if isinstance(here, Refusal):
            assert there == here
            continue
        num_decoded += 1
        assert (there.path, there.remarks) == (here.path, here.remarks)
        assert np.array_equal(there.pixels_HWC, here.pixels_HWC)
        tensors = [one.normalise(table).images_BCHW for one in (there, here)]
        # torch convolves in another way where strides are others.
        assert tensors[0].strides == tensors[1].strides
        assert [one.flags.writeable for one in tensors] == [True, True]
    assert num_decoded > 20


def test_the_process_is_told_no_secret_and_decodes_the_same(
    make: Make, monkeypatch: pytest.MonkeyPatch
):
    there = dict(os.environ)
    for name in SECRETS:
        monkeypatch.setenv(name, "planted-0123")
    monkeypatch.setenv("OMP_PLANTED", "kept")
    some = make()
    here = decode_input(describe_file(Path(GOOD.name)), CONFIG, content=JPEG)
    assert np.array_equal(some.decode(GOOD).pixels_HWC, here.pixels_HWC)
    found = read_variables(find_pid(some))
    assert "planted-0123" not in found.values()
    # All else is what it was: variables say how it computes.
    kept = {name: value for name, value in there.items() if not names_a_secret(name)}
    assert found == kept | {"OMP_PLANTED": "kept"} | decoder._VARIABLES


def test_whatever_happens_to_the_process_the_next_image_is_decoded(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(decoder, "_VARIABLES", write_faults(tmp_path))
    some = make(limit_s=3.0)
    sound = some.decode(GOOD).pixels_HWC.tobytes()
    said = [some.decode(spoil(name)) for name in ("SEGV", "HANG")]
    assert [(one.kind, one.detail) for one in said] == [
        ("unreadable", "the process that decodes images was ended by SIGSEGV"),
        ("unreadable", "decoding it took more than 3 s"),
    ]
    assert some.decode(spoil("ONCE")).pixels_HWC.tobytes() == sound
    with pytest.raises(DecoderError, match="was ended by code 1"):
        some.decode(spoil("RAISE"))
    assert not some.is_ready()
    assert some.decode(GOOD).pixels_HWC.tobytes() == sound


def test_what_befalls_an_idle_process_is_no_image_s_fault(make: Make):
    some = make()
    some.start()
    pid = find_pid(some)
    # Sent to all processes of a service, as some supervisors do, it is for the service alone.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    assert not isinstance(some.decode(GOOD), Refusal)
    assert find_pid(some) == pid
    os.kill(pid, signal.SIGKILL)
    some._ready.process.wait()
    assert not some.is_ready()
    assert not isinstance(some.decode(GOOD), Refusal)
    assert some.is_ready()


def test_one_with_another_decoder_is_not_asked(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    some = make()
    some.start()
    os.kill(find_pid(some), signal.SIGKILL)
    some._ready.process.wait()
    monkeypatch.setattr(decoder, "_VARIABLES", write_faults(tmp_path, changes_decoder=True))
    for one in (some, make(digest=some._digest)):
        with pytest.raises(PreprocessingError, match="other tensors here"):
            one.decode(GOOD)
        assert not one.is_ready()


def test_where_none_can_be_started_it_is_an_error(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(7)\n")
    monkeypatch.setattr(decoder, "_VARIABLES", {"PYTHONPATH": str(tmp_path)})
    with pytest.raises(DecoderError, match="was ended by code 7"):
        make().start()

    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(DecoderError, match="cannot be started: no more processes"):
        make().start()


def test_closing_ends_what_is_being_decoded(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(decoder, "_VARIABLES", write_faults(tmp_path))
    some = make()
    some.start()
    process = some._ready.process
    heard: list[str] = []

    def ask() -> None:
        with pytest.raises(DecoderError, match="the service stops"):
            some.decode(spoil("HANG"))
        heard.append("stopped")

    thread = threading.Thread(target=ask)
    thread.start()
    while not some._guard.locked():
        pass
    some.close()
    thread.join(timeout=30)
    assert heard == ["stopped"]
    assert process.returncode == -signal.SIGKILL
