"""The tests of a small project that uses promptdeck's pytest plugin, as its owner writes them."""

import asyncio

import pytest
from assistant import LABELS, assist, classify, extract, summarise, translate

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def test_the_assistant_uses_its_tool(openai_client):
    assert assist(openai_client, "What is the weather in Paris?")


def test_a_summary_comes_in_pieces(openai_client):
    pieces = list(summarise(openai_client, "The train to Lyon was late because of snow."))
    assert len(pieces) > 1


@pytest.mark.cassette(draws=3)
def test_the_classifier_tries_again(openai_client):
    assert classify(openai_client, "The train was late and cold.") in (*LABELS, "unsure")


def test_a_batch_of_ten(async_openai_client):
    answers = asyncio.run(translate(async_openai_client, WORDS))
    assert len(answers) == len(WORDS)
    assert all(answers)


def test_the_extractor_reads_json(openai_client):
    assert isinstance(extract(openai_client, "Ada is 36 years old."), dict)
