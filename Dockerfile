# syntax=docker/dockerfile:1
# BASE_IMAGE must name a digest, so that the same build starts from the same bytes:
#   docker build --build-arg BASE_IMAGE=python:3.13-slim@sha256:<the digest you verified> .
# No digest is written here: choose and verify one yourself.
ARG BASE_IMAGE

FROM ${BASE_IMAGE} AS base
ENV PYTHONUNBUFFERED=1 \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir "uv>=0.9" \
    && useradd --create-home --uid 10001 cxr
WORKDIR /app
# Dependencies first: this layer changes only with the lock.
COPY pyproject.toml uv.lock .python-version README.md LICENSE ./
RUN uv sync --locked --no-dev --no-install-project

FROM base AS training
COPY src ./src
RUN uv sync --locked --no-dev --no-editable
COPY configs ./configs
COPY data/sample ./data/sample
RUN mkdir /runs && chown cxr:cxr /runs
USER cxr
ENV PATH="/app/.venv/bin:${PATH}"
VOLUME /runs
WORKDIR /runs
ENTRYPOINT ["cxr"]
CMD ["repeat", "-n", "3", "--config", "/app/configs/sample.yaml", "--out", "/runs/repeat"]
