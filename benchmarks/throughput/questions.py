"""The five questions, written once: each tool asks them in its own way, with inputs of the same kind and size.

bareme draws the inputs from the run's secret seed; nbgrader and Otter-Grader draw them in the test from a fixed one.
"""

from dataclasses import dataclass

SEED = 5  # of the inputs in tests that run beside the student's code
RTOL, ATOL = 1e-4, 1e-6  # of those tests: as generous as bareme's own tolerance for float32


@dataclass(frozen=True)
class Question:
    """One function that students write. Texts are Python: `rng` is a torch generator."""

    name: str
    arguments: str  # of a call: names that `draw` sets
    draw: str
    answer: str  # an expression: the right answer for these arguments

    @property
    def call(self) -> str:
        """The student's function, called."""
        return f"{self.name}({self.arguments})"

    def test(self) -> str:
        """Statements that raise AssertionError when the student's answer is wrong; `torch` is imported."""
        return (
            f"rng = torch.Generator().manual_seed({SEED})\n{self.draw}\n"
            f"assert torch.allclose({self.call}, {self.answer}, rtol={RTOL}, atol={ATOL})"
        )


QUESTIONS = (
    Question("softmax", "x", "x = torch.randn(6, 8, generator=rng)", "torch.softmax(x, dim=-1)"),
    Question("layer_norm", "x", "x = torch.randn(6, 8, generator=rng)", "torch.nn.functional.layer_norm(x, (8,))"),
    Question(
        "attention",
        "q, k, v",
        "q, k, v = torch.randn(3, 6, 8, generator=rng)",
        "torch.nn.functional.scaled_dot_product_attention(q, k, v)",
    ),
    Question(
        "cross_entropy",
        "logits, targets",
        "logits, targets = torch.randn(6, 8, generator=rng), torch.randint(8, (6,), generator=rng)",
        "torch.nn.functional.cross_entropy(logits, targets)",
    ),
    Question("top_k", "logits, k", "logits, k = torch.randn(32, generator=rng), 5", "torch.topk(logits, k).indices"),
)
