"""The model card: front matter that hubs read, tables that hold, and plain limits."""

import json
import re

import yaml
from tests.reporting.fabricate import make_run

from deepen.core.ladder import Ladder
from deepen.preparation.recipe import make_recipe
from deepen.reporting import card as whole

RECIPE = {"task": "classification", "training": {"learning_rate": 2e-5, "epochs": 3}, "note": "a ``` fence"}
ENVIRONMENT = {"versions": {"torch": "2.13.0"}, "seed": 0, "machine": {"host": "secret-host"}, "git_commit": None}


def ladder_of(run):
    return json.loads((run / "ladder.json").read_text(encoding="utf-8"))


def card(ladder, recipe, environment):
    return whole.card(Ladder.model_validate(ladder), recipe, environment)


def front_of(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_front_matter(run):
    front = front_of(card(ladder_of(run), RECIPE, ENVIRONMENT))
    assert front["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert front["pipeline_tag"] == "text-classification"
    assert front["tags"] == ["deepen", "full", "text-classification"]
    ladder = ladder_of(run)
    for row in ladder["rungs"]:
        row["opens_with"] = None
    assert "pipeline_tag" not in front_of(card(ladder, RECIPE, ENVIRONMENT)), "no pipeline reads it"
    assert front["license"] == "unknown"
    assert "language" not in front
    result = front["model-index"][0]["results"][0]
    assert result["dataset"] == {"name": "reviews.csv", "type": "reviews.csv", "split": "test"}
    assert result["metrics"][0]["type"] == "accuracy"
    assert 0 < result["metrics"][0]["value"] <= 1


def test_language_and_licence(run):
    ladder = Ladder.model_validate(ladder_of(run))
    text = whole.card(ladder, {}, {}, language="zh")
    assert front_of(text)["language"] == "zh"
    assert "Language: `zh`. Licence: unknown; whoever" in text
    text = whole.card(ladder, {"card": {"language": "yue", "license": "cc-by-4.0"}}, {}, language="zh")
    assert (front_of(text)["language"], front_of(text)["license"]) == ("yue", "cc-by-4.0")
    assert "Language: `yue`. Licence: `cc-by-4.0`." in text
    assert "Language: not told by the script" in whole.card(ladder, {}, {})


def test_settings_that_were_not_used_are_left_out(run):
    recipe = make_recipe({"task": "classification", "ladder": {"budget": "5m"}}).model_dump(mode="json")
    text = card(ladder_of(run), recipe, {})
    settings = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert set(settings["rungs"]) == {"full"}
    assert set(settings["tasks"]) == {"classification"}
    assert "self_training" not in settings
    assert settings["ladder"]["budget"] == "5m"
    assert len(text.split("```yaml\n")[1].split("```")[0].splitlines()) < 90
    assert "rungs" not in yaml.safe_load(
        card(ladder_of(run) | {"chosen": "majority"}, recipe, {}).split("```yaml\n")[1].split("```")[0]
    )


def test_a_local_model_is_not_named_as_a_hub_model(run):
    for model in ("/home/me/model", "./model", "C:\\model", "all-MiniLM-L6-v2", None):
        assert "base_model" not in front_of(card(ladder_of(run) | {"model": model}, {}, {}))


def test_content(run):
    text = card(ladder_of(run), RECIPE, ENVIRONMENT)
    for words in [
        "# reviews.csv: full",
        "On 600 test examples its accuracy is 0.",
        'SentenceTransformer("FOLDER").encode',
        "deepen predict 'runs/reviews it'\"'\"'s' --text",
        "Before tuning, by the nearest class centroid of the untouched encoder: 0.402 (0.360 to 0.440).",
        "The cheapest rung that is not significantly worse than the chosen one is `top_layers`.",
        "## Each class on test, hardest first",
        "- train: 5,000 examples",
        "learning_rate: 2.0e-05",
        "one temperature (1.31), fitted on validation",
        "It does not cover another seed",
        "torch: 2.13.0",
    ]:
        assert words in text, words
    assert "secret-host" not in text
    assert "There was no test set" not in text
    assert text.endswith("\n")


def test_labels_cannot_break_tables_or_become_html(run):
    text = card(ladder_of(run), RECIPE, ENVIRONMENT)
    body = text.split("---\n", 2)[2]
    assert "`<script>alert(1)</script>`" in body
    assert "<script>" not in re.sub(r"`[^`\n]*`", "", body)
    assert "中性 \\| 一般" in body
    for table in body.split("\n\n"):
        rows = [row for row in table.split("\n") if row.startswith("| ")]
        assert len({row.replace("\\|", "").count("|") for row in rows}) <= 1


def test_the_fence_is_longer_than_any_in_the_settings(run):
    text = card(ladder_of(run), RECIPE, ENVIRONMENT)
    assert "````yaml\ntask: classification" in text


def test_without_a_test_set(tmp_path):
    text = card(ladder_of(make_run(tmp_path, test=False, n=200)), {}, {})
    assert "There was no test set" in text
    assert "## Scores on validation" in text
    assert "## Training settings" not in text


def test_a_lexical_model_claims_no_encoder(run):
    text = card(ladder_of(run) | {"chosen": "lexical"}, {}, {})
    front = front_of(text)
    assert "base_model" not in front
    assert "library_name" not in front
    assert "SentenceTransformer" not in text
    assert "no pretrained language model is in it" in text


def test_a_model_that_only_deepen_reads_claims_no_other_tool(run):
    ladder = ladder_of(run)
    for row in ladder["rungs"]:
        row["read_by_others"] = row["rung"] != "full"
    text = card(ladder, {}, {})
    assert "library_name" not in front_of(text)
    assert front_of(text)["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert "SentenceTransformer" not in text
    assert "only Deepen puts its parts together" in text
    assert "fits the gap" not in text
    chosen = next(row for row in ladder["rungs"] if row["rung"] == "full")
    chosen["ran"] = {"pattern": "{} It was [MASK]."}
    assert "It reads a text as `{} It was [MASK].` and says which label's word fits the gap." in card(ladder, {}, {})


def test_what_was_not_trained_is_not_called_trained(run):
    ladder = ladder_of(run)
    for rung in ("zero_shot", "few_shot"):
        text = card(ladder | {"chosen": rung}, {}, {})
        assert f"as it was pretrained, at the rung `{rung}`" in text
        assert "with a head, trained" not in text
    assert "with a head, trained up to the rung `full`" in card(ladder, {}, {})
    ladder["rungs"].append({"rung": "few_shot", "status": "done", "network": "untouched"})
    text = card(ladder | {"chosen": "few_shot"}, {}, {})
    assert "as it was pretrained, at the rung `few_shot`" in text


def test_an_almost_empty_ladder():
    text = card({"task": "classification", "chosen": "majority", "rungs": []}, {}, {})
    assert "# classification: majority" in text
    assert "## The ladder" not in text
