"""Runs that are interrupted and continued equal one that never stopped, to the last bit; torn files are refused."""

import hashlib
import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reference.training import (
    AdamW,
    DataOrder,
    TrainingRun,
    corrupt,
    cosine_with_warmup,
    load_checkpoint,
    random_windows,
    save_checkpoint,
    train_step,
)
from reference.transformer import GPT2, GPT2Config

N_STEPS, N_EXAMPLES, BATCH_SIZE = 9, 7, 3  # three batches an epoch, the last of one example
IDS = torch.randint(5, 12, (N_EXAMPLES, 6), generator=torch.Generator().manual_seed(0))
MASK = 4


class Tiny(nn.Module):
    """Two layers, tied weights and a buffer that training changes: what a checkpoint must not forget."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.embedding = nn.Embedding(12, 4, dtype=torch.float64)
        self.mix = nn.Linear(4, 4, dtype=torch.float64)
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=generator)
        self.head = nn.Linear(4, 12, bias=False, dtype=torch.float64)
        self.head.weight = self.embedding.weight
        self.register_buffer("calls", torch.zeros((), dtype=torch.float64))

    def forward(self, ids: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
        return self.head(torch.tanh(self.mix(self.embedding(ids)) + 0.1 * self.calls))


def fresh(seed: int = 0) -> TrainingRun:
    """A run on masked words, whose corruption draws from the generator of the order; other seeds, other beginnings."""
    model, generator = Tiny(seed), torch.Generator().manual_seed(seed)

    def batch(numbers: Tensor) -> tuple[Tensor, Tensor]:
        hidden, labels = corrupt(
            IDS[numbers], mask_id=MASK, n_tokens=12, special_ids={MASK}, generator=generator, fraction=0.5
        )
        labels[:, 0] = IDS[numbers, 0]  # so that something counts
        return hidden, labels

    return TrainingRun(
        model,
        AdamW(model.parameters(), weight_decay=0.1),
        DataOrder(N_EXAMPLES, batch_size=BATCH_SIZE, generator=generator),
        batch=batch,
        rate=lambda step: cosine_with_warmup(step, peak=0.1, warmup_steps=2, total_steps=N_STEPS),
        max_norm=0.5,
    )


def everything(run: TrainingRun, path: Path) -> dict[str, bytes]:
    """All that a run's future depends on, as bytes."""
    run.save(path)
    return {name: tensor.numpy().tobytes() for name, tensor in load_checkpoint(path).items()}


@pytest.mark.parametrize("interrupted", range(N_STEPS + 1))
def test_a_continued_run_equals_an_uninterrupted_one(proof, tmp_path: Path, interrupted: int) -> None:
    whole = fresh()
    steps = whole.advance(N_STEPS)
    first = fresh()
    before = first.advance(interrupted)
    first.save(tmp_path / "last.pt")
    second = fresh(seed=interrupted + 1)  # nothing of it may be left
    second.advance(1)
    second.load(tmp_path / "last.pt")
    after = second.advance(N_STEPS - interrupted)
    uninterrupted = proof(TrainingRun, "the uninterrupted run, bit for bit")
    uninterrupted.equal(before + after, steps)
    uninterrupted.equal(everything(second, tmp_path / "a.pt"), everything(whole, tmp_path / "b.pt"))
    assert second.steps_done == N_STEPS


def decoder_run(seed: int) -> TrainingRun:
    """A decoder of the oracle on random windows of a text; the numbers of the order are not looked at."""
    generator = torch.Generator().manual_seed(seed)
    config = GPT2Config(vocab_size=12, context_length=6, width=4, n_layers=2, n_heads=2, inner_width=8)
    model = GPT2(config, generator=generator)
    return TrainingRun(
        model,
        AdamW(model.parameters()),
        DataOrder(N_EXAMPLES, batch_size=BATCH_SIZE, generator=generator),
        batch=lambda numbers: random_windows(IDS.flatten(), batch_size=len(numbers), length=5, generator=generator),
        rate=lambda step: 0.1,
    )


@pytest.mark.parametrize("interrupted", [0, 1, 4])
def test_a_decoder_is_continued(proof, tmp_path: Path, interrupted: int) -> None:
    whole, first, second = decoder_run(0), decoder_run(0), decoder_run(1)
    steps = whole.advance(5)
    before = first.advance(interrupted)
    first.save(tmp_path / "last.pt")
    second.load(tmp_path / "last.pt")
    uninterrupted = proof(TrainingRun, "the uninterrupted run, bit for bit")
    uninterrupted.equal(before + second.advance(5 - interrupted), steps)
    uninterrupted.equal(everything(second, tmp_path / "a.pt"), everything(whole, tmp_path / "b.pt"))
    assert steps[-1].loss < steps[0].loss


def test_interrupting_after_every_step_changes_nothing(tmp_path: Path) -> None:
    whole = fresh()
    steps = whole.advance(N_STEPS)
    parts = []
    path = tmp_path / "last.pt"
    fresh().save(path)
    for seed in range(N_STEPS):
        part = fresh(seed=seed + 1)
        part.load(path)
        parts += part.advance(1)
        part.save(path)
    assert parts == steps
    assert everything(part, tmp_path / "a.pt") == everything(whole, tmp_path / "b.pt")


def test_saving_changes_nothing(tmp_path: Path) -> None:
    saved, unsaved = fresh(), fresh()
    for _ in range(3):
        saved.advance(1)
        saved.save(tmp_path / "last.pt")
    unsaved.advance(3)
    assert everything(saved, tmp_path / "a.pt") == everything(unsaved, tmp_path / "b.pt")


def test_a_run_equals_its_steps_one_by_one(proof) -> None:
    run, other = fresh(), fresh()
    taken = []
    for step in range(N_STEPS):
        inputs, targets = other.batch(other.order.next_batch())
        rate = cosine_with_warmup(step, peak=0.1, warmup_steps=2, total_steps=N_STEPS)
        taken.append(train_step(other.model, other.optimizer, inputs=inputs, targets=targets, rate=rate, max_norm=0.5))
    proof(TrainingRun, "train_step in a loop").equal(run.advance(N_STEPS), taken)


def test_an_order_visits_all_examples_each_epoch(proof) -> None:
    order = DataOrder(N_EXAMPLES, batch_size=BATCH_SIZE, generator=torch.Generator().manual_seed(0))
    drawn = torch.Generator().manual_seed(0)
    expected = []
    for _ in range(4):
        epoch = torch.randperm(N_EXAMPLES, generator=drawn).tolist()
        expected += [epoch[:3], epoch[3:6], epoch[6:]]
    proof(DataOrder, "torch.randperm in slices").equal([order.next_batch().tolist() for _ in range(12)], expected)


@pytest.mark.parametrize(("n", "batch_size", "sizes"), [(1, 1, [1, 1]), (3, 5, [3, 3]), (4, 2, [2, 2]), (3, 3, [3, 3])])
def test_sizes_of_batches(n: int, batch_size: int, sizes: list[int]) -> None:
    order = DataOrder(n, batch_size=batch_size, generator=torch.Generator())
    assert [len(order.next_batch()) for _ in sizes] == sizes


def test_a_batch_is_the_callers_own() -> None:
    order = DataOrder(4, batch_size=4, generator=torch.Generator())
    order.next_batch().fill_(99)
    assert sorted(order.state()["order"].tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize(("n", "batch_size"), [(0, 1), (1, 0), (-1, 1)])
def test_an_order_refuses(n: int, batch_size: int) -> None:
    with pytest.raises(ValueError, match="expected 1 or more"):
        DataOrder(n, batch_size=batch_size, generator=torch.Generator())


def test_an_order_refuses_what_is_none(tmp_path: Path) -> None:
    order = DataOrder(3, batch_size=1, generator=torch.Generator())
    state = order.state()
    for bad, message in [
        (state | {"order": torch.tensor([0, 1, 1])}, "order: expected every example from 0 to 2 once"),
        (state | {"position": torch.tensor(4)}, "position: expected 0 to 3, got 4"),
        (state | {"position": torch.tensor(-1)}, "position"),
        (state | {"more": torch.tensor(1)}, "more: expected nothing of that name, got it"),
        ({}, "generator: expected it of that name, got nothing"),
    ]:
        with pytest.raises(ValueError, match=message):
            order.restore(bad)


def test_negative_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="n_steps: expected 0 or more, got -1"):
        fresh().advance(-1)


def test_a_checkpoint_of_another_run_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    run = fresh()
    run.advance(2)
    run.save(tmp_path / "last.pt")
    state = load_checkpoint(tmp_path / "last.pt")
    kept = everything(run, tmp_path / "a.pt")
    without = {name: tensor for name, tensor in state.items() if name != "model.mix.bias"}
    for bad, message in [
        (without, "model.mix.bias: expected it"),
        (
            state | {"model.mix.bias": torch.zeros(5).double()},
            r"model.mix.bias: expected torch.float64 of shape \(4,\)",
        ),
        (state | {"model.mix.bias": torch.zeros(4)}, "got torch.float32"),
        (state | {"order.order": torch.zeros(7, dtype=torch.int64)}, "order: expected every example"),
    ]:
        save_checkpoint(tmp_path / "bad.pt", bad)
        with pytest.raises(ValueError, match=message):
            run.load(tmp_path / "bad.pt")
        assert everything(run, tmp_path / "b.pt") == kept


STATE = {
    "weight": torch.arange(6, dtype=torch.float64).reshape(2, 3),
    "step": torch.tensor(3),
    "flags": torch.tensor([True, False]),
    "empty": torch.zeros(0, 2),
    "half": torch.ones(2, dtype=torch.bfloat16),
}


def test_a_file_gives_back_what_was_saved(proof, tmp_path: Path) -> None:
    """Also what is a view, stored once more, or carries a gradient."""
    wide = torch.arange(20.0)
    state = STATE | {"view": wide[::7], "same": wide, "grown": nn.Parameter(torch.ones(3)).expand(2, 3)}
    save_checkpoint(tmp_path / "last.pt", state)
    loaded = load_checkpoint(tmp_path / "last.pt")
    for component in (save_checkpoint, load_checkpoint):
        proof(component, "what was saved, bit for bit").equal(
            {name: (str(one.dtype), one.shape, one.tolist()) for name, one in loaded.items()},
            {name: (str(one.dtype), one.shape, one.tolist()) for name, one in state.items()},
        )
    assert not any(one.requires_grad for one in loaded.values())


def test_a_view_is_stored_alone(tmp_path: Path) -> None:
    """Not the large tensor that it looks into, nor its strides."""
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"row": torch.zeros(1000, 1000)[3], "column": torch.zeros(1000, 1000)[:, 3]})
    assert path.stat().st_size < 20_000
    assert all(tensor.is_contiguous() for tensor in load_checkpoint(path).values())


def test_a_file_is_what_torch_load_reads(proof, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last.pt", STATE)
    theirs = torch.load(tmp_path / "last.pt", weights_only=True)
    for component in (save_checkpoint, load_checkpoint):
        proof(component, "torch.load").equal(
            {name: one.tolist() for name, one in load_checkpoint(tmp_path / "last.pt").items()},
            {name: one.tolist() for name, one in theirs.items()},
        )


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, STATE)
    content = path.read_bytes()
    lengths = {0, 1, 31, 32, 33, len(content) // 2, *range(len(content) - 100, len(content))}
    for torn in [*(content[:length] for length in lengths), content[1:], content + b"\0"]:
        path.write_bytes(torn)
        with pytest.raises(ValueError, match=f"expected a whole file .* got one of {len(torn)} bytes"):
            load_checkpoint(path)


def test_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, STATE)
    content = path.read_bytes()
    for at in range(0, len(content), 97):
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        with pytest.raises(ValueError, match="expected a whole file"):
            load_checkpoint(path)


class Hostile:
    """Unpickling it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (self.path, "w"))


def test_no_code_of_a_file_runs(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    write_with_digest(path, Hostile(tmp_path / "written"))
    with pytest.raises(ValueError, match=r"got a file that torch\.load refuses"):
        load_checkpoint(path)
    assert not (tmp_path / "written").exists()


def write_with_digest(path: Path, what: object) -> None:
    torch.save(what, path)
    payload = path.read_bytes()
    path.write_bytes(payload + hashlib.sha256(payload).digest())


@pytest.mark.parametrize("what", [[torch.ones(1)], {"a": 1}, torch.ones(1)])
def test_a_file_of_something_else_is_refused(tmp_path: Path, what: object) -> None:
    path = tmp_path / "last.pt"
    write_with_digest(path, what)
    with pytest.raises(ValueError, match=r"expected tensors by name, got (list|dict|Tensor)"):
        load_checkpoint(path)


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    for payload in (b"", b"not an archive", pickle.dumps({"a": 1}, protocol=2)):
        path.write_bytes(payload + hashlib.sha256(payload).digest())
        with pytest.raises(ValueError, match="expected tensors by name"):
            load_checkpoint(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "none.pt")
    with pytest.raises(FileNotFoundError):
        save_checkpoint(tmp_path / "none" / "last.pt", STATE)


@pytest.mark.parametrize("failing", ["os.fsync", "pathlib.Path.replace"])
def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, STATE)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(failing, fail)
        with pytest.raises(OSError, match="disk is full"):
            save_checkpoint(path, {"weight": torch.zeros(9)})
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["last.pt"]


def test_the_new_file_is_complete_before_it_takes_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that is cut short leaves the old file, whatever stands beside it; the next write succeeds."""
    path = tmp_path / "last.pt"
    save_checkpoint(path, STATE)
    seen = []
    monkeypatch.setattr("os.fsync", lambda _: seen.append(path.read_bytes()))
    (tmp_path / "last.pt.partial").write_bytes(b"torn")
    before = path.read_bytes()
    save_checkpoint(path, {"weight": torch.zeros(9)})
    assert seen == [before]
    assert load_checkpoint(path)["weight"].tolist() == [0.0] * 9
    assert [one.name for one in tmp_path.iterdir()] == ["last.pt"]


@pytest.mark.gpu
def test_gpu_tensors_are_stored_on_the_cpu(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last.pt", {"w": torch.ones(2, device="cuda")})
    assert load_checkpoint(tmp_path / "last.pt")["w"].device.type == "cpu"


def test_an_order_takes_only_a_generators_state() -> None:
    order = DataOrder(3, batch_size=1, generator=torch.Generator())
    order.next_batch()
    state = order.state()
    with pytest.raises(ValueError, match="generator: expected the state of one"):
        order.restore(state | {"generator": torch.zeros_like(state["generator"]), "position": torch.tensor(0)})
    assert all(torch.equal(tensor, state[name]) for name, tensor in order.state().items())
    order.restore(state | {"generator": torch.stack([state["generator"]] * 2, dim=1)[:, 0]})  # not contiguous


class Transient(Tiny):
    """The same with a buffer that `state_dict` leaves out."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.register_buffer("calls", torch.zeros((), dtype=torch.float64), persistent=False)


def test_a_buffer_that_does_not_persist_is_continued(tmp_path: Path) -> None:
    def begun(seed: int) -> TrainingRun:
        model = Transient(seed)
        order = DataOrder(N_EXAMPLES, batch_size=BATCH_SIZE, generator=torch.Generator().manual_seed(seed))
        optimizer = AdamW(model.parameters())
        return TrainingRun(model, optimizer, order, batch=lambda i: (IDS[i], IDS[i]), rate=lambda step: 0.1)

    whole, halted, continued = begun(0), begun(0), begun(1)
    steps = whole.advance(5)
    halted.advance(3)
    halted.save(tmp_path / "last.pt")
    continued.load(tmp_path / "last.pt")
    assert continued.advance(2) == steps[3:]
    assert continued.model.calls.item() == 5


@pytest.mark.parametrize("what", [{1: torch.ones(1)}, {"a": torch.ones(1), 1: torch.ones(1)}])
def test_names_are_strings(tmp_path: Path, what: object) -> None:
    path = tmp_path / "last.pt"
    write_with_digest(path, what)
    with pytest.raises(ValueError, match="expected tensors by name"):
        load_checkpoint(path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_damage_with_a_right_digest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    torch.save({"w": torch.arange(3.0)}, path, _use_new_zipfile_serialization=False)
    payload = path.read_bytes()
    refused = 0
    for place in range(0, len(payload) - 12, 3):  # what comes last are the numbers: any are tensors
        damaged = payload[:place] + bytes([payload[place] ^ 0x15]) + payload[place + 1 :]
        path.write_bytes(damaged + hashlib.sha256(damaged).digest())
        try:
            load_checkpoint(path)
        except ValueError:
            refused += 1
    assert refused > 50
