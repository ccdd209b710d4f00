from __future__ import annotations

import hashlib
import json

import pytest
import xxhash

from cxr.digests.canonical import canonical_json
from cxr.errors import DeterminismError, RecordError, StorageError
from cxr.records import ledger as ledger_module
from cxr.records.ledger import (
    CHAIN_START,
    INITIAL_STEP,
    PARTS,
    LedgerWriter,
    StepRecord,
    digest_part,
    extend_chain,
    read_ledger,
)
from cxr.records.run_directory import LEDGER, TENSORS
from cxr.records.tensor_digests import read_tensor_digests

INITIAL = {"buffers": {}, "parameters": {"w": b"0" * 16, "b": b"1" * 16}}


def step_parts(number):
    """Digests of a step: every part but the predictions, different at every step."""
    return {
        part: {"x": bytes([number, index] * 8), "y": bytes([index, number] * 8)}
        for index, part in enumerate(PARTS[:-1])
    }


@pytest.fixture
def run(tmp_path):
    """A directory with a ledger of an initial state, three steps and predictions."""
    with LedgerWriter(tmp_path) as ledger:
        ledger.append(INITIAL_STEP, INITIAL_STEP, INITIAL)
        for number in range(3):
            ledger.append(number, number // 2, step_parts(number))
        ledger.append(3, 1, {"predictions": {"logits": b"p" * 16}})
    return tmp_path


def read_raw(run):
    return (run / LEDGER).read_bytes().splitlines(keepends=True)


def test_what_is_written_is_read_again(run):
    records = list(read_ledger(run))
    assert [(record.step, record.epoch) for record in records] == [
        (-1, -1),
        (0, 0),
        (1, 0),
        (2, 1),
        (3, 1),
    ]
    assert records[0].parts == {part: digest_part(INITIAL[part]) for part in INITIAL}
    assert list(records[1].parts) == list(PARTS[:-1])
    assert records[4].parts.keys() == {"predictions"}


def test_a_line_is_what_the_format_says(run):
    first, second, *_ = read_raw(run)
    parameters = xxhash.xxh3_128_hexdigest(b"w\0" + b"0" * 16 + b"b\0" + b"1" * 16)
    line = {
        "buffers": f"xxh3-128:{xxhash.xxh3_128_hexdigest(b'')}",
        "epoch": -1,
        "parameters": f"xxh3-128:{parameters}",
        "step": -1,
    }
    start = hashlib.sha256(b"cxr.ledger/1").hexdigest()
    chain = hashlib.sha256(start.encode() + b"\n" + canonical_json(line)).hexdigest()
    assert first == canonical_json({**line, "chain": chain}) + b"\n"
    follows = json.loads(second)
    claimed = follows.pop("chain")
    assert claimed == hashlib.sha256(chain.encode() + b"\n" + canonical_json(follows)).hexdigest()


def test_the_writer_knows_its_head_and_how_many_steps_it_holds(tmp_path):
    with LedgerWriter(tmp_path) as ledger:
        assert (ledger.head, ledger.num_steps) == (CHAIN_START, 0)
        ledger.append(INITIAL_STEP, INITIAL_STEP, INITIAL)
        assert ledger.num_steps == 0
        ledger.append(0, 0, step_parts(0))
        ledger.append(1, 0, step_parts(1))
        ledger.append(2, 0, {"predictions": {"logits": b"p" * 16}})
        assert ledger.num_steps == 2
        assert ledger.head == list(read_ledger(tmp_path))[-1].chain


def test_each_line_can_be_read_as_soon_as_it_is_appended(tmp_path):
    with LedgerWriter(tmp_path) as ledger:
        for number in range(3):
            ledger.append(number, 0, step_parts(number))
            assert len(list(read_ledger(tmp_path))) == number + 1
            assert read_tensor_digests(tmp_path, number) is not None


def test_a_line_that_cannot_be_written_leaves_the_lines_before_it(tmp_path, monkeypatch):
    with LedgerWriter(tmp_path) as ledger:
        ledger.append(0, 0, step_parts(0))
        before, head = (tmp_path / LEDGER).read_bytes(), ledger.head
        with monkeypatch.context() as patch:
            patch.setattr(ledger_module, "append_whole", fail_to_append)
            with pytest.raises(StorageError):
                ledger.append(1, 0, step_parts(1))
        assert (tmp_path / LEDGER).read_bytes() == before
        assert ledger.describe_trace() == {"ledger_head": head, "steps": 1}


def fail_to_append(path, _stream, _content):
    raise StorageError("cannot write: No space left", where=str(path), hint="free space")


def test_equal_traces_are_equal_bytes_wherever_they_lie(run, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere")
    with LedgerWriter(other) as ledger:
        ledger.append(INITIAL_STEP, INITIAL_STEP, INITIAL)
        for number in range(3):
            ledger.append(number, number // 2, step_parts(number))
        ledger.append(3, 1, {"predictions": {"logits": b"p" * 16}})
    for name in (LEDGER, TENSORS):
        assert (other / name).read_bytes() == (run / name).read_bytes()


def test_an_existing_ledger_is_never_written_over(run):
    before = (run / LEDGER).read_bytes()
    with pytest.raises(StorageError, match="cannot write: File exists"), LedgerWriter(run):
        pass
    assert (run / LEDGER).read_bytes() == before


def test_the_name_and_order_of_tensors_are_part_of_a_parts_digest():
    a, b = b"a" * 16, b"b" * 16
    found = [{"x": a, "y": b}, {"y": b, "x": a}, {"x": b, "y": a}, {"x": a, "z": b}, {"xy": a}, {}]
    assert len({digest_part(tensors) for tensors in found}) == len(found)


def test_the_chain_depends_on_what_came_before():
    assert extend_chain("a", {"step": 0}) != extend_chain("b", {"step": 0})


def edit_digest(lines):
    line = json.loads(lines[2])
    line["loss"] = line["gradients"]
    lines[2] = canonical_json(line) + b"\n"


def edit_step(lines):
    lines[2] = lines[2].replace(b'"step":1', b'"step":7')


def edit_epoch(lines):
    lines[2] = lines[2].replace(b'"epoch":0', b'"epoch":1')


def edit_chain(lines):
    line = json.loads(lines[2])
    lines[2] = canonical_json({**line, "chain": "0" * 64}) + b"\n"


def remove_part(lines):
    line = json.loads(lines[2])
    del line["loss"]
    lines[2] = canonical_json(line) + b"\n"


def remove_line(lines):
    del lines[2]


def remove_first(lines):
    del lines[0]


def add_line(lines):
    lines.insert(2, lines[1])


def swap_lines(lines):
    lines[2], lines[3] = lines[3], lines[2]


@pytest.mark.parametrize(
    ("edit", "number", "step"),
    [
        (edit_digest, 3, 1),
        (edit_step, 3, 7),
        (edit_epoch, 3, 1),
        (edit_chain, 3, 1),
        (remove_part, 3, 1),
        (remove_line, 3, 2),
        (remove_first, 1, 0),
        (add_line, 3, 0),
        (swap_lines, 3, 2),
    ],
)
def test_an_edit_is_found_at_its_line(run, edit, number, step):
    lines = read_raw(run)
    edit(lines)
    (run / LEDGER).write_bytes(b"".join(lines))
    with pytest.raises(RecordError, match="the ledger's chain breaks") as caught:
        list(read_ledger(run))
    assert caught.value.where == f"{run / LEDGER}:{number}, step {step}"


def rewrite(line, **changes):
    return json.dumps({**json.loads(line), **changes}, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda line: line.replace(b'"epoch"', b' "epoch"'), id="a space"),
        pytest.param(lambda line: rewrite(line, note="planted"), id="a key more"),
        pytest.param(lambda line: line.replace(b'"step":1', b'"step":1.0'), id="a float"),
        pytest.param(lambda line: line.replace(b'"step":1', b'"step":"1"'), id="text"),
        pytest.param(lambda line: line.replace(b'"step":1', b'"step":true'), id="a truth"),
        pytest.param(
            lambda line: line.replace(b'"step":1', b'"step":9,"step":1'), id="a key twice"
        ),
        pytest.param(lambda line: line.replace(b"xxh3", b"\\u0078xh3", 1), id="an escape"),
        pytest.param(lambda line: rewrite(line, loss=float("nan")), id="not a number"),
        pytest.param(lambda line: rewrite(line, chain=None), id="no chain"),
    ],
)
def test_a_line_with_other_bytes_is_never_taken_for_the_one_that_was_written(run, edit):
    lines = read_raw(run)
    edited = edit(lines[2])
    assert edited != lines[2]
    (run / LEDGER).write_bytes(b"".join([*lines[:2], edited, *lines[3:]]))
    with pytest.raises(RecordError) as caught:
        list(read_ledger(run))
    assert f"{run / LEDGER}:3" in caught.value.where


def test_a_line_that_is_cut_short_is_found(run):
    content = (run / LEDGER).read_bytes()
    last = read_raw(run)[-1]
    for missing in (1, 2, len(last) - 1):
        (run / LEDGER).write_bytes(content[:-missing])
        with pytest.raises(RecordError, match="cut short or is not a step") as caught:
            list(read_ledger(run))
        assert caught.value.where == f"{run / LEDGER}:5"


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b'{"step":0}\n',
        b'{"step":null,"epoch":0,"chain":""}\n',
        b'{"step":[],"epoch":0,"chain":""}\n',
        b'{"step":Infinity,"epoch":0,"chain":""}\n',
        b"\xff\n",
        b"[" * 100_000 + b"\n",
    ],
    ids=lambda line: repr(line[:30]),
)
def test_a_line_that_is_no_step_is_found(run, line):
    lines = read_raw(run)
    (run / LEDGER).write_bytes(b"".join([*lines[:2], line, *lines[3:]]))
    with pytest.raises(RecordError, match="cut short or is not a step") as caught:
        list(read_ledger(run))
    assert caught.value.where == f"{run / LEDGER}:3"


def test_lines_before_a_fault_are_read(run):
    lines = read_raw(run)
    (run / LEDGER).write_bytes(b"".join(lines[:3]) + b"{")
    records = read_ledger(run)
    assert [next(records).step for _ in range(3)] == [-1, 0, 1]
    with pytest.raises(RecordError):
        next(records)


def test_a_missing_ledger_is_an_error(tmp_path):
    with pytest.raises(RecordError, match="cannot read the ledger: No such file"):
        list(read_ledger(tmp_path))


def test_records_are_values(run):
    first = next(read_ledger(run))
    assert first == StepRecord(-1, -1, first.parts, first.chain)


# Going on with a ledger


def append_steps(ledger, first):
    for number in range(first, 3):
        ledger.append(number, number // 2, step_parts(number))
    ledger.append(3, 1, {"predictions": {"logits": b"p" * 16}})


@pytest.fixture
def heads(run):
    """The chain before the first line and after each."""
    return [CHAIN_START, *(record.chain for record in read_ledger(run))]


@pytest.mark.parametrize("kept", range(6))
@pytest.mark.parametrize("rest", [b"", b'{"batch":"xx'])
def test_a_ledger_that_goes_on_is_the_one_that_was_never_stopped(run, heads, kept, rest):
    whole = (run / LEDGER).read_bytes()
    (run / LEDGER).write_bytes(b"".join(read_raw(run)[:kept]) + rest)
    with LedgerWriter(run, resume_at=heads[kept]) as ledger:
        assert ledger.head == heads[kept]
        if kept == 0:
            ledger.append(INITIAL_STEP, INITIAL_STEP, INITIAL)
        if kept < 5:
            append_steps(ledger, max(0, kept - 1))
        assert ledger.head == heads[5]
        assert ledger.describe_trace() == {"ledger_head": heads[5], "steps": 3}
    assert (run / LEDGER).read_bytes() == whole


def test_steps_that_are_run_again_are_compared_and_not_written_twice(run, heads):
    whole = (run / LEDGER).read_bytes()
    with LedgerWriter(run, resume_at=heads[2]) as ledger:
        assert ledger.num_steps == 1
        assert ledger.describe_trace() == {"ledger_head": heads[5], "steps": 3}
        append_steps(ledger, 1)
        assert ledger.num_steps == 3
    assert (run / LEDGER).read_bytes() == whole


def test_a_step_that_is_run_again_to_other_bits_is_a_named_error(run, heads):
    whole = (run / LEDGER).read_bytes()
    other = {**step_parts(1), "gradients": {"x": b"?" * 16}, "loss": {"x": b"?" * 16}}
    with (
        LedgerWriter(run, resume_at=heads[2]) as ledger,
        pytest.raises(DeterminismError, match="gives other bits: loss, gradients") as caught,
    ):
        ledger.append(1, 0, other)
    assert caught.value.where == f"{run / LEDGER}, step 1"
    assert (run / LEDGER).read_bytes() == whole


def test_a_ledger_whose_lines_were_removed_cannot_go_on(run, heads):
    (run / LEDGER).write_bytes(b"".join(read_raw(run)[:2]))
    with pytest.raises(RecordError, match="does not hold the step that the checkpoint was taken"):
        LedgerWriter(run, resume_at=heads[4])


def test_a_ledger_that_was_edited_before_the_checkpoint_cannot_go_on(run, heads):
    (run / LEDGER).write_bytes((run / LEDGER).read_bytes().replace(b'"step":0', b'"step":8'))
    with pytest.raises(RecordError, match="the ledger's chain breaks"):
        LedgerWriter(run, resume_at=heads[4])


def test_tensors_of_a_ledger_that_goes_on_can_be_read(run, heads, tmp_path_factory):
    stopped = tmp_path_factory.mktemp("stopped")
    with LedgerWriter(stopped) as ledger:
        ledger.append(INITIAL_STEP, INITIAL_STEP, INITIAL)
        for number in range(2):
            ledger.append(number, 0, step_parts(number))
    for name, rest in ((LEDGER, b'{"batch"'), (TENSORS, b"R\x8d\0\0\0half")):
        with (stopped / name).open("ab") as stream:
            stream.write(rest)
    with LedgerWriter(stopped, resume_at=heads[3]) as ledger:
        append_steps(ledger, 2)
    assert (stopped / LEDGER).read_bytes() == (run / LEDGER).read_bytes()
    for step in (-1, 0, 1, 2, 3):
        found = read_tensor_digests(stopped, step)
        assert found is not None
        assert found == read_tensor_digests(run, step)


@pytest.mark.parametrize(("every", "kept"), [(1, [0, 1, 2]), (2, [0, 2]), (5, [0]), (0, [])])
def test_tensors_are_kept_of_every_kth_step_and_lines_of_every_one(
    run, tmp_path_factory, every, kept
):
    sparse = tmp_path_factory.mktemp("sparse")
    with LedgerWriter(sparse, tensors_every=every) as ledger:
        ledger.append(INITIAL_STEP, INITIAL_STEP, INITIAL)
        append_steps(ledger, 0)
    assert (sparse / LEDGER).read_bytes() == (run / LEDGER).read_bytes()
    for step in (-1, 0, 1, 2, 3):
        found = read_tensor_digests(sparse, step)
        assert found == (read_tensor_digests(run, step) if step in (-1, *kept, 3) else None)


def test_a_damaged_line_behind_the_checkpoint_leaves_the_ledger_as_it_is(run, heads):
    damaged = (run / LEDGER).read_bytes().replace(b'"step":2', b'"step":8') + b"{"
    (run / LEDGER).write_bytes(damaged)
    with pytest.raises(RecordError, match="the ledger's chain breaks"):
        LedgerWriter(run, resume_at=heads[1])
    assert (run / LEDGER).read_bytes() == damaged
