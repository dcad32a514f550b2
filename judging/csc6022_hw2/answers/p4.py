"""Answers to problem 4 of Homework 2."""

from __future__ import annotations

from chainrule.authoring.answers import Exercise, Problem, Wrong

# Short names for the checks of each graded cell, in their order there.
CHECKS = {
    "p4_1-choices": ("operations", "positions", "small data"),
    "p4_4-patches": ("patches", "length"),
    "p4_5-features": ("sequential", "parallel", "sharing", "encoding", "local", "global"),
}


def all_of(item: str, *spared: str) -> set[str]:
    """Every check of an item but those spared."""
    return set(CHECKS[item]) - set(spared)


def choices(operations: object = "B", positions: object = "B", small: object = "B") -> str:
    return f"choices = {{'operations': {operations!r}, 'positions': {positions!r}, 'small data': {small!r}}}"


RIGHT_CHOICES = {
    "letters": choices(),
    "small letters": choices("b", "b", "b"),
    "brackets": choices("(B)", "B)", "B."),
    "named options": choices("option B", "Answer: B", "b "),
    "their texts": choices("Convolution and pooling", "To remember where each image patch came from", "CNN"),
    "letter and text": choices("B: convolution and pooling", "B", "B) the CNN"),
    "plural": choices("convolutions and pooling", "B", "CNNs"),
}

WRONG_CHOICES = {
    "multiplication": Wrong({"operations"}, "a plain MLP too", choices("A")),
    "attention": Wrong({"operations"}, "what a Transformer is built from", choices("c")),
    "training": Wrong(
        {"operations"}, "these train a network", choices("Gradient descent and backpropagation")
    ),
    "colour": Wrong({"positions"}, "the colours are in", choices("B", "A")),
    "time": Wrong({"positions"}, "makes nothing quicker", choices("B", "C")),
    "size": Wrong({"positions"}, "adds parameters", choices("B", "D")),
    "ViT on small data": Wrong({"small data"}, "far more of it", choices("B", "B", "ViT")),
    "both": Wrong({"small data"}, "inductive bias", choices("B", "B", "C")),
    "neither": Wrong({"small data"}, "small CNNs work well", choices("B", "B", "D")),
    "no such letter": Wrong({"operations"}, "not one of: A, B, C, D", choices("E")),
    "two letters": Wrong({"positions"}, "not one of", choices("B", "AB")),
    "several": Wrong({"positions"}, "not one of", choices("B", ["A", "B"])),
    "a number": Wrong({"small data"}, "not one of", choices("B", "B", 2)),
    "one left out": Wrong({"small data"}, 'no choices["small data"] yet', choices("B", "B", None)),
    "no dict": Wrong(all_of("p4_1-choices"), "write a dict", "choices = 'BBB'"),
    "everything": Wrong(all_of("p4_1-choices"), "not one of", choices(*["A B C D"] * 3)),
}


def patch(patches: str = "196", length: str = "768") -> str:
    return f"patches = {patches}\nlength = {length}"


RIGHT_PATCHES = {
    "numbers": patch(),
    "products": patch("14 * 14", "16 * 16 * 3"),
    "texts": patch('"14*14"', '"16·16·3"'),
    "crosses": patch('"14 x 14"', '"16x16x3"'),
    "powers": patch('"14^2"', '"3 * 16^2"'),
    "quotients": patch("224 / 16 * 224 / 16", '"224*224*3 / 196"'),
    "TeX": patch(r'r"14 \times 14"', r'r"16 \cdot 16 \cdot 3"'),
    "tensors": "import torch\n" + patch("torch.tensor(196)", "torch.rand(16, 16, 3).flatten().shape[0]"),
    "floats": patch("196.0", "768.0"),
}

WRONG_PATCHES = {
    "one row": Wrong({"patches"}, "in one row", patch("14")),
    "divided by one side": Wrong({"patches"}, "divide both sides", patch("224 * 224 // 16")),
    "pixels": Wrong({"patches"}, "counts pixels", patch("224 * 224")),
    "times channels": Wrong({"patches"}, "channels make no more", patch("196 * 3")),
    "class token": Wrong({"patches"}, "the class token", patch("197")),
    "added": Wrong({"patches"}, "don't add", patch("28")),
    "overlapping": Wrong({"patches"}, "don't overlap", patch("209 ** 2")),
    "channels forgotten": Wrong({"length"}, "colour channels are forgotten", patch(length="256")),
    "one side": Wrong({"length"}, "16 counts twice", patch(length="48")),
    "whole picture": Wrong({"length"}, "the whole image", patch(length="224 * 224 * 3")),
    "added sizes": Wrong({"length"}, "don't add", patch(length="35")),
    "RGBA": Wrong({"length"}, "not four", patch(length="1024")),
    "exchanged": Wrong({"patches", "length"}, "off by", patch("768", "196")),
    "rows and columns": Wrong({"patches"}, "2 numbers", patch("(14, 14)")),
    "no number": Wrong({"length"}, "no number", patch(length='"long"')),
    "a fraction": Wrong({"patches"}, "no whole number", patch("13.5")),
    "one missing": Wrong({"length"}, "no `length` yet", "patches = 196"),
    "zeros": Wrong({"patches", "length"}, "off by", patch("0", "0")),
}

LABELS = ["Neither", "Vision Transformers only", "CNNs only", "Vision Transformers only", "CNNs only"]
LABELS += ["Vision Transformers only"]


def features(**changes: object) -> str:
    """The cell with some labels written otherwise; "far" stands for the key "global"."""
    table: dict[str, object] = dict(zip(CHECKS["p4_5-features"], LABELS, strict=True))
    table.update(("global" if key == "far" else key, label) for key, label in changes.items())
    return f"features = {table}"


RIGHT_FEATURES = {
    "labels": features(),
    "as in the handout": features(sequential="Neither architectures", sharing="Both architectures"),
    "short": features(
        sequential="neither", parallel="ViT", sharing="CNN", encoding="vit", local="cnn", far="VIT"
    ),
    "plurals": features(
        parallel="ViTs", sharing="CNNs", encoding="ViTs only", local="CNNS ONLY", far="Transformers"
    ),
    "spelt out": features(parallel="only Vision Transformers", local="Convolutional neural networks (only)"),
    "an apostrophe": features(local="CNN's only", far="ViT’s"),
    "spaces and stops": features(local=" CNNs  only. ", sequential="none of them"),
    "sequence as an arrangement": features(sequential="ViT only"),
    "windows in parallel": features(parallel="both"),
    "embedding shared": features(sharing="Both"),
    "attention has no positions": features(far="neither"),
    "all second readings": features(sequential="ViT", parallel="both", sharing="both", far="neither"),
    "both named": features(parallel="CNNs and ViTs", sharing="both CNNs and ViTs"),
}

WRONG_FEATURES = {
    "a CNN in sequence": Wrong({"sequential"}, "computed everywhere at once", features(sequential="CNN")),
    "both in sequence": Wrong({"sequential"}, "in no order", features(sequential="both")),
    "CNN in parallel": Wrong({"parallel"}, "one matrix product", features(parallel="CNN")),
    "none in parallel": Wrong({"parallel"}, "one matrix product", features(parallel="neither")),
    "ViT alone shares": Wrong({"sharing"}, "every place of the image", features(sharing="ViT")),
    "none shares": Wrong({"sharing"}, "every place of the image", features(sharing="neither")),
    "CNN needs positions": Wrong({"encoding"}, "ordered by place", features(encoding="CNN")),
    "both need positions": Wrong({"encoding"}, "ordered by place", features(encoding="both")),
    "none needs positions": Wrong({"encoding"}, "cannot tell", features(encoding="neither")),
    "ViT is local": Wrong({"local"}, "flattens its patches", features(local="ViT")),
    "both are local": Wrong({"local"}, "flattens its patches", features(local="both")),
    "CNN is global": Wrong({"global"}, "sees its window only", features(far="CNN")),
    "both are global": Wrong({"global"}, "sees its window only", features(far="both")),
    "local and global exchanged": Wrong({"local", "global"}, "not right", features(local="ViT", far="CNN")),
    "a question mark": Wrong({"local"}, "not one of", features(local="?")),
    "two labels": Wrong({"global"}, "not one of", features(far=["ViT", "neither"])),
    "hedged": Wrong({"sharing"}, "not one of", features(sharing="CNN, or both")),
    "one missing": Wrong({"parallel"}, 'no features["parallel"] yet', features(parallel=None)),
    "a list": Wrong(all_of("p4_5-features"), "write a dict", f"features = {LABELS}"),
    # the same label everywhere earns what can be read in one way only
    "ViT everywhere": Wrong(
        all_of("p4_5-features", "encoding"),
        "for every feature",
        f"features = dict.fromkeys({CHECKS['p4_5-features']}, 'ViT')",
    ),
    "CNN everywhere": Wrong(
        all_of("p4_5-features", "local"),
        "for every feature",
        f"features = dict.fromkeys({CHECKS['p4_5-features']}, 'CNN')",
    ),
    "both everywhere": Wrong(
        all_of("p4_5-features"),
        "for every feature",
        f"features = dict.fromkeys({CHECKS['p4_5-features']}, 'both')",
    ),
    "neither everywhere": Wrong(
        all_of("p4_5-features"),
        "for every feature",
        f"features = dict.fromkeys({CHECKS['p4_5-features']}, 'neither')",
    ),
}

PROBLEM = Problem(
    notebook="p4_cnn_vs_vit",
    given=("p4_0-imports",),
    checks=CHECKS,
    exercises=(
        Exercise(("p4_1-choices",), "p4_1-choices-answer", RIGHT_CHOICES, WRONG_CHOICES),
        Exercise(("p4_4-patches",), "p4_4-patches-answer", RIGHT_PATCHES, WRONG_PATCHES),
        Exercise(("p4_5-features",), "p4_5-features-answer", RIGHT_FEATURES, WRONG_FEATURES),
    ),
)
