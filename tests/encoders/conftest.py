"""What several tests of encoders need: a small LASER2."""

import io
from pathlib import Path

import pytest
import sentencepiece
import torch
from torch import nn

from panglot.data import sample_pairs


@pytest.fixture(scope="session")
def laser_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``laser2.pt`` and ``laser2.spm`` in the layout of Meta's release, small and random.

    Two layers of LSTM instead of five, 6 and 5 units wide; 800 pieces of the sample's texts, whose numbers
    in the dictionary run the other way round than in the SentencePiece model.
    """
    folder = tmp_path_factory.mktemp("laser2")
    table = sample_pairs().table
    texts = [text.lower() for name in ("query", "passage") for text in table.column(name).to_pylist()]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        vocab_size=800,
        character_coverage=0.98,
        minloglevel=2,
    )
    (folder / "laser2.spm").write_bytes(model.getvalue())
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    names = [pieces.id_to_piece(number) for number in range(3, pieces.get_piece_size())]
    names = ["<s>", "<pad>", "</s>", "<unk>", *reversed(names)]
    torch.manual_seed(0)
    table_of_pieces = nn.Embedding(len(names), 6, padding_idx=1)
    lstm = nn.LSTM(6, 5, num_layers=2, bidirectional=True)
    release = {
        "params": {
            "num_embeddings": len(names),
            "padding_idx": 1,
            "embed_dim": 6,
            "hidden_size": 5,
            "num_layers": 2,
            "bidirectional": True,
            "left_pad": True,
            "padding_value": 0.0,
        },
        "model": {
            "embed_tokens.weight": table_of_pieces.weight.detach(),
            **{f"lstm.{name}": weight.detach() for name, weight in lstm.named_parameters()},
        },
        "dictionary": {name: number for number, name in enumerate(names)},
    }
    torch.save(release, folder / "laser2.pt")
    return folder
