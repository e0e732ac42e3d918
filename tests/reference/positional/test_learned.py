"""The learned table against torch's embedding, forward and backward, and its rules at the edges."""

import pytest
import torch

from reference.positional import learned


@pytest.fixture
def table(generator) -> torch.Tensor:
    return torch.randn(5, 3, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("positions", [[], [0], [4, 0, 4, 4], [[0, 1], [2, 3]], [[[1]]], [[], []]], ids=str)
def test_rows_and_gradients_equal_torch(positions, table, proof) -> None:
    ids = torch.tensor(positions, dtype=torch.int64)
    ours, theirs = (table.clone().requires_grad_() for _ in range(2))
    vectors, expected = learned(ours, ids), torch.nn.functional.embedding(ids, theirs)
    proof(learned, "torch.nn.Embedding").close(vectors, expected, within=0.0)
    vectors.square().sum().backward()
    expected.square().sum().backward()
    proof(learned, "torch.nn.Embedding").close(ours.grad, theirs.grad, within=1e-15)


def test_gradients_equal_finite_differences(table) -> None:
    positions = torch.tensor([[0, 2], [2, 4]])
    assert torch.autograd.gradcheck(lambda rows: learned(rows, positions), table.requires_grad_())


@pytest.mark.parametrize("wrong", [5, 6, -1, -5, 2**62])
def test_a_position_that_is_not_in_the_table_is_refused(wrong, table) -> None:
    with pytest.raises(ValueError, match=f"positions: expected 0 or more and less than N = 5, got {wrong}$"):
        learned(table, torch.tensor([[0, 4], [1, wrong]]))


def test_an_empty_table_has_no_position() -> None:
    table = torch.zeros(0, 3, dtype=torch.float64)
    assert learned(table, torch.zeros(2, 0, dtype=torch.int64)).shape == (2, 0, 3)
    with pytest.raises(ValueError, match="less than N = 0, got 0"):
        learned(table, torch.tensor([0]))


def test_wrong_types_are_refused(table) -> None:
    for positions in (torch.tensor([0.0]), torch.tensor(0), torch.tensor([True]), [0]):
        with pytest.raises(TypeError):
            learned(table, positions)


@pytest.mark.gpu
def test_a_gpu_gives_the_same(table) -> None:
    positions = torch.tensor([3, 0, 3])
    assert torch.equal(learned(table.cuda(), positions.cuda()).cpu(), learned(table, positions))
