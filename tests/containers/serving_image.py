"""The serving image: its health check, an answer, and its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Final

from findings import Findings
from image_store import ImageStore
from read_only_root import Container, Service
from training_image import try_labels, try_permissions

IMAGE: Final = next(Path(__file__).parents[2].glob("data/sample/test/*/*.jpeg"))

_POST: Final = """
import http.client, sys
head = b'--bound\\r\\nContent-Disposition: form-data; name="image"; filename="a.jpeg"\\r\\n'
kind = b'Content-Type: image/jpeg\\r\\n\\r\\n'
body = head + kind + sys.stdin.buffer.read() + b'\\r\\n--bound--\\r\\n'
connection = http.client.HTTPConnection('127.0.0.1', 8000, timeout=30)
told = {'Content-Type': 'multipart/form-data; boundary=bound'}
connection.request('POST', '/predict', body, told)
answer = connection.getresponse()
print(answer.status, answer.read().decode())
"""


def try_serving(
    store: ImageStore, image: str, arguments: Mapping[str, str], run: Path, findings: Findings
) -> None:
    """Look at the image and serve a run from it.

    Args:
        store: Where the image is.
        image: Its name.
        arguments: What it was built with.
        run: A run that was trained in the training image.
        findings: Where it is said how things are.
    """
    config = store.read_config(image)
    try_labels(config, "serving", arguments, findings)
    try_permissions(store, image, findings)
    with store.mounted(image) as root:
        container = Container(root=root, config=config, inputs={"/model": run})
        with container.started(*config["Entrypoint"], *config["Cmd"]) as service:
            try:
                try_service(service, findings)
            except ProcessLookupError:
                findings.expect(is_so=False, what="it goes on", found=service.read_log())


def try_service(service: Service, findings: Findings) -> None:
    """Hold that a service becomes healthy, answers, and ends when it is told to."""
    kind, *check = service.container.config["Healthcheck"]["Test"]
    findings.expect(kind == "CMD", "the health check needs no shell", found=kind)
    healthy = service.wait_until(*check)
    findings.expect(healthy, "the health check passes", found=service.read_log())
    if not healthy:
        return
    answer = service.ask("python", "-c", _POST, given=IMAGE.read_bytes()).stdout.decode()
    findings.expect(answer.startswith("200 "), "an image is answered", found=answer)
    findings.say(f"serving: {service.read_peak_bytes() / 1e6:.0f} MB of memory at most")
    try:
        code = service.stop()
    except TimeoutExpired as error:
        code = error
    # 130 is what cxr says of whatever was told to end.
    findings.expect(code in {0, 130}, "it ends when it is told to", found=code)
    said = service.read_log()
    findings.expect("Traceback" not in said, "without a traceback", found=said)
