"""lm-eval's tasks: made in memory, from a YAML file of the assignment, or by the name of a published one.

The index of all published tasks, 14,000 files, is never loaded, and nothing is written to disk but what a hub sends.
Imports lm-eval: import this module inside functions.
"""

import contextlib
import io
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import lm_eval.tasks  # type: ignore[import-untyped, unused-ignore]
from datasets import Dataset, DatasetDict  # type: ignore[import-untyped, unused-ignore]
from huggingface_hub.errors import HfHubHTTPError
from lm_eval import evaluator  # type: ignore[import-untyped, unused-ignore]
from lm_eval.api.model import LM  # type: ignore[import-untyped, unused-ignore]
from lm_eval.api.task import ConfigurableTask  # type: ignore[import-untyped, unused-ignore]
from lm_eval.tasks import TaskManager  # type: ignore[import-untyped, unused-ignore]
from lm_eval.tasks._yaml_loader import load_yaml  # type: ignore[import-untyped, unused-ignore]

from harness.errors import ConfigurationError, InfrastructureError

PUBLISHED = Path(lm_eval.tasks.__file__).parent
FEWSHOT_SEED = 1234  # lm-eval's own: few-shot prompts are then those of published figures

Record = Mapping[str, Any]


def of_documents(documents: Sequence[str]) -> ConfigurableTask:
    """Rolling log-likelihood of each document, bits per byte over all."""
    metric = {"metric": "bits_per_byte", "aggregation": "bits_per_byte", "higher_is_better": False}
    config = {
        "task": "documents",
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "text",
        "metric_list": [metric],
    }
    return _in_memory(config, {"test": [{"text": document} for document in documents]})


def load(task: str | Path, records: Sequence[Record] | None) -> ConfigurableTask:
    """A task from its YAML file, or a published one by name.

    Args:
        task: the file's path, or the name.
        records: what is asked, in place of the data that the file names.

    Raises:
        ConfigurationError: there is no such task, or its file cannot be used.
        InfrastructureError: its data are on a hub that cannot be reached.
    """
    path = task if isinstance(task, Path) else published(task)
    if not path.is_file():
        raise ConfigurationError(f"the task {path} is not there", remedy="Give the path of a YAML file of lm-eval.")
    config = load_yaml(path)
    if records is not None:
        return _in_memory(config, {"test": [dict(record) for record in records]})
    if config.get("dataset_path") == "json":
        return _in_memory(config, _files(config, path))
    return _from_hub(path)


def published(name: str) -> Path:
    """The file of the published task `name`.

    Raises:
        ConfigurationError: lm-eval has none, or `name` is a group of tasks.
    """
    line = re.compile(rb"^task:[ \t]*[\"']?" + re.escape(name.encode()) + rb"[\"']?[ \t]*\r?$", re.MULTILINE)
    likely = PUBLISHED.glob(f"*/{name}.yaml") if re.fullmatch(r"[\w.-]+", name) else ()
    for files in (likely, PUBLISHED.rglob("*.yaml")):
        for path in sorted(files):
            if line.search(path.read_bytes()):
                return path
    raise ConfigurationError(
        f"lm-eval has no task {name!r}", remedy="Give a single task's name, or the Path of a YAML file."
    )


def evaluate(task: ConfigurableTask, model: LM) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Run a task.

    Returns:
        lm-eval's figures by name, and what it found about each record, filters one after the other.
    """
    name = task.task_name
    if task.get_config("num_fewshot") is None:
        task.set_config("num_fewshot", 0)
    task.set_fewshot_seed(FEWSHOT_SEED)
    with _quiet():
        found = evaluator.evaluate(lm=model, task_dict={"tasks": {name: task}}, bootstrap_iters=0)
    return found["results"][name], found["samples"][name]


def metrics(task: ConfigurableTask) -> list[str]:
    """Names of a task's metrics, in the order of its file."""
    return list(task.aggregation())


def bits_per_byte(figures: Mapping[str, float], samples: Sequence[Mapping[str, Any]]) -> tuple[float, list[int]]:
    """lm-eval's figure, and the bytes of each text as it counts them.

    Raises:
        ConfigurationError: the task does not compute it.
    """
    found = [value for key, value in figures.items() if key.split(",")[0] == "bits_per_byte"]
    if not found:
        raise ConfigurationError("the task has no metric bits_per_byte", remedy="List it under metric_list.")
    return found[0], [sample["bits_per_byte"][1] for sample in samples]


def _in_memory(config: dict[str, Any], splits: Mapping[str, list[dict[str, Any]]]) -> ConfigurableTask:
    """The task `config` asked about `splits`."""
    rest = {key: value for key, value in config.items() if not key.startswith("dataset_")}
    if list(splits) == ["test"]:
        rest |= {"test_split": "test", "validation_split": None, "training_split": None}
    data = DatasetDict({split: Dataset.from_list(records) for split, records in splits.items()})
    with _quiet():
        return ConfigurableTask(config=rest | {"custom_dataset": lambda **_: data})


def _files(config: dict[str, Any], path: Path) -> dict[str, list[dict[str, Any]]]:
    """The records that lie beside the task's file, JSON or JSON Lines, by split."""
    named = (config.get("dataset_kwargs") or {}).get("data_files")
    if not isinstance(named, Mapping):
        raise ConfigurationError(
            f"{path}: dataset_kwargs.data_files names no files", remedy="Write data_files: {test: NAME.jsonl}."
        )
    return {split: _records(path.parent / name) for split, name in named.items()}


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        return list(json.loads(text))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} holds no records: {error}", remedy="Write JSON or JSON Lines.") from error


def _from_hub(path: Path) -> ConfigurableTask:
    try:
        with _quiet():
            loaded = TaskManager(include_defaults=False).load([str(path)])
    except (OSError, HfHubHTTPError) as error:
        raise InfrastructureError(
            f"the data of the task {path.stem} cannot be fetched ({type(error).__name__})",
            remedy="Mark where a hub of data sets can be reached, or give the records as documents=[…].",
        ) from error
    (task,) = loaded["tasks"].values()
    return task


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """lm-eval tells of its progress on standard error and in logs that no marking run wants."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
