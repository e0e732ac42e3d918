"""Where a token stands: sinusoidal table, learned table, rotation of queries and keys.

Covers absolute positions added to embeddings (sinusoidal, learned) and relative ones inside attention (rotary), in
float64, differentiable. Not covered: relative biases (T5, ALiBi), stretched rotary frequencies (linear, NTK, YaRN),
positions of images in two dimensions.

One letter per dimension, the same in every signature: B batch (any leading dimensions), T positions, N rows of a table,
D model width, d width of a query and of a key.
"""

from reference.positional.learned import learned
from reference.positional.rotary import rotary
from reference.positional.sinusoidal import sinusoidal

__all__ = ["learned", "rotary", "sinusoidal"]
