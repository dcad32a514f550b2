"""Whether a mechanism that students write themselves is left to a library."""

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
    """None of PyTorch's ready-made functions for it ran.

    Args:
        used: what `Function.used` or `Model.used` gave.
        name: what the student calls the function or class.
        ready_made: names of the functions.
    Raises:
        NeedsReview: one did. A person decides, since it may be a comparison left in the code.
    """
    found = sorted(set(used) & set(ready_made))
    if found:
        raise NeedsReview(f"`{name}` leaves its work to PyTorch ({', '.join(found)}): write it yourself")
