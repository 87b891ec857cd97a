"""Bring both databases to what this MLflow needs: made where they are empty, migrated where they are older.

Safe to run again. No server may use them meanwhile, and a backup comes first: a migration has no way back.
"""

import os
import subprocess
import sys

from mlflow.server.auth.config import read_auth_config
from sqlalchemy import create_engine, make_url, text


def prepare(tracking: str, auth: str) -> None:
    """Make the database of sign-ins where it is missing; let SQLite's readers go on while one writes."""
    if make_url(tracking).get_backend_name() == "sqlite":
        for uri in (tracking, auth):
            with create_engine(uri).connect() as connection:
                connection.execute(text("PRAGMA journal_mode=WAL"))
        return
    name = make_url(auth).database
    engine = create_engine(tracking, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        found = connection.execute(text("select 1 from pg_database where datname = :name"), {"name": name})
        if found.first() is None:
            connection.execute(text(f"create database {engine.dialect.identifier_preparer.quote(name)}"))


def main() -> int:
    tracking, auth = os.environ["MLFLOW_BACKEND_STORE_URI"], read_auth_config().database_uri
    prepare(tracking, auth)
    for command in (["mlflow", "db", "upgrade", tracking], ["mlflow.server.auth", "db", "upgrade", "--url", auth]):
        print("Running", *command, flush=True)
        status = subprocess.run([sys.executable, "-m", *command]).returncode
        if status != 0:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
