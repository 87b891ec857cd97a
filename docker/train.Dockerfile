# What jobs run in, for charts/ray-cluster: Ray, MLflow's client, PyTorch. Their code comes with each job. Built in the checkout:
#   docker build -f docker/train.Dockerfile -t mlv-train:2.60.0 .
# TORCH_INDEX names an index with other builds of PyTorch, those for the CPU alone for one.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ARG TORCH_INDEX=
COPY python/requirements.lock python/torch-versions.json /tmp/
# The second step's packages depend on the machine, so they are pinned by version and the lock by digest.
RUN python -m venv /opt/train \
    && /opt/train/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/requirements.lock \
    && python -c "import json; print(*('=='.join(pin) for pin in json.load(open('/tmp/torch-versions.json')).items()), sep='\n')" \
       > /tmp/torch.txt \
    && /opt/train/bin/pip install --no-cache-dir --disable-pip-version-check ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
       -r /tmp/torch.txt

FROM ${BASE}
COPY --from=build /opt/train /opt/train
ENV PATH=/opt/train/bin:$PATH \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /tmp
CMD ["ray", "--version"]
