"""What tables share. Times are event or wall time in microseconds UTC; documents are JSON."""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

# 64 bits everywhere but in SQLite's automatic keys, which have to be called INTEGER.
Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.BigInteger


def model_column() -> sa.Column[int]:
    """The model that a row is of."""
    return sa.Column("model_id", sa.ForeignKey("models.id"), nullable=False)
