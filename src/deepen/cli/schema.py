"""`deepen schema`: the JSON Schema of a recipe."""

from __future__ import annotations

from deepen.cli import show

NAME = "schema"
HELP = """Print the JSON Schema of a recipe: every setting with its default and why.

\b
  deepen schema > recipe.schema.json
"""


def command() -> None:
    """Prints the schema."""
    from deepen.preparation.recipe import recipe_type

    show.print_json(recipe_type().model_json_schema(), indent=2)
