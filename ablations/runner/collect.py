"""What a run of a study left: its records, as tables."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablations.records.record import Record
from ablations.records.store import Store

if TYPE_CHECKING:
    import pandas as pd
from ablations.runner.plan import Plan, records_of

__all__ = ["Collected", "collect"]


@dataclass(frozen=True)
class Collected:
    """What a run of a study left.

    Attributes:
        store: the results folder.
        records: one a trial, in the study's order, then those skipped; trials that were not reached have none.
        trained: how many were trained now.
        table: one row a trial.
        summary: one row a configuration.
        plan: what was planned.
    """

    store: Store
    records: Sequence[Record]
    trained: int
    table: "pd.DataFrame"
    summary: "pd.DataFrame"
    plan: Plan

    @property
    def missing(self) -> int:
        """How many trials of the plan have no record, since nobody has begun them."""
        return len(self.plan.trials) + len(self.plan.skipped) - len(self.records)

    @property
    def failed(self) -> list[Record]:
        """The trials that were tried to their end and are not done."""
        return [record for record in self.records if record.failed]


def collect(store: Store, plan: Plan, trained: int = 0, running: Collection[str] = ()) -> Collected:
    """Read the records of a study's trials and write the tables; `running` are trained by somebody just now."""
    from ablations.records import tables  # pandas, which a plan can do without

    records = records_of(store, plan, running)
    table = tables.table(records, plan.stale)
    summary = tables.summary(table, [axis for axis in _columns(plan) if axis != "seed"])
    if records:
        paths = {"table_csv": store.table_csv, "table_parquet": store.table_parquet, "summary_csv": store.summary_csv}
        tables.write(table, summary, paths)
    return Collected(store, records, trained, table, summary, plan)


def _columns(plan: Plan) -> list[str]:
    return list(plan.trials[0].axes) if plan.trials else []
