"""What the weights of transformers' models are called here: (their name, our name) as regular expressions, and shapes.

Each table covers every parameter of its model: `load_state_dict` refuses what is left over or missing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from torch import Tensor

Table = list[tuple[str, str]]

GPT2: Table = [
    (r"transformer\.wte", "token_embedding"),
    (r"transformer\.wpe", "position_embedding"),
    (r"transformer\.ln_f", "final_norm"),
    (r"transformer\.h\.(\d+)", r"blocks.\1"),
    (r"ln_1", "attention_norm"),
    (r"ln_2", "feed_forward_norm"),
    (r"attn\.c_proj", "attention.o_proj"),
    (r"mlp\.c_fc", "feed_forward.up_proj"),
    (r"mlp\.c_proj", "feed_forward.down_proj"),
]
LLAMA: Table = [
    (r"model\.embed_tokens", "token_embedding"),
    (r"model\.norm", "final_norm"),
    (r"model\.layers", "blocks"),
    (r"self_attn", "attention"),
    (r"mlp", "feed_forward"),
    (r"input_layernorm", "attention_norm"),
    (r"post_attention_layernorm", "feed_forward_norm"),
]
BERT: Table = [
    (r"bert\.embeddings\.word_embeddings", "token_embedding"),
    (r"bert\.embeddings\.position_embeddings", "position_embedding"),
    (r"bert\.embeddings\.token_type_embeddings", "segment_embedding"),
    (r"bert\.embeddings\.LayerNorm", "embedding_norm"),
    (r"bert\.encoder\.layer", "blocks"),
    (r"attention\.self\.(.)\w+", r"attention.\1_proj"),  # query, key, value
    (r"attention\.output\.dense", "attention.o_proj"),
    (r"attention\.output\.LayerNorm", "attention_norm"),
    (r"intermediate\.dense", "feed_forward.up_proj"),
    (r"(\d)\.output\.dense", r"\1.feed_forward.down_proj"),
    (r"(\d)\.output\.LayerNorm", r"\1.feed_forward_norm"),
    (r"bert\.pooler\.dense", "pooler"),
    (r"cls\.predictions\.transform\.dense", "word_proj"),
    (r"cls\.predictions\.transform\.LayerNorm", "word_norm"),
    (r"cls\.predictions\.decoder", "lm_head"),
    (r"cls\.predictions\.bias", "lm_head.bias"),  # the same parameter again
    (r"cls\.seq_relationship", "next_sentence_head"),
]
MARIAN: Table = [
    (r"model\.(shared|encoder\.embed_tokens|decoder\.embed_tokens)", "token_embedding"),  # one parameter
    (r"model\.(encoder|decoder)\.layers", r"\1_blocks"),
    (r"self_attn_layer_norm", "attention_norm"),
    (r"encoder_attn_layer_norm", "cross_attention_norm"),
    (r"self_attn", "attention"),
    (r"encoder_attn", "cross_attention"),
    (r"out_proj", "o_proj"),
    (r"fc1", "feed_forward.up_proj"),
    (r"fc2", "feed_forward.down_proj"),
    (r"final_layer_norm", "feed_forward_norm"),
]
VIT: Table = [
    (r"vit\.embeddings\.cls_token", "class_token"),
    (r"vit\.embeddings\.position_embeddings", "position_embedding.weight"),
    (r"vit\.embeddings\.patch_embeddings\.projection", "patch_proj"),
    (r"vit\.layers", "blocks"),
    (r"vit\.layernorm", "final_norm"),
    (r"layernorm_before", "attention_norm"),
    (r"layernorm_after", "feed_forward_norm"),
    (r"mlp\.fc1", "feed_forward.up_proj"),
    (r"mlp\.fc2", "feed_forward.down_proj"),
    (r"classifier", "class_head"),
]


def translated(theirs: Mapping[str, Tensor], table: Table) -> dict[str, Tensor]:
    """Give their weights, or gradients, our names and shapes."""
    parts = (part for name, tensor in theirs.items() for part in _shaped(name, tensor))
    return {_renamed(name, table): tensor for name, tensor in parts if "embed_positions" not in name}


def _renamed(name: str, table: Iterable[tuple[str, str]]) -> str:
    for pattern, ours in table:
        name = re.sub(rf"\b{pattern}\b", ours, name)
    return name


def _shaped(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """GPT-2 multiplies from the right, and keeps q, k and v in one matrix; ViT projects by a convolution."""
    if re.search(r"c_(attn|proj|fc)\.weight", name):
        tensor = tensor.T
    if "c_attn" in name:
        for letter, part in zip("qkv", tensor.chunk(3), strict=True):
            yield name.replace("attn.c_attn", f"attention.{letter}_proj"), part
    elif "patch_embeddings.projection.weight" in name:
        yield name, tensor.flatten(1)
    elif "cls_token" in name:
        yield name, tensor.flatten()
    elif "vit.embeddings.position_embeddings" in name:
        yield name, tensor[0]
    else:
        yield name, tensor
