"""Ready-made code of a library that would do the exercise under another name: each assignment's policy names it."""

import pytest

from harness.course import Course
from harness.intake.parse import parse_cells
from harness.intake.policy import violations
from harness.records import Cell

SHORTCUTS = {
    "attention": [
        "import torch._refs\nw = torch._refs.softmax(x, -1)",
        "from torch._decomp.decompositions import _softmax",
    ],
    "finetuning": [
        "import torch\nloss = torch._C._nn.cross_entropy_loss(x, t)",
        "import torch\nloss = torch._C._nn.nll_loss_nd(x, t)",
        "import torch\nloss = torch._VF.kl_div(x, y)",
        "import torch\nloss = torch._C._VariableFunctions.kl_div(x, y)",
        "from torch._refs.nn import functional as F\nloss = F.nll_loss(x, t)",
    ],
    "transformer": [
        "from torch.nn import functional as F\ny = F.group_norm(x, 1, w, b, eps)",  # one group: LayerNorm
        "import torch\ny = torch.nn.GroupNorm(1, 4)(x)",
        "import torch\ny = torch.group_norm(x, 1, w, b, eps)",
        "import torch.nn.functional as F\ny = F.batch_norm(x.T, None, None, training=True).T",  # of columns
        "import torch.nn.functional as F\ny = F.instance_norm(x[None])[0]",
        "import torch\ny = torch._fused_rms_norm(x, [4], w, eps)[0]",
        "import torch\ny = torch._VF.layer_norm(x, [4], w, b, eps)",
        "import torch\ny = torch._C._nn.silu(x)",
        "import torch._refs.nn.functional as F\ny = F.gelu(x)",
    ],
}
CASES = [(slug, source) for slug, sources in SHORTCUTS.items() for source in sources]


@pytest.mark.parametrize(("slug", "source"), CASES)
def test_the_policy_names_the_shortcut(course: Course, slug: str, source: str) -> None:
    parsed, failures = parse_cells([Cell(0, "c0", source)])
    assert not failures
    assert violations(parsed, {}, course.assignment(slug).file.policy.forbidden)
