"""Training sets and pools of full size: mMARCO from files to the first batch, MIRACL from files to ranks.

python benchmarks/full_size.py mmarco [--questions 700000] [--passages 1000000]
python benchmarks/full_size.py miracl [--passages 2000000] [--model FOLDER]

Writes random words in their official layouts (14 languages of mMARCO, 18 of MIRACL), and measures what
panglot does with them: seconds, processor time, disk, and peak memory, each part in a process of its own.
The pool is encoded by the model into a store, killed half-way, resumed, and ranked in one pass. Without a
model it is a random vector for each word, which costs next to nothing: the seconds are then panglot's own.
"""

import argparse
import gzip
import json
import multiprocessing
import os
import resource
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from panglot import load_benchmark, load_encoder
from panglot.batches import make_sampler
from panglot.data.catalogue import entry_named
from panglot.data.catalogue.training import training_pairs
from panglot.encoders import encode, open_store, passage_prompt, query_prompt
from panglot.encoders.store_write import SHARD
from panglot.evaluation import evaluate_embeddings
from panglot.evaluation.stores import encode_passages, store_facts

WORDS = 50_000
QUERY, PASSAGE = 7, 60  # words
DIMENSION = 384
STEPS = 200


def texts(count: int, words: int, seed: int) -> Iterator[str]:
    """Yield texts of random words."""
    rng = np.random.default_rng(seed)
    vocabulary = np.array([f"w{k:x}" for k in range(WORDS)])
    for start in range(0, count, 10_000):
        for row in rng.integers(0, WORDS, (min(10_000, count - start), words)):
            yield " ".join(vocabulary[row])


def write_mmarco(folder: Path, questions: int, passages: int) -> None:
    """Write triples, and queries and passages of every language."""
    (folder / "data").mkdir(parents=True)
    rng = np.random.default_rng(0)
    with (folder / "data" / "triples.train.ids.small.tsv").open("w") as file:
        for k, (right, wrong) in enumerate(rng.integers(0, passages, (questions, 2))):
            file.write(f"{k}\t{right}\t{wrong}\n")
    of_languages = [file for file in entry_named("mmarco-train").files if file.language is not None]
    for seed, own in enumerate(of_languages):
        path = folder / str(own.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        count, words = (questions, QUERY) if "queries" in path.name else (passages, PASSAGE)
        with path.open("w") as file:
            file.writelines(f"{k}\t{text}\n" for k, text in enumerate(texts(count, words, seed)))


def write_miracl(folder: Path, passages: int) -> None:
    """Write topics, judgements and passages of every language; a language has its equal share of the pool."""
    codes = entry_named("miracl").languages
    for seed, code in enumerate(codes):
        count, place = passages // len(codes), folder / f"miracl-v1.0-{code}"
        place.mkdir(parents=True)
        topics = "".join(f"{k}\t{text}\n" for k, text in enumerate(texts(50, QUERY, seed)))
        (place / f"topics.miracl-v1.0-{code}-dev.tsv").write_text(topics)
        qrels = "".join(f"{k}\tQ0\t{k}#0\t1\n" for k in range(50))
        (place / f"qrels.miracl-v1.0-{code}-dev.tsv").write_text(qrels)
        corpus = folder / f"miracl-corpus-v1.0-{code}"
        corpus.mkdir()
        with gzip.open(corpus / "docs-0.jsonl.gz", "wt", compresslevel=1) as file:
            for k, text in enumerate(texts(count, PASSAGE, 100 + seed)):
                file.write(json.dumps({"docid": f"{k}#0", "title": f"w{k:x}", "text": text}) + "\n")


def write_model(folder: Path) -> None:
    """Write an encoder whose embedding is the mean of a random vector for each word."""
    words = Tokenizer(WordLevel({f"w{k:x}": k for k in range(WORDS)}, unk_token="w0"))
    words.pre_tokenizer = WhitespaceSplit()
    torch.manual_seed(0)
    SentenceTransformer(modules=[StaticEmbedding(words, embedding_dim=DIMENSION)]).save(str(folder))


def measured(work: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """Do some work in a process of its own; return its seconds, processor time, peak memory and result."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_measured, (work, arguments))


def _measured(work: Callable[..., Any], arguments: tuple[Any, ...]) -> dict[str, Any]:
    begun, before = time.perf_counter(), time.process_time()
    result = work(*arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    spent = {"seconds": time.perf_counter() - begun, "processor seconds": time.process_time() - before}
    return {**{name: round(value, 1) for name, value in spent.items()}, "peak GB": round(peak, 2), **result}


def read_pairs(folder: Path) -> dict[str, Any]:
    """Read the training set from its files."""
    pairs = training_pairs("mmarco-train", folder)
    return {"items": len(pairs), "rows": pairs.index.entries}


def draw(folder: Path) -> dict[str, Any]:
    """Open what was read before, and look up the texts of some hybrid batches."""
    begun = time.process_time()
    pairs = training_pairs("mmarco-train", folder)
    sampler = make_sampler([pairs], strategy="hybrid", batch_size=64)
    opened = time.process_time()
    for step in range(STEPS):
        batch = sampler.draw(step)
        for field, language in (("query", batch.query_languages), ("passage", batch.passage_languages)):
            pairs.texts(field, pairs.rows(batch.items, language))
    drawn = time.process_time() - opened
    return {"to the first batch": round(opened - begun, 1), "batches a second": round(STEPS / drawn)}


def encode_pool(folder: Path, model: str, store: Path) -> dict[str, Any]:
    """Encode the pool into a store, or what is missing of it."""
    encoder, benchmark = load_encoder(model, device="cpu"), load_benchmark("miracl", folder)
    written = encode_passages(encoder, benchmark, store, store_facts(encoder, benchmark))
    return {"passages": len(benchmark.passages), "encoded now": written.rows}


def encode_and_die(folder: Path, model: str, store: Path, shards: int) -> None:
    """Encode until a third of the shards are there, and be killed."""
    worker = multiprocessing.get_context("spawn").Process(target=encode_pool, args=(folder, model, store))
    worker.start()
    while worker.is_alive() and len(list(store.glob("*.npy"))) < shards // 3:
        time.sleep(0.2)
    if worker.pid is not None and worker.is_alive():
        os.kill(worker.pid, signal.SIGKILL)
    worker.join()


def rank(folder: Path, model: str, store: Path) -> dict[str, Any]:
    """Rank the pool for all queries, from the store."""
    encoder, benchmark = load_encoder(model, device="cpu"), load_benchmark("miracl", folder)
    queries = encode(encoder, benchmark.queries.texts, query_prompt(encoder))
    evaluate_embeddings(benchmark, queries, open_store(store), ["nDCG@10"])
    return {"queries": len(benchmark.queries), "prompt": passage_prompt(encoder)}


def main() -> None:
    """Write, measure and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["mmarco", "miracl"])
    parser.add_argument("--questions", type=int, default=700_000)
    parser.add_argument("--passages", type=int, help="(default: 1,000,000 and 2,000,000)")
    parser.add_argument("--model", help="folder of a checkpoint")
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "data"
        os.environ["PANGLOT_CACHE"] = str(Path(temporary) / "cache")
        if arguments.what == "mmarco":
            write_mmarco(folder, arguments.questions, arguments.passages or 1_000_000)
            found["read"] = measured(read_pairs, folder)
            found["draw"] = measured(draw, folder)
        else:
            passages = arguments.passages or 2_000_000
            write_miracl(folder, passages)
            store = Path(temporary) / "store"
            model = arguments.model or str(Path(temporary) / "model")
            if not arguments.model:
                write_model(Path(model))
            encode_and_die(folder, model, store, passages // SHARD)
            found["encode the rest"] = measured(encode_pool, folder, model, store)
            found["rank"] = measured(rank, folder, model, store)
        for name in ("data", "cache", "store"):
            files = [path for path in (Path(temporary) / name).rglob("*") if path.is_file()]
            found[f"GB of {name}"] = round(sum(path.stat().st_size for path in files) / 1024**3, 2)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
