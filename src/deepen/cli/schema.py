"""`deepen schema`: the JSON Schema of a recipe."""

from __future__ import annotations

import json

NAME = "schema"
NEEDS_ARGUMENTS = False
HELP = """Print the JSON Schema of a recipe: every setting with its default and why.

\b
  deepen schema > recipe.schema.json
"""


def command() -> None:
    """Prints the schema."""
    from deepen.ladder.recipe import recipe_type

    print(json.dumps(recipe_type().model_json_schema(), ensure_ascii=False, indent=2))
