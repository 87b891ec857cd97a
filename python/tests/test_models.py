"""Each network takes small images of any of the published shapes, and all of it learns."""

from __future__ import annotations

import pytest
import torch

from mlvision.config import ModelConfig, ModelName
from mlvision.data.dataset import ImageData, Split
from mlvision.models.build import RawImageClassifier, build_model, count_parameters

SHAPES = {"digits": (1, 8, 8), "fashion_mnist": (1, 28, 28), "cifar10": (3, 32, 32)}
# Of 3 channels and 10 classes: the published numbers (2 542 856, 5 483 032, 11 689 512 with 1000 classes) less the
# 990 classes and, of ResNet, the 7x7 of its stem less the 3x3 that is there.
PARAMETERS: dict[ModelName, int] = {
    "compact_cnn": 24_346,
    "mobilenet_v3_small": 2_542_856 - 990 * (1024 + 1),
    "mobilenet_v3_large": 5_483_032 - 990 * (1280 + 1),
    "resnet18": 11_689_512 - 990 * (512 + 1) - 3 * 64 * (7 * 7 - 3 * 3),
}
NETWORKS = [*PARAMETERS]


def pictures(shape: tuple[int, int, int], count: int = 6) -> ImageData:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, *shape), generator=generator, dtype=torch.uint8)
    split = Split("train", images, torch.arange(count) % 10)
    return ImageData("noise", "a generator", tuple("0123456789"), split, split, split)


def build(name: ModelName, data: ImageData) -> RawImageClassifier:
    torch.manual_seed(0)
    return build_model(ModelConfig(name=name, dropout=0.0), data)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("name", NETWORKS)
def test_a_gradient_reaches_every_weight(name: ModelName, shape: tuple[int, int, int]) -> None:
    data = pictures(shape)
    model = build(name, data).train()
    logits = model(data.train.images)
    assert logits.shape == (len(data.train), 10)
    torch.nn.functional.cross_entropy(logits, data.train.labels).backward()
    dead = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert dead == []
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("name", NETWORKS)
def test_an_image_alone_gets_the_scores_that_it_gets_in_company(name: ModelName, shape: tuple[int, int, int]) -> None:
    data = pictures(shape)
    model = build(name, data).eval()
    with torch.inference_mode():
        torch.testing.assert_close(model(data.test.images[:1]), model(data.test.images)[:1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_features_of_a_small_image_are_more_than_one_value(name: ModelName) -> None:
    """Else every layer before would see nothing but padding."""
    for shape in SHAPES.values():
        sides: list[int] = []
        model = build(name, pictures(shape)).eval()
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d) and module.kernel_size != (1, 1):
                module.register_forward_hook(lambda _m, _i, output, sides=sides: sides.append(output.shape[-1]))
        with torch.inference_mode():
            model(pictures(shape).test.images)
        assert min(sides) >= 2


@pytest.mark.parametrize("name", NETWORKS)
def test_the_number_of_parameters_is_the_published_one(name: ModelName) -> None:
    first = 64 if name == "resnet18" else 16
    assert count_parameters(build(name, pictures((3, 32, 32)))) == PARAMETERS[name]
    assert count_parameters(build(name, pictures((1, 28, 28)))) == PARAMETERS[name] - 2 * first * 3 * 3


def test_normalisation_is_inside_and_of_the_training_images() -> None:
    data = pictures((3, 32, 32))
    model = build("compact_cnn", data)
    seen: list[torch.Tensor] = []
    model.network.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    model(data.train.images)
    torch.testing.assert_close(seen[0].mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(seen[0].std((0, 2, 3)), torch.ones(3), rtol=0, atol=1e-2)
    torch.testing.assert_close(model(data.train.images), model(data.train.images.double()))
