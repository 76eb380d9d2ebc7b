import subprocess
import sys
import time
from importlib import import_module

import pytest

import limner
from limner.cli import COMMANDS
from limner.typing import Array, Float

HELP = "from limner.cli import main; main(['--help'])"


def seconds(code):
    """The shortest of several runs of some code in a process of its own."""
    times = []
    for _ in range(4):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return min(times)


def test_import_and_help_take_little_more_than_numpy():
    numpy = seconds("import numpy")
    assert seconds("import limner") < 1.5 * numpy + 0.1
    assert seconds(HELP) < 3 * numpy + 0.1


@pytest.mark.parametrize("code", ["import limner", HELP])
def test_nothing_slow_is_imported_before_it_is_used(code):
    code += "; import sys; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    slow = {"numpy", "jaxtyping", "h5py", "PIL", "rich", "onnxruntime", "limner.captioner"}
    slow |= {"urllib3", "filelock", "charset_normalizer"}
    assert not slow & set(done.stderr.split())


def test_public_names_are_those_of_their_modules():
    assert sorted(limner.HOMES) == sorted(limner.__all__)
    for name, home in limner.HOMES.items():
        assert getattr(limner, name) is getattr(import_module(home), name)
    assert set(limner.__all__) <= set(dir(limner))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        limner.nonsense  # noqa: B018


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_listed_with_the_beginning_of_its_help(name):
    home, summary = COMMANDS[name]
    module = import_module(f"limner.cli.{home}")
    command = module.root if name == "dataset" else getattr(module, name)
    assert " ".join(command.__doc__.split()).startswith(summary.removesuffix("."))


def test_shapes_are_checked_while_tests_run():
    from limner.layers import affine_forward

    assert Float[Array, "N D"] is not Array
    with pytest.raises(Exception, match="Type-check"):
        affine_forward([1], [2], [3])
