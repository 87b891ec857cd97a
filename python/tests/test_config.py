"""A wrong setting is named by its path, with the nearest right one."""

from __future__ import annotations

import pytest

from mlvision.config import TrainConfig, parse_config
from mlvision.errors import ConfigError


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ({"optimiser": {}}, "optimiser is not a setting; did you mean optimizer?"),
        ({"optimizer": {"Lr": 1}}, "did you mean optimizer.lr?"),
        ({"data": {"augment": {"translat": 3}}}, "did you mean data.augment.translate?"),
        ({"model": {"name": "resnet"}}, 'model.name is "resnet"; did you mean resnet18?'),
        ({"epochs": 0}, "epochs is 0; input should be greater than or equal to 1."),
        ({"epochs": "5"}, 'epochs is "5"; input should be a valid integer.'),
        ({"data": []}, "data is []; it must be an object."),
        ("{", "the configuration is not JSON"),
    ],
)
def test_a_wrong_setting_is_named_with_the_nearest_right_one(raw: object, sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(raw)  # type: ignore[arg-type]
    assert sentence in str(error.value)


def test_a_configuration_survives_its_own_json() -> None:
    config = parse_config({"data": {"root": "/données/a b"}, "optimizer": {"lr": 1}})
    assert parse_config(config.model_dump_json()) == config


def test_every_setting_has_a_description() -> None:
    schema = TrainConfig.model_json_schema()
    sections = [schema, *schema["$defs"].values()]
    fields = [(name, field) for section in sections for name, field in section["properties"].items()]
    assert len(fields) > 30
    # A section's description stands once, where the section is defined.
    assert [name for name, field in fields if not field.get("description") and "$ref" not in field] == []
    assert all(section.get("description") for section in sections)
