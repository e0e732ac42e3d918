"""A forbidden name is stopped at run time whatever it is called, and libraries go on working."""

import pytest

from harness.course import Policy
from harness.kernel import Call
from harness.records import Outcome

FORBIDDEN = (
    "colorsys",
    "xml.dom",
    "subprocess",
    "scipy",
)  # the third is loaded by the kernel itself, the last is absent
MODULES = {
    "plain": ("import colorsys", "colorsys"),
    "alias": ("import colorsys as c", "colorsys"),
    "from": ("from colorsys import rgb_to_hsv", "colorsys"),
    "importlib": ("import importlib\nimportlib.import_module('color' + 'sys')", "colorsys"),
    "importlib by name": ("from importlib import import_module as get\nget('colorsys')", "colorsys"),
    "dunder": ("__import__('colorsys')", "colorsys"),
    "builtins": ("import builtins\nvars(builtins)['__import' + '__']('colorsys')", "colorsys"),
    "exec": ("exec('import ' + 'colorsys')", "colorsys"),
    "eval": ("eval('__import__(\"colorsys\")')", "colorsys"),
    "compiled under a library's name": (
        "import json\nexec(compile('import colorsys', json.__file__, 'exec'), {'__name__': 'json'})",
        "colorsys",
    ),
    "thread": (
        "import threading\ncaught = []\ndef get():\n    try: import colorsys\n"
        "    except BaseException as e: caught.append(e)\n"
        "t = threading.Thread(target=get); t.start(); t.join()\nraise caught[0]",
        "colorsys",
    ),
    "except Exception": ("try:\n    import colorsys\nexcept Exception:\n    pass", "colorsys"),
    "except ImportError": ("try:\n    import scipy\nexcept ImportError:\n    scipy = None", "scipy"),
    "submodule": ("import xml.dom.minidom", "xml.dom"),
    "from parent": ("from xml import dom", "xml.dom"),
    "already loaded": ("import subprocess", "subprocess"),
    "already loaded, importlib": ("import importlib\nimportlib.import_module('subprocess')", "subprocess"),
    "absent": ("from scipy.special import softmax", "scipy"),
}


@pytest.fixture(scope="module")
def modules(run_once):
    execution = run_once(*(source for source, _ in MODULES.values()), policy=Policy(packages=(), forbidden=FORBIDDEN))
    return execution, dict(zip(MODULES, execution.cells, strict=True))


@pytest.mark.parametrize("name", MODULES)
def test_a_forbidden_module_is_stopped_and_told(modules, name):
    execution, cells = modules
    cell = cells[name]
    assert cell.outcome is Outcome.POLICY
    assert (cell.error.name, MODULES[name][1] in cell.error.message) == ("PolicyViolation", True)
    told = [notice for notice in execution.violations if notice.cell == cell.cell]
    assert [(notice.code, MODULES[name][1] in notice.text.fr) for notice in told] == [("forbidden", True)]


def test_a_violation_that_is_caught_is_told_all_the_same(run_once):
    source = "x = 1\ntry:\n    import colorsys\nexcept BaseException:\n    pass"
    execution = run_once(source, "y = 1", policy=Policy(packages=(), forbidden=("colorsys",)))
    assert [cell.outcome for cell in execution.cells] == [Outcome.PASSED] * 2
    [notice] = execution.violations
    assert (notice.cell, notice.line, notice.text.en) == (
        0,
        3,
        "colorsys is not allowed in this assignment: write it yourself, or do without it.",
    )


def test_libraries_may_use_what_students_may_not(run_once):
    execution = run_once("import tempfile, random, shutil", policy=Policy(packages=(), forbidden=("bisect", "bz2")))
    assert [cell.outcome for cell in execution.cells] == [Outcome.PASSED]
    assert execution.violations == ()


@pytest.mark.slow
def test_a_library_that_looks_for_what_is_forbidden_does_not_find_it(run_once):
    """As torch does for scikit-learn when the first optimiser is made; a notebook is right in using one."""
    source = "import torch\nstep = torch.optim.Adam(torch.nn.Linear(1, 1).parameters()).step"
    execution = run_once(source, policy=Policy(packages=("numpy", "torch"), forbidden=("sklearn", "nltk")))
    assert [cell.outcome for cell in execution.cells] == [Outcome.PASSED]
    assert execution.violations == ()


def test_a_notebook_that_looks_for_what_is_forbidden_is_stopped(run_once):
    source = "import importlib.util\nfound = importlib.util.find_spec('colorsys')"
    execution = run_once(source, policy=Policy(packages=(), forbidden=("colorsys",)))
    assert [cell.outcome for cell in execution.cells] == [Outcome.POLICY]


def test_a_similar_name_is_not_forbidden(run_once):
    execution = run_once(
        "import json.decoder, colorsys", policy=Policy(packages=(), forbidden=("js", "color", "json.dec"))
    )
    assert execution.cells[0].outcome is Outcome.PASSED


ATTENTION = (
    "torch.softmax",
    "torch.Tensor.softmax",
    "torch.special.softmax",
    "torch.nn.Softmax",
    "torch.nn.functional.softmax",
    "torch.nn.functional.scaled_dot_product_attention",
    "torch.nn.functional.multi_head_attention_forward",
    "torch.nn.MultiheadAttention",
    "torch.ops.aten",
    "torch.nn.attention",
    "torch.nothing_like_this",
)
DISGUISES = {
    "torch.softmax": "torch.softmax(x, -1)",
    "method": "x.softmax(-1)",
    "unbound method": "torch.Tensor.softmax(x, -1)",
    "functional": "F.softmax(x, -1)",
    "from import": "from torch.nn.functional import softmax\nsoftmax(x, -1)",
    "getattr": "getattr(torch, 'soft' + 'max')(x, -1)",
    "vars": "vars(torch)['softmax'](x, -1)",
    "map": "list(map(lambda f: f(x, -1), [torch.special.softmax]))",
    "partial": "import functools\nfunctools.partial(torch.softmax, x)(-1)",
    "vmap": "torch.vmap(torch.softmax, in_dims=(0, None))(x[None], -1)",
    "variable functions": "torch._C._VariableFunctions.softmax(x, -1)",
    "C special": "torch._C._special.special_softmax(x, -1)",
    "C base class": "torch._C.TensorBase.softmax(x, -1)",
    "super": "super(torch.Tensor, x).softmax(-1)",
    "VF": "torch._VF.softmax(x, -1)",
    "module": "nn.Softmax(dim=-1)(x)",
    "module without its constructor": "m = nn.Softmax.__new__(nn.Softmax)\nnn.Module.__init__(m)\nm.dim = -1\nm(x)",
    "subclass": "class Mine(nn.Softmax):\n    def __init__(self):\n        nn.Module.__init__(self)\n"
    "        self.dim = -1\nMine()(x)",
    "activation alias": "torch.nn.modules.activation.Softmax(dim=-1)(x)",
    "attention": "nn.MultiheadAttention(4, 2)",
    "encoder layer": "nn.TransformerEncoderLayer(4, 2)",
    "scaled dot product": "F.scaled_dot_product_attention(x[None], x[None], x[None])",
    "C scaled dot product": "torch._C._nn.scaled_dot_product_attention(x[None], x[None], x[None])",
    "aten": "torch.ops.aten.softmax.int(x, -1)",
    "aten underscore": "getattr(torch.ops, 'aten')._softmax(x, -1, False)",
    "aten by get_op": "torch._C._jit_get_operation('aten::softmax')[0](x, -1)",
    "namespace module": "import torch.nn.attention",
    "distribution": "torch.distributions.Categorical(logits=x).probs",
    "out variant": "torch.softmax(x, -1, out=torch.empty(2, 4))",
    "C out variant": "torch._C._VariableFunctions.softmax(x, -1, out=torch.empty(2, 4))",
    "masked": "torch._C._VariableFunctions._masked_softmax(x, x > 0)",
    "sparse": "torch.sparse.softmax(x.to_sparse(), -1)",
    "double precision with gradient": "torch._C.TensorBase.softmax(x.double().requires_grad_(), -1)",
}
FAILING = {  # torch itself turns what is raised there into an error of its own
    "script": "torch.jit.CompilationUnit('def f(x):' + chr(10) + '    return torch.softmax(x, -1)').f(x)",
    "reload": "import importlib\nimportlib.reload(torch.nn.functional).softmax(x, -1)",
}
ALLOWED = {
    "own softmax": "e = (x - x.amax(-1, keepdim=True)).exp()\nown = e / e.sum(-1, keepdim=True)",
    "cross entropy": "F.cross_entropy(x, torch.tensor([0, 1]))",
    "log_softmax": "torch.log_softmax(x, -1)",
    "training": "w = torch.zeros(4, 3, requires_grad=True)\nopt = torch.optim.AdamW([w])\n"
    "(x @ w).sum().backward()\nopt.step()",
    "linear": "nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.LayerNorm(4))(x)",
    "vmap of something else": "torch.vmap(lambda a: a * 2)(x)",
    "func": "torch.func.grad(lambda a: (a ** 2).sum())(x)",
    "isinstance": "isinstance(nn.Linear(1, 1), nn.Softmax)",
    "data": "next(iter(torch.utils.data.DataLoader(torch.arange(4), batch_size=2)))",
}


@pytest.fixture(scope="module")
def torch_cells(run_once):
    sources = {**DISGUISES, **FAILING, **ALLOWED}
    setup = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\nx = torch.arange(8.).reshape(2, 4)"
    policy = Policy(packages=("torch", "numpy"), forbidden=ATTENTION)
    execution = run_once(setup, *sources.values(), policy=policy)
    assert execution.cells[0].outcome is Outcome.PASSED, execution.cells[0].error
    return dict(zip(sources, execution.cells[1:], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", DISGUISES)
def test_a_forbidden_function_is_stopped_under_every_name(torch_cells, name):
    assert torch_cells[name].outcome is Outcome.POLICY, torch_cells[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAILING)
def test_no_road_leads_round(torch_cells, name):
    assert torch_cells[name].outcome in {Outcome.POLICY, Outcome.ERROR}


@pytest.mark.slow
@pytest.mark.parametrize("name", ALLOWED)
def test_the_rest_of_the_library_works(torch_cells, name):
    assert (torch_cells[name].outcome, torch_cells[name].error) == (Outcome.PASSED, None)


@pytest.mark.slow
def test_forward_derivatives_work_where_operators_are_forbidden(run_once):
    """At the first one torch compiles code that reads `torch.ops.aten`."""
    execution = run_once(
        "import warnings\nwarnings.simplefilter('error')\nimport torch",
        "ones = torch.ones(2)\ndef f(x): return -torch.log_softmax(x, -1)[0] + x.prod()",
        "assert torch.func.jacfwd(f)(ones).tolist() == [0.5, 1.5]",
        "assert torch.func.jvp(f, (ones,), (ones,))[1] == 2",
        "assert torch.func.hessian(f)(ones).tolist() == [[0.25, 0.75], [0.75, 0.25]]",
        "torch.ops.aten.sin(ones)",
        "from torch._decomp import decompositions_for_jvp as late\nlate.aten.sin(ones)",
        policy=Policy(packages=("torch", "numpy"), forbidden=("torch.ops.aten",)),
    )
    outcomes = [cell.outcome for cell in execution.cells]
    assert outcomes == [Outcome.PASSED] * 5 + [Outcome.POLICY] * 2, execution.cells


@pytest.mark.slow
def test_other_names_of_a_function_are_stopped_where_no_operator_is(run_once):
    execution = run_once(
        "import torch\nx = torch.zeros(2)",
        "torch.special.expit(x)",
        "torch._C._special.special_expit(x)",
        "torch.sigmoid(x)",
        policy=Policy(packages=("torch", "numpy"), forbidden=("torch.special.expit",)),
    )
    outcomes = [cell.outcome for cell in execution.cells]
    assert outcomes == [Outcome.PASSED, Outcome.POLICY, Outcome.POLICY, Outcome.PASSED]


def test_a_violation_in_a_call_is_its_outcome(opened):
    notebook = opened("def f():\n    import colorsys", policy=Policy(packages=(), forbidden=("colorsys",)))
    execution = notebook.run_cells()
    assert execution.violations == ()
    [answer] = notebook.call([Call("f")])
    assert (answer.outcome, answer.error.name, answer.error.line) == (Outcome.POLICY, "PolicyViolation", 2)
    assert [(notice.cell, notice.line) for notice in answer.violations] == [(0, 2)]
    assert notebook.violations() == answer.violations
