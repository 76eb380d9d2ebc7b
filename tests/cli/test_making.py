import msgspec
import pytest
import typer
from typer.testing import CliRunner

from limner.cli import main
from limner.cli.making import train
from limner.models import MODELS
from limner.training.config import TrainConfig


def test_train_has_option_for_every_setting():
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command()(train)
    text = CliRunner().invoke(app, ["--help"], terminal_width=500).output
    structs = [TrainConfig, *(model.config_type for model in MODELS)]
    for field in (field for struct in structs for field in msgspec.structs.fields(struct)):
        name = {"teachers": "teacher"}.get(field.name, field.name.replace("_", "-"))
        assert f"  --{name} " in text, field.name
        silent = field.default in (False, (), msgspec.NODEFAULT) or field.name == "model"
        assert silent or f"default: {field.default}]" in text, field.name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "0"], "--epochs 0: expected a whole number from 1 to 1,000,000"),
        (
            ["--model", "gpt"],
            f"--model gpt: expected one of {', '.join(one.kind for one in MODELS)}",
        ),
        (
            ["--warmup", "0.5"],
            "--warmup has no effect with --schedule epochs: leave it out; docs/training.md has the "
            "settings",
        ),
        (
            ["--attention-dim", "9", "--model", "rnn"],
            "--attention-dim has no effect with --model rnn: leave it out; docs/training.md has "
            "the settings",
        ),
        (["--dropout-output", "1"], "--dropout-output 1: expected a number from 0, below 1"),
    ],
)
def test_train_refuses_invalid_settings(tmp_path, capsys, options, message):
    assert main(["train", str(tmp_path), "--out", str(tmp_path / "run"), *options]) == 2
    assert capsys.readouterr().err == f"limner: {message}\n"
