"""The guide's training text, and the model files that came of it.

No torch here: training itself is checked by `python -m tools.train_guide --smoke`.
"""

import random
from pathlib import Path

import gguf
import jinja2
import numpy as np
import pytest

from tools.guide_gguf import (
    DRAFT,
    Shape,
    Vocabulary,
    count_parameters,
    read_metadata,
    read_weights,
    write_model,
)
from tools.guide_network import parameter_shapes
from tools.guide_text import (
    BEGIN,
    CHAT_TEMPLATE,
    END,
    SPECIAL_TOKENS,
    Samples,
    choose_sentence,
    count_sentences,
    expand,
    normalise,
    read_evaluation,
    read_slots,
    read_topics,
    render,
)
from tools.guide_variation import roughen, vary
from tools.train_guide import QUESTION_WEIGHT, learning_rate_at, weigh

MODELS = Path(__file__).parents[2] / "resources" / "models"
GUIDE_FILE = MODELS / "guide-7m-q8_0.gguf"
DRAFT_FILE = MODELS / "guide-draft-q8_0.gguf"


@pytest.fixture(scope="module")
def topics():
    return read_topics()


@pytest.fixture(scope="module")
def guide_metadata():
    return read_metadata(GUIDE_FILE)


@pytest.fixture(scope="module")
def draft_metadata():
    return read_metadata(DRAFT_FILE)


def test_the_corpus_has_many_topics_with_names_of_their_own(topics):
    assert 90 <= len(topics) <= 200
    assert len({topic.name for topic in topics}) == len(topics)


def test_every_answer_holds_its_key_phrase(topics):
    wrong = [
        topic.name
        for topic in topics
        for answer in topic.answers
        if topic.key not in answer.lower()
    ]
    assert wrong == []


def test_every_topic_is_asked_in_several_ways(topics):
    counts = {topic.name: sum(map(count_sentences, topic.patterns)) for topic in topics}
    assert min(counts.values()) >= 8
    assert sorted(counts.values())[len(counts) // 2] >= 20


def test_no_question_is_asked_of_two_topics(topics):
    owners: dict[str, str] = {}
    for topic in topics:
        for pattern in topic.patterns:
            for sentence in expand(pattern):
                assert owners.setdefault(normalise(sentence), topic.name) == topic.name


def test_no_brace_or_slot_is_left_in_a_question_or_an_answer(topics):
    for topic in topics:
        for sentence in [s for pattern in topic.patterns for s in expand(pattern)]:
            assert not set(sentence) & set("{}|@")
        assert not any(set(answer) & set("{}|@") for answer in topic.answers)


def test_every_slot_is_used():
    corpus = "".join(
        path.read_text(encoding="utf-8")
        for path in (Path(__file__).parents[2] / "tools" / "guide_corpus").glob("*.txt")
    )
    assert all(corpus.count(slot) > 1 for slot in read_slots())


def test_a_line_of_no_known_kind_is_refused(tmp_path):
    (tmp_path / "slots.txt").write_text("", encoding="utf-8")
    (tmp_path / "some.txt").write_text("\n== soup\nkey: soup\nsoup?\n", encoding="utf-8")
    with pytest.raises(ValueError, match="cannot read the line"):
        read_topics(tmp_path)


def test_a_topic_without_an_answer_is_refused(tmp_path):
    (tmp_path / "slots.txt").write_text("", encoding="utf-8")
    (tmp_path / "some.txt").write_text("\n== soup\nkey: soup\n? soup\n", encoding="utf-8")
    with pytest.raises(ValueError, match="answer is missing"):
        read_topics(tmp_path)


def test_a_pattern_stands_for_all_its_sentences():
    pattern = "{is|was} it {hot|}"
    assert list(expand(pattern)) == ["is it hot", "is it", "was it hot", "was it"]
    assert count_sentences(pattern) == 4
    assert choose_sentence(pattern, random.Random(1)) in set(expand(pattern))


def test_variation_is_repeatable_and_never_empty():
    questions = [vary("how do i pause sharing", random.Random(n), light=False) for n in range(300)]
    again = [vary("how do i pause sharing", random.Random(n), light=False) for n in range(300)]
    assert questions == again
    assert all(question.strip() for question in questions)
    assert len(set(questions)) > 100


def test_a_roughened_question_keeps_some_of_its_words():
    for seed in range(300):
        rough = roughen("how do i pause", "pause it now", "Choose Pause.", random.Random(seed))
        assert set(rough.split()) & {"how", "do", "i", "pause"}


def test_samples_repeat_with_a_seed_and_never_hold_an_evaluation_question(topics):
    excluded = frozenset(normalise(entry.question) for entry in read_evaluation())
    first, second = (Samples(topics, 7, excluded) for _ in range(2))
    drawn = [first.draw() for _ in range(300)]
    assert drawn == [second.draw() for _ in range(300)]
    assert all(text.startswith(BEGIN) for text in drawn)
    assert all(END in text for text in drawn)


def test_an_excluded_question_is_never_drawn(topics):
    chosen = [topic for topic in topics if topic.name in ("dangerous", "story moon")]
    banned = normalise("skynet")
    samples = Samples(chosen, 3, frozenset({banned}))
    asked = "".join(samples.draw() for _ in range(400)).lower()
    assert "\nskynet<|end|>" not in asked


def test_rendering_by_hand_equals_the_chat_template():
    messages = [("system", "Be brief."), ("user", "Hello"), ("assistant", "Hi!"), ("user", "Why?")]
    rendered = jinja2.Template(CHAT_TEMPLATE).render(
        bos_token=BEGIN,
        messages=[{"role": role, "content": content} for role, content in messages],
        add_generation_prompt=True,
    )
    assert render(messages, add_generation_prompt=True) == rendered


def test_answers_weigh_more_than_questions():
    begin, end, _, user, assistant = range(len(SPECIAL_TOKENS))
    tokens = [begin, user, 9, end, assistant, 10, end, 11]
    low = QUESTION_WEIGHT
    assert weigh(tokens) == [low, low, low, low, low, 1.0, 1.0, low]
    assert weigh([begin, 9, end]) == [1.0, 1.0, 1.0]


def test_the_learning_rate_rises_and_comes_down():
    rates = [learning_rate_at(progress, 1.0) for progress in (0.0, 0.03, 0.5, 1.0)]
    assert rates[0] < rates[2] < rates[1]
    assert rates[3] == pytest.approx(0.02)


def test_a_written_model_reads_back_within_the_noise_of_q8_0(tmp_path):
    shape = Shape("Tiny", 1, 32, 64, heads=1, key_value_heads=1, head_width=32, vocabulary=8)
    generator = np.random.default_rng(0)
    parameters = {
        name: generator.standard_normal(size).astype(np.float32)
        for name, size in parameter_shapes(shape).items()
    }
    vocabulary = Vocabulary((*SPECIAL_TOKENS, "a", "b", "ab"), ("a b",))
    write_model(tmp_path / "tiny.gguf", shape, vocabulary, parameters, "0M")
    weights = read_weights(tmp_path / "tiny.gguf")
    assert weights.keys() == parameters.keys()
    for name, array in parameters.items():
        np.testing.assert_allclose(weights[name], array, atol=0.02)


def test_the_guide_is_small_and_has_enough_blocks_to_share(guide_metadata):
    assert GUIDE_FILE.stat().st_size <= 10_000_000
    assert guide_metadata["general.architecture"] == "llama"
    assert guide_metadata["general.license"] == "apache-2.0"
    assert guide_metadata["llama.block_count"] >= 8
    assert (
        guide_metadata["llama.attention.head_count_kv"]
        < guide_metadata["llama.attention.head_count"]
    )


def test_the_draft_is_smaller_still(draft_metadata):
    assert DRAFT_FILE.stat().st_size <= 1_500_000
    assert draft_metadata["llama.block_count"] == DRAFT.blocks


def test_both_models_speak_the_same_tokens(guide_metadata, draft_metadata):
    same = [name for name in guide_metadata if name.startswith("tokenizer.")]
    assert len(guide_metadata["tokenizer.ggml.tokens"]) == 2048
    assert guide_metadata["tokenizer.chat_template"] == CHAT_TEMPLATE
    for name in same:
        assert guide_metadata[name] == draft_metadata[name], name


def test_the_guide_holds_every_tensor_of_its_shape():
    reader = gguf.GGUFReader(GUIDE_FILE)
    quantised = {tensor.name for tensor in reader.tensors if tensor.tensor_type.name == "Q8_0"}
    norms = {tensor.name for tensor in reader.tensors if tensor.tensor_type.name == "F32"}
    assert all("norm" in name for name in norms)
    assert "token_embd.weight" in quantised
    assert count_parameters([tuple(t.shape) for t in reader.tensors]) > 5_000_000
