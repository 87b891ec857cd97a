"""A store with the interface of S3 on loopback that lets one user in: moto's server with its sign-in switched on.

Of an address that was signed beforehand, as MLflow hands them out for downloads, moto cannot check the signature;
here it has to carry that user's key.

As a program it takes the address to listen on, prints how to reach it, and for each line on its standard input the
keys in the bucket; it ends with its input.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, cast

import boto3
from moto.core.authorization import ActionAuthenticatorMixin
from moto.server import ThreadedMotoServer

BUCKET = "team-bucket"
_MAY_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


@dataclass(frozen=True)
class Store:
    """Where it is and who may come in."""

    endpoint: str
    bucket: str
    key: str
    secret: str

    def client(self) -> Any:
        return _client("s3", self.endpoint, self.key, self.secret)

    def keys(self) -> list[str]:
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def _client(service: str, endpoint: str, key: str, secret: str) -> Any:
    return cast("Any", boto3).client(
        service, endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret
    )


@contextlib.contextmanager
def running(address: str = "127.0.0.1") -> Iterator[Store]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address=address, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        iam = _client("iam", endpoint, "any", "any")
        iam.create_user(UserName="team")
        iam.put_user_policy(UserName="team", PolicyName="all", PolicyDocument=json.dumps(_MAY_ALL))
        made = iam.create_access_key(UserName="team")["AccessKey"]
        store = Store(endpoint, BUCKET, made["AccessKeyId"], made["SecretAccessKey"])
        store.client().create_bucket(Bucket=BUCKET)
        _take_signed_addresses(store.key)
        # From here on nobody else comes in.
        _ask_for_sign_in(endpoint, "0")
        yield store
    finally:
        _ask_for_sign_in(endpoint, "inf")
        server.stop()


def _take_signed_addresses(key: str) -> None:
    mixin = cast("Any", ActionAuthenticatorMixin)
    check = mixin._authenticate_and_authorize_action

    def check_unless_signed(self: Any, *arguments: Any) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.uri).query)
        names = query.get("AWSAccessKeyId", []) + query.get("X-Amz-Credential", [])
        if not any(name.partition("/")[0] == key for name in names):
            check(self, *arguments)

    mixin._authenticate_and_authorize_action = check_unless_signed


def _ask_for_sign_in(endpoint: str, after: str) -> None:
    address = f"{endpoint}/moto-api/reset-auth"
    urllib.request.urlopen(urllib.request.Request(address, after.encode(), {"Content-Type": "text/plain"})).close()


if __name__ == "__main__":
    with running(*sys.argv[1:]) as store:
        print(json.dumps(asdict(store)), flush=True)
        for _ in sys.stdin:
            print(json.dumps(store.keys()), flush=True)
