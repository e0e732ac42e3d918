"""An image as a row of vectors: cut into square patches. Not covered: overlapping patches, resizing, padding."""

from jaxtyping import Float64
from torch import Tensor

from reference.checked import checked
from reference.values import finite


@checked
def image_patches(images: Float64[Tensor, "B C H W"], patch_size: int) -> Float64[Tensor, "B N P"]:
    """Cut images into squares and write each as one vector.

    Patches come row by row, from the top left; entries of a patch channel by channel, each row by row. So
    N = H/p · W/p and P = C·p², and a linear map of the patches is a convolution of width and stride p. An image with
    H = 0 or W = 0 has no patches.

    Source: Dosovitskiy et al. 2021 (arXiv:2010.11929), section 3.1.
    Departs from it: channels come first in a patch, as in torch's convolutions.

    Args:
        images: channels, rows, columns.
        patch_size: p, the side of a patch, a divisor of H and W.
    Raises:
        ValueError: `patch_size` is below 1 or does not divide H or W, or an entry is not finite.

    Cost: O(B·C·H·W).

    >>> import torch
    >>> image = torch.arange(8, dtype=torch.float64, device="cpu").reshape(1, 1, 2, 4)
    >>> image_patches(image, 2).tolist()
    [[[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]]]
    """
    batch, channels, height, width = images.shape
    if patch_size < 1 or height % patch_size or width % patch_size:
        raise ValueError(f"patch_size: expected a divisor of H = {height} and W = {width}, got {patch_size}")
    finite("images", images)
    rows, columns = height // patch_size, width // patch_size
    squares = images.reshape(batch, channels, rows, patch_size, columns, patch_size)
    patches = squares.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)  # (B, rows, columns, C, p, p) to (B, N, P)
    return patches.clone()  # of one patch, or of patches of one pixel, it would be a view of the images
