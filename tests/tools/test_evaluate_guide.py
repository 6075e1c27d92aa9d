"""How the guide is questioned; the model itself is asked by `python -m tools.evaluate_guide`."""

import pytest

from tools.evaluate_guide import judge, questions_in_training_text, report, share_of_right
from tools.guide_text import EvaluationQuestion, normalise, read_evaluation, read_topics


def test_sixty_questions_are_asked_and_none_twice():
    questions = [normalise(entry.question) for entry in read_evaluation()]
    assert len(questions) == 60
    assert len(set(questions)) == 60


def test_no_evaluation_question_stands_in_the_training_text():
    assert questions_in_training_text(read_evaluation(), read_topics()) == []


def test_a_question_from_the_training_text_is_found_whatever_its_case():
    leaked = EvaluationQuestion("WHAT is potluck?!", "run large language models together")
    assert questions_in_training_text([leaked], read_topics()) == ["WHAT is potluck?!"]


def test_every_expected_key_phrase_belongs_to_a_topic():
    keys = {topic.key for topic in read_topics()}
    assert [entry.key for entry in read_evaluation() if entry.key not in keys] == []


def test_an_answer_is_right_when_it_holds_the_key_phrase_in_any_case():
    questions = [EvaluationQuestion("Cost?", "potluck is free"), EvaluationQuestion("Why?", "no")]
    outcomes = judge(questions, lambda question: f"{question} Potluck is FREE.")
    assert [outcome.right for outcome in outcomes] == [True, False]
    assert share_of_right(outcomes) == pytest.approx(0.5)


def test_the_report_shows_every_answer_and_the_share():
    outcomes = judge([EvaluationQuestion("Cost?", "free")], lambda _: "It is free.")
    assert "It is free." in report(outcomes)
    assert "1 of 1 right: 100.0%" in report(outcomes)
