from bench.cases.training import SHAPES
from bench.measure.operations import BETWEEN, _kind, as_markdown, measure


def test_a_step_is_the_sum_of_its_operations_and_what_lies_between() -> None:
    seconds = measure("conv", SHAPES["digits"], 2)
    assert all(value >= 0 for value in seconds.values())
    for name in ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter", "MatMul", BETWEEN):
        assert [found for found in seconds if name in found], seconds
    assert sum(seconds.values()) > 1e-4


def test_kernels_of_one_operation_are_one_row() -> None:
    assert _kind("a/b:_MklNativeConv2D") == _kind("c:Conv2D") == "Conv2D"
    assert _kind("a/b:_FusedMatMul") == _kind("a/b:_MklNativeFusedMatMul") == "FusedMatMul"
    assert _kind("EagerLocalExecute: AssignVariableOp") == _kind("ExecutorState::Process") == ""


def test_the_table_puts_products_against_their_arithmetic() -> None:
    page = as_markdown({"Conv2D": 0.02, "MatMul": 0.01, BETWEEN: 0.01}, 3e9)
    assert "| Conv2D | 20.00 | 50% |" in page
    assert "take 75% of the step: 3.0 GFLOP at 100 GFLOP/s" in page
