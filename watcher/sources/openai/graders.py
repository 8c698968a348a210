"""The graders of reinforcement fine-tuning, as a job object describes them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from watcher.sources.lenient import Number, Part, Text, Texts, Tolerant


class InputText(Part):
    """Text given to the grading model."""

    type: Literal["input_text"]
    text: Text = None


class OutputText(Part):
    """Text that a model wrote."""

    type: Literal["output_text"]
    text: Text = None


class InputImage(Part):
    """An image given to the grading model."""

    type: Literal["input_image"]
    image_url: Text = None
    detail: Text = None
    """`high`, `low` or `auto`."""


class Audio(Part):
    """A recording."""

    data: Text = None
    """Base64."""
    format: Text = None
    """`mp3` or `wav`."""


class InputAudio(Part):
    """A recording given to the grading model."""

    type: Literal["input_audio"]
    input_audio: Tolerant[Audio] = None


class OtherContent(Part):
    """Content of a type that this program does not know."""

    type: str


KnownContent: TypeAlias = Annotated[InputText | OutputText | InputImage | InputAudio, Field(discriminator="type")]
Content: TypeAlias = Annotated[str | KnownContent | OtherContent, Field(union_mode="left_to_right")]


class EvalItem(Part):
    """A message that the grading model gets; its texts may be templates."""

    role: Text = None
    """`user`, `assistant`, `system` or `developer`."""
    content: Tolerant[Annotated[Content | list[Tolerant[Content]], Field(union_mode="left_to_right")]] = None
    type: Text = None
    """Always `message`, when it is there."""


class StringCheckGrader(Part):
    """Compares two strings."""

    type: Literal["string_check"]
    name: Text = None
    input: Text = None
    reference: Text = None
    operation: Text = None
    """`eq`, `ne`, `like` or `ilike`."""


class TextSimilarityGrader(Part):
    """Measures how much alike two texts are."""

    type: Literal["text_similarity"]
    name: Text = None
    input: Text = None
    reference: Text = None
    evaluation_metric: Text = None
    """`cosine`, `fuzzy_match`, `bleu`, `gleu`, `meteor`, `rouge_1` to `rouge_5`, or `rouge_l`."""


class PythonGrader(Part):
    """Runs a Python script."""

    type: Literal["python"]
    name: Text = None
    source: Text = None
    image_tag: Text = None


class SamplingParams(Part):
    """How the grading model samples."""

    max_completions_tokens: Number = None
    reasoning_effort: Text = None
    seed: Number = None
    temperature: Number = None
    top_p: Number = None


class ScoreModelGrader(Part):
    """Lets a model give a score."""

    type: Literal["score_model"]
    name: Text = None
    model: Text = None
    input: Tolerant[list[Tolerant[EvalItem]]] = None
    range: Tolerant[list[Number]] = None
    sampling_params: Tolerant[SamplingParams] = None


class LabelModelGrader(Part):
    """Lets a model give a label."""

    type: Literal["label_model"]
    name: Text = None
    model: Text = None
    input: Tolerant[list[Tolerant[EvalItem]]] = None
    labels: Texts = None
    passing_labels: Texts = None


class MultiGrader(Part):
    """Combines the scores of several graders by a formula."""

    type: Literal["multi"]
    name: Text = None
    calculate_output: Text = None
    graders: Graders = None


class OtherGrader(Part):
    """A grader of a type that this program does not know."""

    type: str
    name: Text = None


KnownGrader: TypeAlias = Annotated[
    StringCheckGrader | TextSimilarityGrader | PythonGrader | ScoreModelGrader | LabelModelGrader | MultiGrader,
    Field(discriminator="type"),
]
Grader: TypeAlias = Annotated[KnownGrader | OtherGrader, Field(union_mode="left_to_right")]
Graders: TypeAlias = Tolerant[
    Annotated[
        Grader | list[Tolerant[Grader]] | dict[str, Tolerant[Grader]],
        Field(union_mode="left_to_right"),
    ]
]
"""One grader, as the reference has it, or a map of them, as the API really answers; a list does no harm."""

MultiGrader.model_rebuild()
