"""Training the perceptron on first names by minibatches, with early stopping. Not covered: momentum, weight decay."""

import math
from dataclasses import asdict

import numpy as np
import torch
from jaxtyping import Float64

from reference.checked import checked
from reference.first_names.examples import context_windows
from reference.neural_lm import BengioWeights, bengio_logits, bengio_step, initial_bengio_weights
from reference.neural_lm.cross_entropy import cross_entropy_and_gradient
from reference.ngram import ALPHABET
from reference.values import at_least

N_CONTEXT = 3  # symbols
WIDTH = 10  # of an embedding
N_HIDDEN = 64
N_STEPS = 1000
BATCH = 128  # examples
LEARNING_RATE = 1.0
LATE, LATE_FACTOR = 0.7, 0.1  # the learning rate is a tenth in the last three tenths: the noise of the batches settles
LOOK_EVERY = 50  # steps between two looks at the validation names


@checked
def train_mlp(train: list[str], validation: list[str], seed: int) -> dict[str, Float64[np.ndarray, "..."]]:
    """Train the perceptron on the names `train`; of all looks at `validation`, keep the parameters that did best.

    Each step draws BATCH examples with replacement and goes down their mean loss. Looks are taken before the first step
    and after every LOOK_EVERY; of equals, the earlier.

    Source: Bengio et al. 2003 (Journal of Machine Learning Research 3, 1137-1155), section 3.1, for early stopping on a
    validation set.
    Departs from it: minibatches; the learning rate falls once.

    Args:
        train: first names, one or more.
        validation: other first names, one or more.
        seed: 0 or more; draws the first parameters and the batches.
    Returns:
        Parameters as `mlp_logits` takes them, for contexts of N_CONTEXT symbols.
    Raises:
        ValueError: there is no name to learn from or to validate with, a name holds a symbol that is not in the
            alphabet, or `seed` is negative.

    Cost: O(N_STEPS·(BATCH + names of `validation` / LOOK_EVERY)·(h·n·m + V·h)); 1 s.

    >>> parameters = train_mlp(["anna", "léa"], ["anaïs"], 1)
    >>> {name: array.shape for name, array in parameters.items()}
    {'C': (40, 10), 'H': (64, 30), 'd': (64,), 'U': (40, 64), 'b': (40,)}
    """
    for name, value in {"names to train with": len(train), "names to validate with": len(validation)}.items():
        at_least(name, value, 1)
    at_least("seed", seed, 0)
    contexts, targets = (torch.from_numpy(array) for array in context_windows(train, N_CONTEXT))
    unseen, ends = (torch.from_numpy(array) for array in context_windows(validation, N_CONTEXT))
    generator = torch.Generator().manual_seed(seed)
    weights = initial_bengio_weights(
        n_tokens=len(ALPHABET), n_context=N_CONTEXT, width=WIDTH, n_hidden=N_HIDDEN, direct=False, generator=generator
    )
    best, smallest = weights, math.inf
    for step in range(N_STEPS + 1):
        if step % LOOK_EVERY == 0:
            loss = cross_entropy_and_gradient(bengio_logits(weights, unseen), ends)[0].item()
            best, smallest = (weights, loss) if loss < smallest else (best, smallest)
        drawn = torch.randint(len(targets), (BATCH,), generator=generator, device="cpu")
        learning_rate = LEARNING_RATE * (LATE_FACTOR if step >= LATE * N_STEPS else 1)
        _, weights = bengio_step(weights, contexts[drawn], targets[drawn], learning_rate=learning_rate)
    return _arrays(best)


def _arrays(weights: BengioWeights) -> dict[str, Float64[np.ndarray, "..."]]:
    return {name: tensor.numpy() for name, tensor in asdict(weights).items() if tensor is not None}
