# MLflow's server with sign-in, PostgreSQL and S3, for charts/mlflow. Built in the checkout:
#   docker build -f docker/mlflow.Dockerfile -t mlv-mlflow:3.17.2 .
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
COPY python/requirements-mlflow.lock /tmp/
RUN python -m venv /opt/mlflow \
    && /opt/mlflow/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
       -r /tmp/requirements-mlflow.lock \
    && /opt/mlflow/bin/pip uninstall --yes --quiet pip

FROM ${BASE}
COPY --from=build /opt/mlflow /opt/mlflow
ENV PATH=/opt/mlflow/bin:$PATH \
    PYTHONUNBUFFERED=1
# High, so that it is nobody on the node; the charts run every image as it.
USER 10001:10001
WORKDIR /tmp
EXPOSE 5000
CMD ["mlflow", "server", "--help"]
