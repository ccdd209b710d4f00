"""A loop of plain torch that a recorder records: ``python plain_loop.py DIRECTORY [FAULT]``.

Faults: ``draw:N`` draws once more at step N, ``buffer:N`` touches a running mean, ``fail:N``
raises, ``forget:N`` ends the program without closing the record, ``hang:N`` waits for a signal.
"""

from __future__ import annotations

import contextlib
import sys
import time

import torch
from torch import nn

from cxr.integrations import RunRecorder


def plant(fault: str, network: nn.Module, step: int) -> None:
    name, _, at = fault.partition(":")
    if not at or step != int(at):
        return
    if name == "draw":
        torch.rand(1)
    elif name == "buffer":
        network[1].running_mean[0] += 1e-6
    elif name == "fail":
        raise RuntimeError("in /home/somebody")
    elif name == "forget":
        sys.exit(0)
    elif name == "hang":
        time.sleep(600)


def train(recorder: RunRecorder, fault: str) -> None:
    network = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    recorder.begin(network, optimizer, config={"optimizer": {"momentum": 0.9}})
    for step in range(6):
        x = torch.rand(8, 4)
        plant(fault, network, step)
        recorder.start_step()
        recorder.add_batch({"x": x})
        optimizer.zero_grad()
        loss = network(x).square().mean()
        loss.backward()
        recorder.add_loss(loss)
        recorder.note_gradients()
        optimizer.step()
        recorder.end_step(epoch=step // 3)
    recorder.note_metrics({"train_loss": float(loss.detach())})


def main(out: str, fault: str = "") -> None:
    recorder = RunRecorder(out=out, config={"lr": 0.1, "api_key": "mild"}, seed=7)
    # The example of how it is meant is the `with`; without one, the interpreter's end must do.
    closing = contextlib.nullcontext() if fault.startswith("forget") else recorder
    with closing:
        train(recorder, fault)


if __name__ == "__main__":
    main(*sys.argv[1:])
