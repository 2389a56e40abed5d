"""What Alembic runs to change the tables: over the connection that `store.py` gives it, in its transaction."""

from __future__ import annotations

from alembic import context


def migrate() -> None:
    """Runs the changes that are still to be made."""
    context.configure(connection=context.config.attributes["connection"])
    context.run_migrations()


if __name__ == "env_py":  # as Alembic calls it; a test that imports it has nothing to migrate
    migrate()
