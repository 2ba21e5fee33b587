"""What every flavor does with the properties that it is given: read them, or say what is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from harness.complaints import invalid
from harness.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

Model = TypeVar("Model", bound=BaseModel)


def checked(model: type[Model], properties: Mapping[str, Any]) -> Model:
    """Return properties, in InfraKit's spelling, as a flavor's own model.

    Raises:
        InvalidInputError: With every problem, placed below ``$``.
    """
    try:
        return model.model_validate_json(json.dumps(properties))
    except ValidationError as error:
        raise InvalidInputError(invalid(model, error, "properties", "$")) from error
