"""Which parameters of a model train. Not covered: how many they are (`reference.transformer.count_parameters`)."""

import re

from torch import nn

from reference.checked import checked


@checked
def train_only(model: nn.Module, pattern: str) -> list[str]:
    """Let the parameters train whose name matches, and freeze all others; ".*" is full fine-tuning.

    A name matches as a whole: "head" does not match "head.weight", "head\\..*" does. A parameter that the model holds
    under several names (tied weights) trains when one of them matches. Buffers, such as the running statistics of
    batch normalisation, are no parameters: only evaluation mode keeps those.

    Source: Howard and Ruder 2018 (arXiv:1801.06146), section 3.3 (unfreezing by layers).
    Departs from it: what trains is chosen once, by name, not layer after layer.

    Args:
        model: changed in place, `requires_grad` only.
        pattern: a regular expression.
    Returns:
        Names of the parameters that train, in the model's order, tied ones once.
    Raises:
        ValueError: the pattern is no regular expression, or matches nothing, or a parameter of integers, which cannot
            train; nothing has changed then.

    Cost: O(P) for P parameter tensors.

    >>> model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    >>> train_only(model, r"1\\..*")
    ['1.weight', '1.bias']
    >>> model[0].weight.requires_grad
    False
    """
    name_of = compiled(pattern)
    wanted = [
        parameter for name, parameter in model.named_parameters(remove_duplicate=False) if name_of.fullmatch(name)
    ]
    if not wanted:
        raise ValueError(f"pattern: expected a match among the model's parameters, got none for {pattern!r}")
    for parameter in wanted:
        if not (parameter.is_floating_point() or parameter.is_complex()):
            raise ValueError(f"pattern: expected parameters that can train, got one of {parameter.dtype}")
    model.requires_grad_(False)
    for parameter in wanted:
        parameter.requires_grad_(True)
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression, or a ValueError that says what is wrong with it."""
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"pattern: expected a regular expression, got {pattern[:80]!r} ({error})") from error
