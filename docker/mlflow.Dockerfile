# MLflow's server with sign-in, PostgreSQL and S3, for charts/mlflow. `mlv images build mlflow` builds it; by hand, in this
# checkout or in the installed package:
#   docker build -f docker/mlflow.Dockerfile -t mlv-mlflow .
# PIP_INDEX_URL and UV_DEFAULT_INDEX name a package index other than the default. One that wants a password goes into a file of
# `export NAME='value'` lines, handed over by --secret id=packages,src=FILE. Of neither does anything stay in the image.
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS build
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
COPY python/requirements-mlflow.lock /build/
RUN --mount=type=secret,id=packages --mount=type=secret,id=ca \
    echo "${UV_DEFAULT_INDEX:+export UV_DEFAULT_INDEX='$UV_DEFAULT_INDEX'}" > /build/index \
    && if [ -f /run/secrets/packages ]; then . /run/secrets/packages; fi \
    && python -m venv /build/uv && /build/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check uv==0.13.9

FROM ${BASE}
# Installed where it stays, because a copy from the stage above would take as much time and disk again. Compiled, because a pod
# cannot write beside its code. Tests of packages are a tenth of the image.
RUN --mount=type=bind,from=build,source=/build,target=/build \
    --mount=type=secret,id=packages --mount=type=secret,id=ca \
    . /build/index; if [ -f /run/secrets/packages ]; then . /run/secrets/packages; fi; \
    /build/uv/bin/uv venv --quiet --no-cache --python "$(command -v python)" /opt/mlflow \
    && /build/uv/bin/uv pip install --no-cache --python /opt/mlflow/bin/python --compile-bytecode --require-hashes \
       -r /build/requirements-mlflow.lock \
    && find /opt/mlflow -depth -type d -name tests -path '*/site-packages/*' -exec rm -rf {} +
ENV PATH=/opt/mlflow/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GIT_PYTHON_REFRESH=quiet
# High, so that it is nobody on the node; the charts run every image as it.
USER 10001:10001
WORKDIR /tmp
EXPOSE 5000
CMD ["mlflow", "server", "--help"]
