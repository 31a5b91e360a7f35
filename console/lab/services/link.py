"""A connection to the federation's database that is opened again when it was lost or refused."""

from __future__ import annotations

from typing import LiteralString

import psycopg

from console.lab.services.say import say


class Link:
    """One connection, as the libpq environment variables say (PGHOST, PGPORT, PGUSER, ...)."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def ask(self, sql: LiteralString, *values: object) -> object | None:
        """The first value that the statement gives; None when it gives none or the database does not answer."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(autocommit=True, connect_timeout=2)
            cursor = self._connection.execute(sql, values)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None
        except psycopg.Error as error:
            say("database:", " ".join(str(error).split()))
            if self._connection:
                self._connection.close()
            self._connection = None
            return None
