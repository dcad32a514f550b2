"""Whether students leave to a library what they should write themselves."""

from __future__ import annotations

from collections.abc import Iterable

from chainrule.lesson.student import NeedsReview

ATTENTION = {
    "scaled_dot_product_attention",
    "multi_head_attention_forward",
    "_native_multi_head_attention",
    "_transformer_encoder_layer_fwd",
}
NORM = {"layer_norm", "native_layer_norm", "rms_norm"}


def expect_own(used: Iterable[str], name: str, ready_made: Iterable[str]) -> None:
    """None of PyTorch's ready-made functions ran.

    Args:
        used: what `Function.used` or `Model.used` returned.
        name: of the student's function or class.
        ready_made: names of PyTorch's functions, such as `ATTENTION`.
    Raises:
        NeedsReview: one ran. A person decides what that means: the student may only have compared results.

    >>> expect_own({"softmax", "matmul"}, "attention", ATTENTION)
    """
    ran = sorted(set(used) & set(ready_made))
    if ran:
        raise NeedsReview(f"`{name}` leaves its work to PyTorch ({', '.join(ran)}): write it yourself")
