"""A process that decodes the images that it is sent, until nothing more comes.

It is started as ``python -m`` this module; see `cxr.answering_process`. Whatever a decoder does to
its process, it does here, and not to the service.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import IO, Final

from cxr.answering_process import end_with_parent
from cxr.data.decoding.quiet_pillow import quiet_pillow
from cxr.data.preprocessing import describe_preprocessing, digest_preprocessing
from cxr.inference.inputs import describe_file
from cxr.inference.prepare_image import decode_input
from cxr.serving.decoder_messages import (
    read_image,
    read_task,
    write_decoded,
    write_greeting,
)
from cxr.serving.decompression_bombs import refuse_bomb

_SCORE: Final = Path("/proc/self/oom_score_adj")
_FIRST: Final = "1000"
"""Source: proc_pid_oom_score_adj(5): the process that is ended first."""


def answer_requests(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Decode images as the first message says, until nobody asks any more.

    All of a request is read before it is answered, so neither side waits for the other.
    """
    task = read_task(requests)
    if task is None:
        return
    write_greeting(answers, digest_preprocessing(describe_preprocessing(task.config)))
    while (request := read_image(requests)) is not None:
        name, content = request
        said = refuse_bomb(content, name=name, max_pixels=task.max_pixels)
        wanted = describe_file(Path(name))
        write_decoded(answers, said or decode_input(wanted, task.config, content=content))


def _main() -> None:
    pipe = int(sys.argv[1])
    end_with_parent(pipe)
    # Where memory runs out, the system ends this process and not the service.
    with contextlib.suppress(OSError):
        _SCORE.write_text(_FIRST, encoding="ascii")
    with os.fdopen(pipe, "wb", closefd=False) as stream, quiet_pillow():
        answer_requests(sys.stdin.buffer, stream)


if __name__ == "__main__":
    _main()
