"""int8 rows against torch's quantisation, and error bounds on whatever Hypothesis finds."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from reference.finetuning import dequantise, int8_linear, integer_product, product_error_bound, quantise

ROUNDING = 1 + 2.0**-45  # w / scale is at most 127 and rounded once, scale · q once more: 127 · 2⁻⁵² and 2⁻⁵³
property_test = settings(derandomize=True, deadline=None, max_examples=80)
any_float = st.floats(-1e300, 1e300)
tables = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=5), elements=any_float)
ordinary = st.floats(-100, 100, allow_subnormal=False)


def small_integers(generator, *shape):
    return torch.randint(-127, 128, shape, generator=generator, dtype=torch.int8)


def test_it_is_torchs_fake_quantisation(generator, proof) -> None:
    weights = torch.randn((4, 9), generator=generator, dtype=torch.float64).clamp(-0.9, 0.9)
    scales = torch.tensor([2.0**-7, 2.0**-6, 0.5, 3.0])  # exact in torch's float32, and 127 of them the row's largest
    weights[:, 3] = torch.tensor([1, -1, 1, -1]) * 127 * scales
    ours = quantise(weights)
    assert torch.equal(ours[1], scales.double())
    theirs = torch.fake_quantize_per_channel_affine(weights, scales, torch.zeros(4, dtype=torch.int32), 0, -127, 127)
    authority = "torch.fake_quantize_per_channel_affine"
    proof(quantise, authority).close(dequantise(*ours), theirs, within=0.0)
    proof(dequantise, authority).close(dequantise(*ours), theirs, within=0.0)


def test_scales_are_those_of_torchs_observer(generator, proof) -> None:
    weights = torch.randn((6, 9), generator=generator)
    observer = torch.ao.quantization.PerChannelMinMaxObserver(
        dtype=torch.qint8, qscheme=torch.per_channel_symmetric, quant_min=-127, quant_max=127, eps=0.0
    )
    observer(weights)
    scales, zero_points = observer.calculate_qparams()
    assert not zero_points.any()
    # the observer divides in float32: half a unit in the last place of that
    proof(quantise, "torch PerChannelMinMaxObserver").close(quantise(weights.double())[1], scales, within=2.0**-24)


@property_test
@given(tables)
def test_no_weight_is_off_by_more_than_half_a_scale(rows) -> None:
    weights = torch.from_numpy(rows)
    integers, scales = quantise(weights)
    assert (scales > 0).all()
    assert (integers >= -127).all()
    errors = (weights - dequantise(integers, scales)).abs()
    assert (errors <= scales[:, None] / 2 * ROUNDING).all()
    largest = weights.abs().max(dim=-1).values if rows.size else scales[:0]
    assert all(127 in row for row in integers[: len(largest)][largest > 1e-300].abs().tolist())


@property_test
@given(tables)
def test_each_integer_is_the_nearest_by_exact_arithmetic(rows) -> None:
    integers, scales = quantise(torch.from_numpy(rows))
    for row, scale, found in zip(rows.tolist(), scales.tolist(), integers.tolist(), strict=True):
        for weight, integer in zip(row, found, strict=True):
            distance = abs(Fraction(weight) / Fraction(scale) - integer)
            assert distance <= Fraction(1, 2) + Fraction(1, 2**45)


def test_quantising_by_loops(generator, proof) -> None:
    weights = torch.randn((3, 5), generator=generator, dtype=torch.float64)
    expected, steps = [], []
    for row in weights.tolist():
        steps.append(max(abs(w) for w in row) / 127)
        expected.append([round(w / steps[-1]) for w in row])  # Python rounds halves to even
    integers, scales = quantise(weights)
    proof(quantise, "brute force").equal(integers.tolist(), expected)
    proof(quantise, "brute force").close(scales, steps, within=0.0)
    found = [[step * q for q in row] for step, row in zip(steps, expected, strict=True)]
    proof(dequantise, "brute force").close(dequantise(integers, scales), found, within=0.0)


@property_test
@given(st.data(), st.integers(0, 6), st.integers(1, 4), st.integers(1, 3))
def test_no_product_is_off_by_more_than_its_bound(proof_data, d, k, n) -> None:
    weights = torch.from_numpy(proof_data.draw(arrays(np.float64, (k, d), elements=ordinary)))
    x = torch.from_numpy(proof_data.draw(arrays(np.float64, (n, d), elements=ordinary)))
    integers, scales = quantise(weights)
    errors = (x @ weights.T - int8_linear(x, integers, scales)).abs()
    rounding = 1e-14 * (x.abs() @ weights.abs().T)  # of the two products themselves: a few units of d · 2⁻⁵³
    assert (errors <= product_error_bound(x, scales) * ROUNDING + rounding).all()


def test_the_bound_of_a_product_is_reached(proof) -> None:
    weights = torch.tensor([[127.0, 0.5, -0.5], [127.0, 2.5, 4.5]], dtype=torch.float64)  # scale 1, halves to even
    x = torch.tensor([[0.0, 2.0, -3.0], [0.0, 1.0, 1.0]], dtype=torch.float64)
    integers, scales = quantise(weights)
    errors = (x @ weights.T - int8_linear(x, integers, scales)).abs()
    bounds = product_error_bound(x, scales)
    proof(product_error_bound, "brute force: weights half a step off").close(errors[0, 0], bounds[0, 0], within=0.0)
    proof(product_error_bound, "brute force: weights half a step off").close(errors[1, 1], bounds[1, 1], within=0.0)
    assert bounds.tolist() == [[2.5, 2.5], [1.0, 1.0]]


def test_the_bound_by_loops(generator, proof) -> None:
    x, scales = torch.randn((3, 4), generator=generator, dtype=torch.float64), torch.tensor([0.5, 2.0]).double()
    expected = [[sum(abs(one) for one in row) * scale / 2 for scale in scales.tolist()] for row in x.tolist()]
    proof(product_error_bound, "brute force").close(product_error_bound(x, scales), expected, within=1e-15)


@pytest.mark.parametrize(("n", "d", "k"), [(1, 1, 1), (3, 16, 2), (2, 0, 3), (0, 4, 2), (2, 3, 0)])
def test_a_linear_layer_of_integers(n, d, k, generator, proof) -> None:
    x, integers = torch.randn((n, d), generator=generator, dtype=torch.float64), small_integers(generator, k, d)
    scales = torch.rand(k, generator=generator, dtype=torch.float64) + 0.1
    theirs = torch.nn.functional.linear(x, dequantise(integers, scales))
    # d terms of at most 127: d · 127 · 2⁻⁵³ each way
    proof(int8_linear, "torch.nn.functional.linear").close(int8_linear(x, integers, scales), theirs, within=1e-13)


def test_products_of_integers_are_exact(generator, proof) -> None:
    x, weights = small_integers(generator, 32, 64), small_integers(generator, 8, 64)
    ours = integer_product(x, weights)
    proof(integer_product, "torch._int_mm").equal(ours.tolist(), torch._int_mm(x, weights.T).tolist())
    proof(integer_product, "int64 product").equal(ours.tolist(), (x.long() @ weights.long().T).tolist())


def test_sums_that_32_bits_do_not_hold(proof) -> None:
    ones = torch.full((1, 140_000), 127, dtype=torch.int8)
    proof(integer_product, "int64 product").equal(integer_product(ones, ones).item(), 140_000 * 127 * 127)
    assert 133_144 * 127 * 127 < 2**31 <= 133_145 * 127 * 127


def test_quantised_inputs_and_weights_multiply_as_if_dequantised(generator, proof) -> None:
    x, weights = torch.randn((2, 4, 24), generator=generator, dtype=torch.float64)
    (x8, x_scales), (w8, w_scales) = quantise(x), quantise(weights)
    ours = integer_product(x8, w8) * x_scales[:, None] * w_scales
    theirs = dequantise(x8, x_scales) @ dequantise(w8, w_scales).T
    proof(integer_product, "product of the dequantised").close(ours, theirs, within=1e-14)


def test_rows_of_zeros_empty_rows_and_no_rows() -> None:
    integers, scales = quantise(torch.tensor([[0.0, -0.0], [1.27, 0.0]], dtype=torch.float64))
    assert integers.tolist() == [[0, 0], [127, 0]]
    assert scales.tolist() == [1.0, 0.01]
    assert quantise(torch.zeros(2, 0, dtype=torch.float64))[1].tolist() == [1.0, 1.0]
    assert [one.numel() for one in quantise(torch.zeros(0, 3, dtype=torch.float64))] == [0, 0]


@pytest.mark.parametrize("size", [5e-324, 190 * 5e-324, 1e-310, 127 * 2.0**-1023])
def test_rows_too_small_for_a_scale_are_zeros(size) -> None:
    integers, scales = quantise(torch.tensor([[size, -size]], dtype=torch.float64))
    assert integers.tolist() == [[0, 0]]
    assert scales.tolist() == [1.0]


def test_the_smallest_row_that_has_a_scale_and_the_largest() -> None:
    for size in (127 * 2.0**-1022, 1.7976931348623157e308):
        integers, scales = quantise(torch.tensor([[size, -size, size / 4]], dtype=torch.float64))
        assert integers.tolist() == [[127, -127, 32]]
        assert scales.item() == size / 127


def test_halves_go_to_the_even_integer() -> None:
    weights = torch.tensor([[127.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5]], dtype=torch.float64)
    assert quantise(weights)[0].tolist() == [[127, 0, 2, 2, 0, -2, -2]]


ONE = torch.ones(1, 1, dtype=torch.float64)
EIGHT = torch.ones(1, 1, dtype=torch.int8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantise(ONE * math.nan), "weights: expected finite values, got nan"),
        (lambda: quantise(ONE * math.inf), "weights: expected finite values, got inf"),
        (lambda: dequantise(EIGHT * -128, ONE[0]), "integers: expected integers from -127 to 127, got -128"),
        (lambda: dequantise(EIGHT, ONE[0] * 0), "scales: expected numbers above 0, got 0"),
        (lambda: dequantise(EIGHT, ONE[0] * -1), "scales: expected numbers above 0, got -1"),
        (lambda: dequantise(EIGHT, ONE[0] * math.nan), "scales: expected finite values, got nan"),
        (lambda: int8_linear(ONE * math.nan, EIGHT, ONE[0]), "x: expected finite values, got nan"),
        (lambda: int8_linear(ONE, EIGHT * -128, ONE[0]), "integers: expected integers from -127 to 127, got -128"),
        (lambda: product_error_bound(ONE * math.inf, ONE[0]), "x: expected finite values, got inf"),
        (lambda: product_error_bound(ONE, ONE[0] * 0), "scales: expected numbers above 0, got 0"),
        (lambda: integer_product(EIGHT * -128, EIGHT), "x: expected integers from -127 to 127, got -128"),
        (lambda: integer_product(EIGHT, EIGHT * -128), "weights: expected integers from -127 to 127, got -128"),
    ],
)
def test_bad_values(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_bad_types() -> None:
    with pytest.raises(TypeError):
        quantise(torch.zeros(2, 2))
    with pytest.raises(TypeError):
        dequantise(EIGHT, torch.ones(2, dtype=torch.float64))
    with pytest.raises(TypeError):
        integer_product(EIGHT, torch.ones(1, 2, dtype=torch.int8))


@pytest.mark.gpu
def test_quantisation_on_gpu(generator) -> None:
    x, weights = torch.randn((2, 8, 24), generator=generator, dtype=torch.float64)
    integers, scales = quantise(weights)
    there = quantise(weights.cuda())
    assert torch.equal(there[0].cpu(), integers)
    assert torch.equal(there[1].cpu(), scales)
    torch.testing.assert_close(
        int8_linear(x.cuda(), *there).cpu(), int8_linear(x, integers, scales), rtol=0, atol=1e-13
    )
    assert torch.equal(integer_product(there[0], there[0]).cpu(), integer_product(integers, integers))
