"""Bring both databases to what this MLflow needs: made where they are empty, migrated where they are older.

What an older MLflow left is set aside first, and put back when the migration fails or was cut off: nothing stays half
done. Safe to run again. No server may use the databases meanwhile. `--back` puts back what a migration set aside.
"""

import argparse
import configparser
import contextlib
import os
import sqlite3
import sys
import time
import traceback
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

# What is set aside is called so until the migration has succeeded: one that is found was cut off.
UNFINISHED = "migrating"
LONGEST_NAME = 63
PATIENCE_SECONDS = 30
# Found without being imported, which takes seconds: mostly there is nothing to do.
MLFLOW = Path(find_spec("mlflow").origin).parent


class Database:
    """One of the two, and what is set aside of it beside it."""

    def __init__(self, uri: str, migrations: str, version_table: str) -> None:
        self.uri, self.url = uri, make_url(uri)
        self.head = ScriptDirectory(str(MLFLOW / migrations)).get_current_head()
        self.version_table = version_table

    def ask(self, statement: str, name: str = "") -> list:
        uri = self.url.set(database=self.path(name))
        with contextlib.closing(create_engine(uri, poolclass=NullPool).connect()) as connection:
            return list(connection.execute(text(statement)))

    def revision(self, name: str = "") -> str | None:
        """Empty where there are tables of an MLflow that counted none, None where there is nothing."""
        uri = self.url.set(database=self.path(name))
        with contextlib.closing(create_engine(uri, poolclass=NullPool).connect()) as connection:
            tables = inspect(connection).get_table_names()
            if self.version_table in tables:
                return connection.execute(text(f"select version_num from {self.version_table}")).scalar()
        return "" if tables else None

    def state(self) -> str:
        """`current`, `old` where this MLflow has to change what is there, `empty`."""
        found = self.revision()
        return "empty" if found is None else "current" if found == self.head else "old"

    def upgrade(self) -> None:
        # What `mlflow db upgrade` and `python -m mlflow.server.auth db upgrade` run; each import takes seconds.
        if self.version_table == "alembic_version":
            import mlflow.db

            mlflow.db.upgrade.callback(self.uri)
        else:
            from mlflow.server.auth.db import cli

            cli.upgrade.callback(self.uri, "head")


class SqliteFile(Database):
    """Copies of a file, in its folder."""

    def prepare(self) -> None:
        """Let readers go on while one writes."""
        with contextlib.closing(sqlite3.connect(self.path())) as connection:
            connection.execute("pragma journal_mode=wal")

    def path(self, name: str = "") -> str:
        return f"{self.url.database}.{name}" if name else self.url.database

    def has(self, name: str) -> bool:
        return os.path.exists(self.path(name))

    def is_untouched(self, name: str) -> bool:
        """SQLite makes no change of a table undone: a migration that was cut off shows in the tables."""
        tables = "select type, name, sql from sqlite_master order by 1, 2"
        return self.revision() == self.revision(name) and self.ask(tables) == self.ask(tables, name)

    def set_aside(self, name: str) -> None:
        source, target = sqlite3.connect(self.path()), sqlite3.connect(self.path("copying"))
        with contextlib.closing(source), contextlib.closing(target):
            source.backup(target)
        os.replace(self.path("copying"), self.path(name))

    def put_back(self, name: str) -> None:
        for left in ("-wal", "-shm"):
            Path(self.path() + left).unlink(missing_ok=True)
        os.replace(self.path(name), self.path())

    def keep(self, name: str) -> None:
        os.replace(self.path(UNFINISHED), self.path(name))

    def kept(self) -> list[str]:
        prefix = f"{Path(self.path()).name}."
        return [path.name.removeprefix(prefix) for path in Path(self.path()).parent.glob(f"{prefix}before_*")]

    def forget(self, name: str) -> None:
        os.unlink(self.path(name))


class PostgresDatabase(Database):
    """Copies of a database, on its server: the user needs CREATEDB, and has to own what is copied."""

    def __init__(self, uri: str, *rest, neighbour: str) -> None:
        super().__init__(uri, *rest)
        # Nobody may be signed in to what is copied or renamed.
        self.neighbour = neighbour

    def connect(self):
        options = {"isolation_level": "AUTOCOMMIT", "poolclass": NullPool}
        try:
            return create_engine(self.neighbour, **options).connect()
        except DBAPIError as error:
            if "does not exist" not in str(error):
                raise
            return create_engine(self.url.set(database="postgres"), **options).connect()

    def execute(self, statement: str, **values):
        with contextlib.closing(self.connect()) as connection:
            result = connection.execute(text(statement), values)
            return [row[0] for row in result] if result.returns_rows else []

    def path(self, name: str = "") -> str:
        full = f"{self.url.database}_{name}" if name else self.url.database
        if len(full.encode()) > LONGEST_NAME:
            raise SystemExit(f"PostgreSQL takes no name as long as {full}.")
        return full

    def quoted(self, name: str = "") -> str:
        return '"' + self.path(name).replace('"', '""') + '"'

    def prepare(self) -> None:
        """Make it where it is missing."""
        if not self.has(""):
            self.execute(f"create database {self.quoted()}")

    def is_untouched(self, name: str) -> bool:
        """PostgreSQL makes everything undone that was not ended; what is seen is the end of one database."""
        return self.revision() == self.revision(name)

    def has(self, name: str) -> bool:
        return bool(self.execute("select 1 from pg_database where datname = :name", name=self.path(name)))

    def alone(self, statement: str) -> None:
        """Run what wants nobody else to be signed in; sessions of servers that were ended may be left."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            self.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = :name and usename = current_user",
                name=self.path(),
            )
            try:
                self.execute(statement)
                return
            except DBAPIError as error:
                if "being accessed by other users" not in str(error) or time.monotonic() > until:
                    raise SystemExit(f"{self.path()} cannot be set aside: {str(error.orig).strip()}") from error
            time.sleep(1)

    def set_aside(self, name: str) -> None:
        self.alone(f"create database {self.quoted(name)} template {self.quoted()}")

    def put_back(self, name: str) -> None:
        self.alone(f"drop database if exists {self.quoted()}")
        self.execute(f"alter database {self.quoted(name)} rename to {self.quoted()}")

    def keep(self, name: str) -> None:
        self.execute(f"alter database {self.quoted(UNFINISHED)} rename to {self.quoted(name)}")

    def kept(self) -> list[str]:
        prefix = f"{self.path()}_"
        names = self.execute("select datname from pg_database")
        return [name.removeprefix(prefix) for name in names if name.startswith(f"{prefix}before_")]

    def forget(self, name: str) -> None:
        self.execute(f"drop database {self.quoted(name)}")


def find_databases() -> list[SqliteFile | PostgresDatabase]:
    config = configparser.ConfigParser()
    config.read(os.environ["MLFLOW_AUTH_CONFIG_PATH"])
    tracking, auth = os.environ["MLFLOW_BACKEND_STORE_URI"], config["mlflow"]["database_uri"]
    of_tracking = (tracking, "store/db_migrations", "alembic_version")
    of_auth = (auth, "server/auth/db/migrations", "alembic_version_auth")
    if make_url(tracking).get_backend_name() == "sqlite":
        return [SqliteFile(*of_tracking), SqliteFile(*of_auth)]
    return [PostgresDatabase(*of_tracking, neighbour=auth), PostgresDatabase(*of_auth, neighbour=tracking)]


def put_back(databases, *names: str) -> None:
    for database in databases:
        name = next((name for name in names if database.has(name)), None)
        if name == UNFINISHED and database.is_untouched(name):
            # Whatever was written since is in it, and not in the copy.
            database.forget(name)
        elif name is not None:
            database.put_back(name)
            print(f"Put back what {database.path()} was before the migration", flush=True)


def migrate(databases, name: str, has_backup: bool) -> int:
    # The database of sign-ins first: the one of runs, which is there, is the way to it.
    for database in reversed(databases):
        database.prepare()
    put_back(databases, UNFINISHED)
    states = {database: database.state() for database in databases}
    old = [database for database in databases if has_backup and states[database] == "old"]
    for database in old:
        database.set_aside(UNFINISHED)
        print(f"{database.path()} is set aside as {database.path(name)}", flush=True)
    for database in databases:
        if states[database] == "current":
            continue
        print(f"Bringing {database.path()} from {states[database]} to {database.head}", flush=True)
        try:
            database.upgrade()
        except Exception as error:
            traceback.print_exc()
            put_back(databases, UNFINISHED)
            print(f"The migration of {database.path()} failed: {str(error).splitlines()[0]}", flush=True)
            return 1
    for database in old:
        for earlier in database.kept():
            database.forget(earlier)
        database.keep(name)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default=version("mlflow").replace(".", "_"), help="of what is set aside")
    parser.add_argument("--no-backup", action="store_true", help="set nothing aside")
    parser.add_argument("--back", action="store_true", help="put back what a migration of that name set aside")
    options = parser.parse_args()
    databases, name = find_databases(), f"before_{options.name}"
    if options.back:
        put_back(databases, name, UNFINISHED)
        return 0
    return migrate(databases, name, not options.no_backup)


if __name__ == "__main__":
    sys.exit(main())
