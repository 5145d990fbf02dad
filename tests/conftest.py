"""What several tests need: a cache of their own, the embedded encoder, and the folder of real data."""

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import still_gc  # noqa: F401  # before what takes long to import
from filelock import FileLock

if TYPE_CHECKING:  # the process that only hands tests to the workers needs no torch
    from sentence_transformers import SentenceTransformer

    from panglot.data import Benchmark

# Files that take longest, first: a worker that begins one last would leave the other idle.
LONGEST = (
    "training/test_launch.py",
    "cli/test_quickstart_command.py",
    "experiments/test_whole_experiments.py",
    "experiments/test_sweep.py",
    "encoders/test_distributed.py",
    "test_tutorial.py",
    "experiments/test_paper.py",
    "training/test_two_processes.py",
    "experiments/test_experiment_runs.py",
    "training/test_adapters.py",
    "test_hub.py",
    "cli/test_every_error.py",
    "cli/test_malformed.py",
    "test_readme.py",
    "encoders/test_embedded.py",
    "encoders/test_trimming.py",
    "training/test_resume.py",
    "training/test_train.py",
    "training/test_teacher.py",
    "training/test_recipes.py",
    "experiments/test_remedies.py",
    "search/serve/test_run.py",
    "search/serve/test_api.py",
    "translate/test_models.py",
    "search/serve/test_page.py",
    "encoders/test_architectures.py",
    "report/test_report_page.py",
    "cli/test_interrupted_command.py",
    "search/serve/test_properties.py",
    "cli/test_mine_command.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    tests = Path(__file__).parent
    place = {tests / name: k for k, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(autouse=True, scope="module")
def _look_at_new_objects_only() -> None:
    """Let garbage collections pass over the libraries: each training makes one, and it took 0.25 s."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory, shared_folder: Path) -> Iterator[None]:
    cache, encoders = tmp_path_factory.mktemp("cache"), shared_folder / "encoders"
    encoders.mkdir(exist_ok=True)
    (cache / "encoders").symlink_to(encoders)  # the embedded encoder is made once for all processes
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PANGLOT_CACHE", str(cache))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # read when it was imported
        yield


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this test session, one for all its processes."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def embedded() -> Path:
    """The embedded encoder's whole checkpoint."""
    from panglot.encoders.embedded import embedded_checkpoint

    found = embedded_checkpoint()
    assert found is not None, "install panglot[embedded]"
    return found


@pytest.fixture(scope="session")
def small_checkpoint(embedded: Path, shared_folder: Path) -> Path:
    """The folder of an encoder with the embedded one's first two layers and the pieces of the sample's texts.

    It reads 24 tokens of a text, ranks the sample a good deal better than by chance, and loads and trains
    in a moment.
    """
    from panglot import load_encoder, load_pairs
    from panglot.data.pairs_files.read import SAMPLE_FOLDER
    from panglot.encoders.embedded import EMBEDDED, VERSION
    from panglot.encoders.trimming import trim_encoder
    from panglot.files import write_manifest

    folder = shared_folder / "small" / "encoders" / f"{EMBEDDED}-{VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            model = load_encoder(str(embedded), device="cpu")
            inner: Any = model[0].model
            inner.encoder.layer = inner.encoder.layer[:2]
            inner.config.num_hidden_layers = 2
            model.max_seq_length = 24
            texts = [load_pairs(SAMPLE_FOLDER / name) for name in ("train.jsonl", "held-out.jsonl")]
            trim_encoder(model, folder, pairs=texts)
            write_manifest(folder)
    return folder


@pytest.fixture
def small_by_default(small_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the small encoder take the place of the embedded one, in this process and those that it starts."""
    monkeypatch.setenv("PANGLOT_CACHE", str(small_checkpoint.parents[1]))


@pytest.fixture(scope="session")
def encoder(small_checkpoint: Path) -> "SentenceTransformer":
    """The small encoder, which reads whole texts here; tests must leave its weights alone."""
    from panglot import load_encoder

    return load_encoder(str(small_checkpoint), device="cpu", max_length=512)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets."""
    folder = os.environ.get("PANGLOT_TEST_DATA")
    if not folder:
        pytest.skip("PANGLOT_TEST_DATA names no folder of real data sets")
    return Path(folder)


MakeBenchmark = Callable[..., "Benchmark"]


@pytest.fixture(scope="session")
def make_benchmark() -> MakeBenchmark:
    """Make a benchmark of ids: ``{query id: language}, {passage id: language}, [(query, passage, gain)]``."""
    from panglot.data import Benchmark, Texts

    def make(
        queries: dict[str, str],
        passages: dict[str, str],
        judgements: Sequence[tuple[str, str, int]],
        items: Sequence[int] | None = None,
    ) -> "Benchmark":
        languages = sorted({*queries.values(), *passages.values()})
        query_row = {name: row for row, name in enumerate(queries)}
        passage_row = {name: row for row, name in enumerate(passages)}
        judged = sorted((query_row[q], passage_row[p], gain) for q, p, gain in judgements)

        def texts(of: dict[str, str]) -> Texts:
            codes = np.array([languages.index(language) for language in of.values()], np.int64)
            return Texts(list(of), codes, [f"the text of {name}" for name in of])

        return Benchmark(
            name="handmade",
            languages=tuple(languages),
            queries=texts(queries),
            passages=texts(passages),
            query_items=np.array(range(len(queries)) if items is None else items, np.int64),
            judged_query=np.array([q for q, _, _ in judged], np.int64),
            judged_passage=np.array([p for _, p, _ in judged], np.int64),
            gains=np.array([gain for _, _, gain in judged], np.int64),
            sha256="0" * 64,
        )

    return make


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a raw BERT with two small random layers, which reads the sample's characters."""
    import torch
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from panglot import sample_pairs

    folder = tmp_path_factory.mktemp("tiny-bert")
    pairs = sample_pairs()
    texts = pairs.table.column("query").to_pylist() + pairs.table.column("passage").to_pylist()
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    vocabulary = [*special.values(), *sorted(set("".join(texts)))]
    number = {token: k for k, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(WordLevel(number, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Split(Regex("."), "isolated")
    ends = [(token, number[token]) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=48, **special)  # type: ignore[no-untyped-call]
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_reranker(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a cross-encoder with small random weights, which reads the sample's characters."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny-reranker")
    config = BertConfig.from_pretrained(tiny_checkpoint, num_labels=1)
    torch.manual_seed(1)
    BertForSequenceClassification(config).save_pretrained(folder)
    PreTrainedTokenizerFast.from_pretrained(tiny_checkpoint).save_pretrained(folder)
    return folder


@pytest.fixture
def static_encoder() -> "SentenceTransformer":
    """An encoder that is not a transformer: the mean of the vectors of words."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=4)], device="cpu")


@pytest.fixture
def tiny_encoder(tiny_checkpoint: Path) -> "SentenceTransformer":
    """The tiny BERT with mean pooling; a fresh one for each test."""
    from panglot import load_encoder

    return load_encoder(str(tiny_checkpoint), device="cpu")
