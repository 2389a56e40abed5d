"""The fabricated run that every test of the report reads."""

import pytest
from tests.reporting.fabricate import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run") / "reviews it's")
