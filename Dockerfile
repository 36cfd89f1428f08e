# The pipeline (target train), MLflow's pages (target ui) and a model over HTTP (target serve), on any Debian with
# Python 3.11 to 3.13.
#   docker build --target train --tag mnistgan:train .
# A package mirror's address stays out of the image: --secret id=pip,src=$HOME/.config/pip/pip.conf
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS dependencies
ARG PYTHON=python3
COPY requirements.lock /tmp/requirements.lock
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    "${PYTHON}" -m venv /opt/venv \
    && /opt/venv/bin/pip install --quiet --no-cache-dir --no-compile --no-deps --require-hashes \
        --requirement /tmp/requirements.lock \
    && { /opt/venv/bin/python -m compileall -q -j 0 -x '/tests?/' /opt/venv/lib >/dev/null || true; }

FROM ${BASE} AS runtime
# git: DVC reads the commit by it. tini: hands signals on to the whole group, so that a stage hears them, not DVC alone.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git tini \
    && rm -rf /var/lib/apt/lists/* \
    # A mounted repository belongs to whoever runs the container, or to somebody else still.
    && git config --system --add safe.directory '*' \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /home/mnistgan --shell /usr/sbin/nologin mnistgan \
    # Whatever --user says has a home that it can write to.
    && install --directory --mode 1777 /home/mnistgan \
    && install --directory --owner mnistgan --group mnistgan /app
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/home/mnistgan \
    USER=mnistgan \
    DVC_SITE_CACHE_DIR=/tmp/dvc \
    PYTHONUNBUFFERED=1
COPY --from=dependencies /opt/venv /opt/venv
WORKDIR /app
COPY --chown=mnistgan:mnistgan . .
USER 10001:10001
STOPSIGNAL SIGINT
ENTRYPOINT ["tini", "-g", "--"]

# docker run --publish 127.0.0.1:5000:5000 ...: only this machine's own browser reaches it.
FROM runtime AS ui
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5000/health', timeout=4)"]
CMD ["python", "-m", "pipeline", "ui", "--host", "0.0.0.0", "--port", "5000", \
    "--allowed-hosts", "localhost,127.0.0.1"]

# docker run --publish 127.0.0.1:8000:8000 --volume "$PWD/models:/app/models:ro" ...: the weights stay outside of it.
FROM runtime AS serve
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
CMD ["python", "-m", "pipeline", "model", "serve", "--host", "0.0.0.0", "--port", "8000"]

FROM runtime AS train
CMD ["dvc", "repro"]
