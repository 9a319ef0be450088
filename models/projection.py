"""The projections' epoch: bumped by a restore, so that views of the lost time never win."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class ProjectionEpoch(Base):
    """The one row that holds the epoch."""

    __tablename__ = "projection_epoch"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[int]
