"""Brings the files of a job from its run's artifacts into a pod of the cluster that is the job's own.

mlv gives this source to an init container of each pod. It needs nothing but the standard library, and reads the sign-in of
jobs where it is mounted: no secret stands in the pod's description.
"""

import base64
import http.client
import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
import zipfile

PATIENCE = 120.0  # seconds for an MLflow that is being restarted
PAUSE = 2.0


def main(wanted):
    with open(wanted["credentials"], encoding="utf-8") as file:
        sign_in = json.load(file)
    pair = base64.b64encode(f"{sign_in['username']}:{sign_in['password']}".encode()).decode()
    for path, folder in wanted["folders"].items():
        archive = f"{folder}.zip"
        download(f"{wanted['url']}/{path}", pair, archive)
        unpack(archive, folder)
        os.remove(archive)


def download(url, pair, target):
    until = time.monotonic() + PATIENCE
    while True:
        try:
            request = urllib.request.Request(url, headers={"Authorization": f"Basic {pair}"})
            with urllib.request.urlopen(request, timeout=60) as answer, open(target, "wb") as file:
                shutil.copyfileobj(answer, file)
            return
        except urllib.error.HTTPError as error:
            if error.code < 500 or time.monotonic() > until:
                sys.exit(f"The job's files cannot be read from MLflow: {url} answers {error.code}.")
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() > until:
                sys.exit(f"The job's files cannot be read from MLflow: {url}: {error}")
        time.sleep(PAUSE)


def unpack(archive, folder):
    # A pod whose containers are started again has it already.
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            path = packed.extract(entry, folder)
            if mode := entry.external_attr >> 16 & 0o777:
                os.chmod(path, mode)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
