#!/bin/sh
# Resolve requirements*.in into hashed lock files for Python 3.10-3.13 on every platform.
# The locks name no index and no folder, so that any mirror serves them. Needs uv (UV=/path/to/uv).
set -eu
cd "$(dirname "$0")"
unset PIP_FIND_LINKS PIP_INDEX_URL PIP_EXTRA_INDEX_URL UV_FIND_LINKS || true
for name in requirements requirements-mlflow requirements-dev requirements-checkov requirements-lightning; do
  alone=
  if [ $name = requirements-lightning ]; then alone=--no-deps; fi
  "${UV:-uv}" pip compile --quiet --universal --python-version 3.10 --generate-hashes \
    --no-header --no-annotate --no-emit-package torch --no-emit-package torchvision $alone \
    "$@" "$name.in" --output-file "$name.lock"
done
if grep -nE '://|file:|--(index|extra-index|find-links)' requirements*.lock; then
  echo 'A lock names an address: see above.' >&2
  exit 1
fi
