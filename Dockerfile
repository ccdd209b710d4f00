# Two images of one base, to train in and to serve from: docs/container.md.
#   docker build --target training --build-arg VERSION=0.1.0 \
#     --build-arg REVISION="$(git rev-parse HEAD)" \
#     --build-arg BASE_IMAGE=python:3.13-slim@sha256:<the digest you verified> -t cxr-training .
# No digest is written here: choose and verify one yourself.
ARG BASE_IMAGE

FROM ${BASE_IMAGE} AS base
ARG BASE_IMAGE
ARG UV_VERSION=0.13.9
# The interpreter is the base's, whatever .python-version says; uv fetches none.
ENV LANG=C.UTF-8 \
    PATH=/app/.venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    UV_LINK_MODE=copy \
    UV_PROJECT_ENVIRONMENT=/app/.venv \
    UV_PYTHON=python3 \
    UV_PYTHON_DOWNLOADS=never
# Without a digest the same build may start from other bytes tomorrow. The user's name is one that
# tells nobody from another: a record keeps no file that names who made it, and uv.lock names cxr.
RUN case "${BASE_IMAGE}" in \
      *@sha256:*) ;; \
      *) echo "BASE_IMAGE names no digest: give NAME@sha256:..." >&2; exit 1 ;; \
    esac \
    && groupadd --gid 10001 user \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent user
# In an environment of its own: Debian's pip installs nothing beside Debian's packages.
# The secret is for a network whose proxy signs what passes it; nothing of it stays.
RUN --mount=type=secret,id=ca.crt \
    [ ! -e /run/secrets/ca.crt ] || export PIP_CERT=/run/secrets/ca.crt; \
    python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir "uv==${UV_VERSION}"
WORKDIR /app
# Dependencies first: the largest layer changes only with the lock, and both images share it.
COPY --chmod=0644 pyproject.toml uv.lock ./
# uv leaves a lock that everybody may write.
RUN --mount=type=secret,id=ca.crt --mount=type=cache,target=/root/.cache/uv \
    [ ! -e /run/secrets/ca.crt ] || export SSL_CERT_FILE=/run/secrets/ca.crt; \
    /opt/uv/bin/uv sync --locked --no-dev --no-install-project --extra dicom \
    && rm -f .venv/.lock
# What was locked is there, so nothing is fetched here. Not by a bind mount of the context: with
# buildah that has what .dockerignore names, and the package then holds it.
COPY --chmod=0644 README.md LICENSE ./
COPY src ./src
RUN --mount=type=cache,target=/root/.cache/uv \
    /opt/uv/bin/uv sync --frozen --no-dev --no-editable --extra dicom \
    && rm -rf .venv/.lock src
ARG VERSION
ARG REVISION
RUN test "$(cxr --version)" = "cxr ${VERSION}" \
      || { echo "VERSION is '${VERSION}', the sources are $(cxr --version)" >&2; exit 1; }; \
    printf %s "${REVISION}" | grep -Eqx '[0-9a-f]{40}' \
      || { echo "REVISION is no commit: give its 40 hexadecimal digits" >&2; exit 1; }
LABEL org.opencontainers.image.base.name="${BASE_IMAGE}" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.version="${VERSION}"

FROM base AS training
COPY configs ./configs
COPY data/sample ./data/sample
# A context keeps the modes of whoever checked it out. /runs and /cache are for any --user.
RUN chmod -R a+rX,go-w configs data \
    && install --directory --mode 1777 /runs /cache \
    && ln -s /runs runs
LABEL org.opencontainers.image.title="cxr training"
ENV XDG_CACHE_HOME=/cache
# A number, so that Kubernetes can see that it is not root's.
USER 10001:10001
VOLUME ["/runs", "/cache"]
ENTRYPOINT ["cxr"]
CMD ["repeat", "-n", "3", "--config", "configs/sample.yaml"]

FROM base AS serving
# Only what serving needs besides: inexact, as cxr is there already.
RUN --mount=type=secret,id=ca.crt --mount=type=cache,target=/root/.cache/uv \
    [ ! -e /run/secrets/ca.crt ] || export SSL_CERT_FILE=/run/secrets/ca.crt; \
    /opt/uv/bin/uv sync --locked --no-dev --no-install-project --inexact \
      --extra dicom --extra serve \
    && rm -f .venv/.lock
LABEL org.opencontainers.image.title="cxr serving"
USER 10001:10001
EXPOSE 8000
# Not urllib: it would ask a proxy that the environment names.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8000, timeout=4); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]
# The run to serve is mounted at /model, read-only.
ENTRYPOINT ["cxr"]
CMD ["serve", "/model", "--host", "0.0.0.0", "--port", "8000"]
