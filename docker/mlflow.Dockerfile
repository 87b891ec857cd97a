# MLflow's server with sign-in, PostgreSQL and S3, for charts/mlflow. `mlv images build mlflow` builds it; by hand, in this
# checkout or in the installed package:
#   docker build -f docker/mlflow.Dockerfile -t mlv-mlflow .
# PIP_INDEX_URL and UV_DEFAULT_INDEX name a package index other than the default. One that wants a password goes into a file of
# `export NAME='value'` lines, handed over by --secret id=packages,src=FILE: of that nothing stays in the image.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
COPY python/requirements-mlflow.lock /tmp/
# Compiled here, because a pod cannot write beside its code. Tests of packages are a tenth of the image.
RUN --mount=type=secret,id=packages --mount=type=secret,id=ca \
    if [ -f /run/secrets/packages ]; then . /run/secrets/packages; fi \
    && python -m venv /tmp/uv && /tmp/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check uv==0.13.9 \
    && /tmp/uv/bin/uv venv --quiet --python "$(command -v python)" /opt/mlflow \
    && UV_LINK_MODE=copy /tmp/uv/bin/uv pip install --python /opt/mlflow/bin/python --compile-bytecode --require-hashes \
       -r /tmp/requirements-mlflow.lock \
    && find /opt/mlflow -depth -type d -name tests -path '*/site-packages/*' -exec rm -rf {} +

FROM ${BASE}
COPY --from=build /opt/mlflow /opt/mlflow
ENV PATH=/opt/mlflow/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GIT_PYTHON_REFRESH=quiet
# High, so that it is nobody on the node; the charts run every image as it.
USER 10001:10001
WORKDIR /tmp
EXPOSE 5000
CMD ["mlflow", "server", "--help"]
