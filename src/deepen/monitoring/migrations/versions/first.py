"""The table of answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes it, with an index for what is read and forgotten by its time."""
    names = ("who", "run", "model", "rung", "input_hash", "answer")
    op.create_table(
        "predictions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("at", sa.Float(53), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in names),
        sa.Column("text", sa.Text),
    )
    op.create_index("predictions_at", "predictions", ["at"])


def downgrade() -> None:
    """Drops it."""
    op.drop_table("predictions")
