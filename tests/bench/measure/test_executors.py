from itertools import pairwise

import pytest

from bench.measure.executors import Cluster, simulate


def test_a_simulated_cluster_obeys_what_can_be_computed_by_hand() -> None:
    alike = Cluster(trials=100, slots=10, seconds=6, spread=0, start=0, added=0, driver=0)
    assert simulate(alike).seconds == pytest.approx(60)
    assert simulate(alike).efficiency == pytest.approx(1)
    late = Cluster(trials=100, slots=10, seconds=6, spread=0, start=5, added=0.5, driver=0)
    assert simulate(late).seconds == pytest.approx(5 + 10 * 6.5)
    # A runner that needs longer for a trial than all slots together is what everybody waits for.
    slow = Cluster(trials=1000, slots=10, seconds=1, spread=0, start=0, added=0, driver=1)
    assert simulate(slow).seconds == pytest.approx(1000, rel=0.03)
    assert simulate(Cluster(trials=3, slots=10, seconds=6, spread=0, start=0, added=0, driver=0)).seconds == 6


def test_a_simulated_cluster_gains_from_slots_and_loses_by_overhead() -> None:
    times = [simulate(Cluster(trials=500, slots=slots)).seconds for slots in (1, 10, 100)]
    assert all(before > after for before, after in pairwise(times))
    lossy = [simulate(Cluster(trials=500, slots=50, added=added)).efficiency for added in (0.0, 1.0, 10.0)]
    assert all(before > after for before, after in pairwise(lossy))
    assert all(0 < share < 1 for share in lossy)
