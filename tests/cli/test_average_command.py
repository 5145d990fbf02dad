"""``panglot average``, run for real."""

import json
from pathlib import Path

import pytest
import torch

from panglot import load_encoder
from panglot.cli import main


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["panglot", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_the_average_is_written_with_its_facts_and_loads_again(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load_encoder(str(tiny_checkpoint), device="cpu")
    start = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    model.save_pretrained(str(tmp_path / "later"))
    output = tmp_path / "mean"
    arguments = ("average", tiny_checkpoint, tmp_path / "later", "--weights", "3,1", "--output", output)
    assert run(monkeypatch, *arguments, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert [m["name"] for m in facts["models"]] == [str(tiny_checkpoint), str(tmp_path / "later")]
    assert json.loads((output / "average.json").read_text()) == facts
    averaged = load_encoder(str(output), device="cpu").state_dict()
    for name, value in averaged.items():
        assert torch.allclose(value, start[name] + (0.25 if value.is_floating_point() else 0), atol=1e-6), (
            name
        )
    assert run(monkeypatch, *arguments) == 2  # the folder is not empty now
    assert "choose another output folder" in capsys.readouterr().err
