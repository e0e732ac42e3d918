"""ViT and its patches against transformers and torch's convolution; and their rules at the edges."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, cross_entropy

from reference.transformer import ViT, ViTConfig, image_patches

CONFIG = ViTConfig(
    image_size=8, patch_size=4, n_channels=3, n_classes=5, width=12, n_layers=2, n_heads=3, inner_width=20
)
AGAINST = "transformers ViTForImageClassification"
LOGITS = 1e-10  # as for GPT-2


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"patch_size": 8},
        {"patch_size": 1, "image_size": 3},
        {"n_channels": 1, "n_classes": 1},
        {"n_heads": 1, "n_layers": 1, "epsilon": 1e-6},
        {"image_size": 12},
    ],
    ids=str,
)
def test_logits(twins, normal, proof, changes):
    config = replace(CONFIG, **changes)
    pair = twins(config)
    images = normal(3, config.n_channels, config.image_size, config.image_size)
    proof(ViT, AGAINST).close(pair.ours(images), pair.theirs(images).logits, within=LOGITS)


def test_gradients(twins, normal, proof):
    pair, images, classes = twins(CONFIG), normal(3, 3, 8, 8), torch.tensor([0, 4, 1])
    cross_entropy(pair.ours(images), classes).backward()
    cross_entropy(pair.theirs(images).logits, classes).backward()
    ours, theirs = pair.our_gradients(), pair.their_gradients()
    assert ours.keys() == theirs.keys()
    for name in ours:
        proof(ViT, f"{AGAINST}, gradients").close(ours[name], theirs[name], within=LOGITS)


def test_hidden_is_what_their_body_gives(twins, normal, proof):
    pair, images = twins(CONFIG), normal(2, 3, 8, 8)
    theirs = pair.theirs.vit(images).last_hidden_state
    proof(ViT, "transformers ViTModel").close(pair.ours.hidden(images), theirs, within=LOGITS)


@pytest.mark.parametrize(
    ("channels", "height", "width", "patch"), [(1, 2, 6, 2), (3, 6, 4, 2), (2, 5, 5, 5), (2, 3, 4, 1)]
)
def test_patches_by_a_linear_map_are_a_convolution(normal, proof, channels, height, width, patch):
    images, kernel = normal(2, channels, height, width), normal(7, channels, patch, patch)
    theirs = conv2d(images, kernel, stride=patch).flatten(2).transpose(1, 2)
    proof(image_patches, "torch conv2d").close(image_patches(images, patch) @ kernel.flatten(1).T, theirs, within=1e-13)


def test_patches_are_torchs(normal, proof):
    images = normal(2, 3, 6, 4)
    proof(image_patches, "torch.nn.Unfold").equal(
        image_patches(images, 2).tolist(), nn.Unfold(2, stride=2)(images).transpose(1, 2).tolist()
    )


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 3, 0, 4), (2, 3, 4, 0), (2, 0, 4, 4)])
def test_patches_of_nothing(shape):
    batch, channels, height, width = shape
    n_patches = height // 2 * (width // 2)
    assert image_patches(torch.zeros(shape, dtype=torch.float64), 2).shape == (batch, n_patches, channels * 4)


@pytest.mark.parametrize("patch_size", [0, -2, 3])
def test_patches_that_do_not_fit_are_refused(normal, patch_size):
    with pytest.raises(ValueError, match=f"patch_size: expected a divisor of H = 4 and W = 6, got {patch_size}"):
        image_patches(normal(1, 1, 4, 6), patch_size)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_images_that_are_not_finite_are_refused(normal, bad):
    images = normal(1, 3, 8, 8)
    images[0, 2, 7, 7] = bad
    with pytest.raises(ValueError, match=f"images: expected finite values, got {bad}"):
        image_patches(images, 4)


def test_no_images_no_logits(generator):
    assert ViT(CONFIG, generator=generator)(torch.zeros(0, 3, 8, 8, dtype=torch.float64)).shape == (0, 5)


@pytest.mark.parametrize("shape", [(1, 3, 8, 4), (1, 1, 8, 8), (1, 3, 4, 4)])
def test_images_of_another_shape_are_refused(generator, normal, shape):
    with pytest.raises(ValueError, match=r"images: expected shape \(B, 3, 8, 8\), got"):
        ViT(CONFIG, generator=generator)(normal(*shape))


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="n_heads: expected a divisor of width = 12, got 7"):
        replace(CONFIG, n_heads=7)
    with pytest.raises(ValueError, match="patch_size: expected a divisor of image_size = 8, got 16"):
        replace(CONFIG, patch_size=16)


@pytest.mark.parametrize("patch_size", [1, 2, 4])
def test_patches_are_no_view_of_the_image(normal, patch_size):
    image = normal(1, 1, 4, 4)
    before = image.clone()
    image_patches(image, patch_size).zero_()
    assert torch.equal(image, before)
