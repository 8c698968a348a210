"""The graders of reinforcement jobs, as the job object shows them: one of every type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watcher.simulator.script import Grader

_STRING_CHECK: Mapping[str, Any] = {
    "type": "string_check",
    "name": "exact answer",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.reference_answer }}",
    "operation": "eq",
}
_TEXT_SIMILARITY: Mapping[str, Any] = {
    "type": "text_similarity",
    "name": "close to the reference",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.reference_answer }}",
    "evaluation_metric": "fuzzy_match",
}
_PYTHON: Mapping[str, Any] = {
    "type": "python",
    "name": "right number",
    "source": "def grade(sample, item):\n    return float(sample['output_text'].strip() == item['answer'])\n",
    "image_tag": "2025-05-08",
}
_MESSAGES: list[Mapping[str, Any]] = [
    {"type": "message", "role": "system", "content": "Mark the answer from 0 to 1."},
    {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "{{ item.question }}"},
            {"type": "output_text", "text": "{{ sample.output_text }}"},
            {"type": "input_image", "image_url": "{{ item.picture }}", "detail": "low"},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        ],
    },
]
_SCORE_MODEL: Mapping[str, Any] = {
    "type": "score_model",
    "name": "helpfulness",
    "model": "gpt-4.1-2025-04-14",
    "input": _MESSAGES,
    "range": [0, 1],
    "sampling_params": {
        "max_completions_tokens": 1024,
        "reasoning_effort": "low",
        "seed": 42,
        "temperature": 0.2,
        "top_p": 1.0,
    },
}
_LABEL_MODEL: Mapping[str, Any] = {
    "type": "label_model",
    "name": "tone",
    "model": "gpt-4.1-2025-04-14",
    "input": _MESSAGES,
    "labels": ["polite", "neutral", "rude"],
    "passing_labels": ["polite", "neutral"],
}
_MULTI: Mapping[str, Any] = {
    "type": "multi",
    "name": "everything",
    "calculate_output": "0.2 * (exact + close + number + helpful + tone)",
    # The reference types this as one object; the API gives a map from names to graders.
    "graders": {
        "exact": _STRING_CHECK,
        "close": _TEXT_SIMILARITY,
        "number": _PYTHON,
        "helpful": _SCORE_MODEL,
        "tone": _LABEL_MODEL,
    },
}

GRADERS: Mapping[Grader, Mapping[str, Any]] = {
    Grader.STRING_CHECK: _STRING_CHECK,
    Grader.TEXT_SIMILARITY: _TEXT_SIMILARITY,
    Grader.PYTHON: _PYTHON,
    Grader.SCORE_MODEL: _SCORE_MODEL,
    Grader.MULTI: _MULTI,
}
"""One grader of every type that a job can have. A label model stands only within a multi grader."""
