"""ViT: an encoder of pre-norm blocks over the patches of an image, and a head that classifies it.

Covers logits of the classes and hidden states, for images of one size. Not covered: dropout, other image sizes
(interpolated positions), masked images.
"""

from dataclasses import dataclass

import torch
from beartype import beartype
from jaxtyping import Float64, jaxtyped
from torch import Tensor, nn

from reference.checked import checked
from reference.transformer.activations import gelu
from reference.transformer.assembly import layer_norm_of, self_block
from reference.transformer.blocks import PreNormBlock
from reference.transformer.initial import embedding, linear, vector
from reference.transformer.patches import image_patches
from reference.transformer.rules import divisor, sizes


@jaxtyped(typechecker=beartype)
@dataclass(frozen=True, kw_only=True)
class ViTConfig:
    """The sizes of a ViT.

    Source: Dosovitskiy et al. 2021 (arXiv:2010.11929), section 3.1.

    Args:
        image_size: rows and columns of the square images.
        patch_size: p, the side of a patch, a divisor of `image_size`.
        n_channels: C, of a pixel.
        n_classes: K.
        width: D.
        n_layers: L, blocks.
        n_heads: H, a divisor of D.
        inner_width: F, of the feed-forward layers; 4·D in ViT.
        epsilon: of every LayerNorm.
    Raises:
        ValueError: a size is below 1, `patch_size` does not divide `image_size`, `n_heads` does not divide `width`, or
            `epsilon` is not above 0.

    >>> sizes = dict(n_channels=3, n_classes=5, width=6, n_layers=1, n_heads=3, inner_width=24)
    >>> ViTConfig(image_size=8, patch_size=3, **sizes)
    Traceback (most recent call last):
    ValueError: patch_size: expected a divisor of image_size = 8, got 3
    """

    image_size: int
    patch_size: int
    n_channels: int
    n_classes: int
    width: int
    n_layers: int
    n_heads: int
    inner_width: int
    epsilon: float = 1e-12

    def __post_init__(self) -> None:
        sizes(self)
        divisor("patch_size", self.patch_size, "image_size", self.image_size)
        divisor("n_heads", self.n_heads, "width", self.width)


class ViT(nn.Module):
    """Read an image as a sequence of patches behind a class token, and classify it by what becomes of that token.

    x = [c; patches W + b] + P; x through L pre-norm blocks in which every position sees every other;
    logits = norm(x)_0 W_K + b_K.

    Source: Dosovitskiy et al. 2021 (arXiv:2010.11929), equations 1 to 4.
    Departs from it: the head is one projection, as in fine-tuning; the patches' projection has a bias; no dropout;
    every weight starts by the same rule.

    Args:
        config: the sizes.
        generator: draws all weights, see `reference.transformer.initial`; its device is where they are.

    >>> sizes = dict(n_channels=3, n_classes=5, width=6, n_layers=1, n_heads=3, inner_width=24)
    >>> model = ViT(ViTConfig(image_size=8, patch_size=4, **sizes), generator=torch.Generator().manual_seed(0))
    >>> model(torch.zeros(2, 3, 8, 8, dtype=torch.float64)).shape
    torch.Size([2, 5])
    """

    @checked
    def __init__(self, config: ViTConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        width = config.width
        n_patches = (config.image_size // config.patch_size) ** 2
        self.patch_proj = linear(config.n_channels * config.patch_size**2, width, bias=True, generator=generator)
        self.class_token = vector(width, generator=generator)
        self.position_embedding = embedding(n_patches + 1, width, generator=generator)
        self.blocks = nn.ModuleList(
            self_block(PreNormBlock, config, activation=gelu, generator=generator) for _ in range(config.n_layers)
        )
        self.final_norm = layer_norm_of(config, generator)
        self.class_head = linear(width, config.n_classes, bias=True, generator=generator)

    @checked
    def forward(self, images: Float64[Tensor, "B C H W"]) -> Float64[Tensor, "B K"]:
        """Give the logits of the classes.

        Args:
            images: channels, rows, columns, as the configuration says; B = 0: empty logits.
        Raises:
            ValueError: an image has another shape, or an entry, or a value on the way, is not finite.

        Cost: O(B·N·L·D·(D + F + N)) for N patches.

        >>> sizes = dict(n_channels=3, n_classes=5, width=6, n_layers=1, n_heads=3, inner_width=24)
        >>> model = ViT(ViTConfig(image_size=8, patch_size=4, **sizes), generator=torch.Generator().manual_seed(0))
        >>> model(torch.zeros(2, 3, 8, 4, dtype=torch.float64))
        Traceback (most recent call last):
        ValueError: images: expected shape (B, 3, 8, 8), got (2, 3, 8, 4)
        """
        return self.class_head(self.hidden(images)[:, 0])  # type: ignore[no-any-return]

    @checked
    def hidden(self, images: Float64[Tensor, "B C H W"]) -> Float64[Tensor, "B M D"]:
        """Give the last block's result, normalised: first the class token's, then the patches': M = N + 1.

        Args:
            images: as in `forward`.
        Raises:
            ValueError: as in `forward`.

        Cost: O(B·N·L·D·(D + F + N)) for N patches.

        >>> sizes = dict(n_channels=3, n_classes=5, width=6, n_layers=1, n_heads=3, inner_width=24)
        >>> model = ViT(ViTConfig(image_size=8, patch_size=4, **sizes), generator=torch.Generator().manual_seed(0))
        >>> model.hidden(torch.zeros(2, 3, 8, 8, dtype=torch.float64)).shape
        torch.Size([2, 5, 6])
        """
        config = self.config
        expected = (config.n_channels, config.image_size, config.image_size)
        if tuple(images.shape[1:]) != expected:
            raise ValueError(f"images: expected shape (B, {str(expected)[1:]}, got {tuple(images.shape)}")
        patches = self.patch_proj(image_patches(images, config.patch_size))  # (B, N, D)
        class_token = self.class_token.expand(len(images), 1, -1)  # (B, 1, D)
        x = torch.cat([class_token, patches], dim=1) + self.position_embedding.weight  # (B, N + 1, D)
        for block in self.blocks:
            x = block(x)
        return self.final_norm(x)  # type: ignore[no-any-return]
