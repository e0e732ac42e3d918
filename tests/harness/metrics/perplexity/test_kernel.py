"""A real GPT-2 in a real sandboxed kernel, against lm-eval asking transformers' own with the same weights."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from harness.checks.proxy import Conversation, Submission
from harness.course import Limits, Policy
from harness.kernel.live import LiveNotebook
from harness.kernel.starts import Plan
from harness.metrics.contract import Refused
from harness.metrics.perplexity import Bytes, StudentTokenizer, measure, tasks
from harness.records import Cell, Outcome
from harness.sandbox.bubblewrap import Bubblewrap

pytestmark = pytest.mark.slow

CONTEXT, LAYERS, HEADS, WIDTH, END = 64, 2, 4, 32, 256
NOTEBOOK = f"""
import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
W = {{name: torch.from_numpy(value) for name, value in np.load("weights.npz").items()}}

def norm(x, name):
    return F.layer_norm(x, ({WIDTH},), W[name + ".weight"], W[name + ".bias"], 1e-5)

def linear(x, name):
    return x @ W[name + ".weight"] + W[name + ".bias"]

@torch.no_grad()
def model(ids):
    ids = torch.as_tensor(ids)
    x = W["wte.weight"][ids] + W["wpe.weight"][: len(ids)]
    for layer in range({LAYERS}):
        at = f"h.{{layer}}."
        q, k, v = linear(norm(x, at + "ln_1"), at + "attn.c_attn").view(len(ids), 3, {HEADS}, -1).permute(1, 2, 0, 3)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=CAUSAL)
        x = x + linear(y.transpose(0, 1).reshape(len(ids), -1), at + "attn.c_proj")
        x = x + linear(F.gelu(linear(norm(x, at + "ln_2"), at + "mlp.c_fc"), approximate="tanh"), at + "mlp.c_proj")
    return norm(x, "ln_f") @ W["wte.weight"].T

def encode(text):
    return list(text.encode())

def decode(ids):
    return bytes(ids)
"""


@pytest.fixture(scope="module")
def gpt2():
    """transformers' architecture with random weights, far from uniform."""
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.random.fork_rng():
        torch.manual_seed(5)
        config = GPT2Config(
            vocab_size=END + 1,
            n_positions=CONTEXT,
            n_embd=WIDTH,
            n_layer=LAYERS,
            n_head=HEADS,
            bos_token_id=END,
            eos_token_id=END,
        )
        model = GPT2LMHeadModel(config).eval()
        for weights in model.parameters():
            weights.data *= 10 if weights.dim() > 1 else 1  # logits spread by 1: far from uniform, nothing impossible
    return model


@pytest.fixture(scope="module")
def weights(gpt2) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{name: value.numpy() for name, value in gpt2.transformer.state_dict().items()})
    return file.getvalue()


@pytest.fixture(params=["True", "False"], ids=["causal", "without a mask"])
def submission(request, weights) -> Iterator[Submission]:
    source = f"CAUSAL = {request.param}\n{NOTEBOOK}"
    plan = Plan(
        (Cell(0, "cell-0", source),),
        {"weights.npz": weights},
        Limits(cell_s=60, call_s=60, wall_s=300),
        Policy(packages=("numpy", "torch")),
        "cpu",
        7,
    )
    with LiveNotebook(plan, Bubblewrap()) as notebook:
        assert notebook.run_cells().cells[0].outcome is Outcome.PASSED
        yield Submission(Conversation(notebook))


@pytest.fixture(scope="module")
def theirs(gpt2):
    """lm-eval's own wrapper around the same weights, an ASCII character a token."""
    from lm_eval.models.huggingface import HFLM
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {chr(byte): byte for byte in range(128)} | {"<|end|>": END}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<|end|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", bos_token="<|end|>")
    return HFLM(pretrained=gpt2, tokenizer=fast, device="cpu", max_length=CONTEXT, batch_size=1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_gpt2_in_a_kernel_has_the_value_of_lm_eval_s_own(submission, theirs, words, rng, request) -> None:
    documents = [words[:900], "A short one.\n", words[900:] + "?"]
    options = {"documents": documents, "context": CONTEXT, "start": END, "vocabulary_size": END + 1}
    if "mask" in request.node.callspec.id:
        with pytest.raises(Refused, match="looks_ahead"):
            measure(submission.model, rng=rng, tokenizer=Bytes(), **options)
        return
    (ours,) = measure(submission.model, rng=rng, tokenizer=Bytes(), **options)
    figures, _ = tasks.evaluate(tasks.of_documents(documents), theirs)
    assert ours.value == pytest.approx(figures["bits_per_byte,none"], abs=1e-4)
    assert abs(ours.value - np.log2(END + 1)) > 0.3
    own = StudentTokenizer(submission.encode, submission.decode, vocabulary_size=256)
    (as_tensor,) = measure(submission.model, rng=rng, tokenizer=own, ids="tensor", **options)
    assert as_tensor.value == pytest.approx(ours.value, abs=1e-6)
