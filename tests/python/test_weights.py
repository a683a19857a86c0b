# SPDX-License-Identifier: Apache-2.0
"""Weight files go both ways between the trainer and Python: the same logits from the same file."""
import os
import pathlib
import subprocess

import pytest
import torch
from resnet import ResNet
from torch import nn

TOOL = pathlib.Path(os.environ["GRADWIRE_BUILD_DIR"]) / "tests" / "gradwire_weights_tool"

MODELS = {
    "resnet18": lambda: ResNet([64, 128, 256, 512], 2),
    "resnet20": lambda: ResNet([16, 32, 64], 3),
    "resnet8": lambda: ResNet([16, 32, 64], 1),
}


@pytest.fixture(params=MODELS)
def name(request):
    return request.param


def fixed_images():
    return (torch.arange(4 * 3 * 32 * 32, dtype=torch.float32) * 0.618).remainder(4.0).sub(2.0).reshape(4, 3, 32, 32)


def run_tool(verb, name, weights, logits):
    command = [TOOL, verb, name, weights, logits]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def cpp_logits(verb, name, weights, folder):
    done = run_tool(verb, name, weights, folder / "logits")
    assert done.returncode == 0, done.stderr
    return torch.frombuffer(bytearray((folder / "logits").read_bytes()), dtype=torch.float32).reshape(4, 10)


def python_logits(model):
    with torch.no_grad():
        return model.eval()(fixed_images())


def trained(name):
    """A model whose running statistics are not those of a new one."""
    model = MODELS[name]()
    model(torch.randn(8, 3, 32, 32))
    return model


def assert_same(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_python_reads_what_cpp_saves(name, tmp_path):
    logits = cpp_logits("save", name, tmp_path / "cpp.pt", tmp_path)
    state = torch.load(tmp_path / "cpp.pt", weights_only=True)
    model = MODELS[name]()
    assert type(state) is dict
    assert list(state) == list(model.state_dict())
    assert all(not tensor.requires_grad for tensor in state.values())
    assert state["bn1.num_batches_tracked"] == 1
    model.load_state_dict(state, strict=True)
    assert_same(python_logits(model), logits)


def test_cpp_reads_what_python_saves(name, tmp_path):
    model = trained(name)
    assert hasattr(model.state_dict(), "_metadata")  # the OrderedDict's attribute makes a pickle of its own kind
    torch.save(model.state_dict(), tmp_path / "python.pt")
    assert_same(cpp_logits("load", name, tmp_path / "python.pt", tmp_path), python_logits(model))


@pytest.mark.parametrize(
    "convert",
    [
        pytest.param(dict, id="a plain dict"),
        pytest.param(lambda state: {k: nn.Parameter(v, v.is_floating_point()) for k, v in state.items()}, id="params"),
        pytest.param(lambda state: {k: v.double() for k, v in state.items()}, id="float64"),
        pytest.param(
            lambda state: {k: v.to(memory_format=torch.channels_last) if v.dim() == 4 else v for k, v in state.items()},
            id="channels last",
        ),
        pytest.param(
            lambda state: {k: torch.stack([torch.zeros_like(v), v])[1] for k, v in state.items()}, id="views into larger storages"
        ),
        pytest.param(
            lambda state: {"module._orig_mod." + k.replace("conv1.", "conv1._checkpoint_wrapped_module."): v for k, v in state.items()},
            id="the names of a wrapped model",
        ),
        pytest.param(
            lambda state: {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}, id="no num_batches_tracked"
        ),
    ],
)
def test_cpp_reads_other_dicts_of_tensors(convert, tmp_path):
    model = trained("resnet8")
    torch.save(convert(model.state_dict()), tmp_path / "python.pt")
    assert_same(cpp_logits("load", "resnet8", tmp_path / "python.pt", tmp_path), python_logits(model))


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_cpp_reads_every_protocol_from_2_on(protocol, tmp_path):
    model = trained("resnet8")
    torch.save(model.state_dict(), tmp_path / "python.pt", pickle_protocol=protocol)
    assert_same(cpp_logits("load", "resnet8", tmp_path / "python.pt", tmp_path), python_logits(model))


@pytest.mark.parametrize(
    "save, found",
    [
        pytest.param(lambda m, path: torch.save(m, path), "other Python objects", id="a whole module"),
        pytest.param(
            lambda m, path: torch.save({"model": m.state_dict(), "epoch": 3}, path), "entry 'model'", id="a nested dict"
        ),
        pytest.param(lambda m, path: torch.save([1.5], path), "other Python objects", id="a list"),
        pytest.param(
            lambda m, path: torch.save(m.state_dict(), path, _use_new_zipfile_serialization=False),
            "no checkpoint",
            id="the format before torch 1.6",
        ),
        pytest.param(
            lambda m, path: torch.save(m.state_dict(), path, pickle_protocol=1), "protocol 0 or 1", id="pickle protocol 1"
        ),
        pytest.param(
            lambda m, path: torch.save({**m.state_dict(), "module.bn1.bias": m.bn1.bias}, path),
            "unknown to the model: module.bn1.bias",
            id="two names of one parameter",
        ),
    ],
)
def test_cpp_refuses_what_is_no_state_dict_of_the_model(save, found, tmp_path):
    save(trained("resnet8"), tmp_path / "python.pt")
    done = run_tool("load", "resnet8", tmp_path / "python.pt", tmp_path / "logits")
    assert done.returncode == 1
    assert found in done.stderr and str(tmp_path / "python.pt") in done.stderr
