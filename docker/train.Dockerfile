# What jobs run in, for charts/ray-cluster: Ray, MLflow's client, PyTorch, mlvision. `mlv images build train` builds it; by hand,
# in this checkout or in the installed package:
#   docker build -f docker/train.Dockerfile -t mlv-train .
# TORCH_INDEX names an index with other builds of PyTorch, those for the CPU alone for one. PIP_INDEX_URL, UV_DEFAULT_INDEX and
# the secret `packages`: see mlflow.Dockerfile, which this follows.
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS build
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ARG TORCH_INDEX
COPY python/requirements.lock python/torch-versions.json /build/
RUN --mount=type=secret,id=packages --mount=type=secret,id=ca \
    echo "${UV_DEFAULT_INDEX:+export UV_DEFAULT_INDEX='$UV_DEFAULT_INDEX'} TORCH_INDEX='$TORCH_INDEX'" > /build/index \
    && python -c "import json; print(*('=='.join(pin) for pin in json.load(open('/build/torch-versions.json')).items()), sep='\n')" \
       > /build/torch.txt \
    && if [ -f /run/secrets/packages ]; then . /run/secrets/packages; fi \
    && python -m venv /build/uv && /build/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check uv==0.13.9

FROM ${BASE}
# PyTorch's packages depend on the machine, so they are pinned by version and the lock by digest. What else they need comes from
# the index of the lock.
RUN --mount=type=bind,from=build,source=/build,target=/build \
    --mount=type=secret,id=packages --mount=type=secret,id=ca \
    . /build/index; if [ -f /run/secrets/packages ]; then . /run/secrets/packages; fi; \
    export VIRTUAL_ENV=/opt/train; PATH=/build/uv/bin:$PATH; \
    uv venv --quiet --no-cache --python "$(command -v python)" /opt/train \
    && uv pip install --no-cache --compile-bytecode --require-hashes -r /build/requirements.lock \
    && if [ -n "$TORCH_INDEX" ]; then \
         uv pip install --no-cache --compile-bytecode --no-deps --default-index "$TORCH_INDEX" -r /build/torch.txt; fi \
    && uv pip install --no-cache --compile-bytecode -r /build/torch.txt \
    && find /opt/train -depth -type d -name tests -path '*/site-packages/*' -exec rm -rf {} + \
    && echo /opt/mlvision > "$(echo /opt/train/lib/python3.*/site-packages)/mlvision.pth"
# After the packages, which change less often. A job that brings a newer one of its own by PYTHONPATH gets that.
COPY python/src /opt/mlvision
ENV PATH=/opt/train/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GIT_PYTHON_REFRESH=quiet \
    RAY_USAGE_STATS_ENABLED=0
USER 10001:10001
WORKDIR /tmp
CMD ["ray", "--version"]
