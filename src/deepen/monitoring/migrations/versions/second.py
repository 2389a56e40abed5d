"""An index for the answers of one model: `deepen watch` reads those, and a log may hold many models'."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes it."""
    op.create_index("predictions_model_at", "predictions", ["model", "at"])


def downgrade() -> None:
    """Drops it."""
    op.drop_index("predictions_model_at")
