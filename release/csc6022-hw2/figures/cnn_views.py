"""What is worth drawing of a convolutional network: its first filters, feature maps, saliency and predictions.

Every function gives None where there is no network yet or where it cannot be run: the figures of `cifar` then
say so. None of them changes the network's mode, weights or gradients.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.datasets.cifar_10 import CIFAR10, normalised


def if_it_runs(view: Callable[..., Tensor | None]) -> Callable[..., Tensor | None]:
    """The view, or None for an unfinished network."""

    @wraps(view)
    def shown(model: Any, *args: Any) -> Tensor | None:
        if not isinstance(model, nn.Module):
            return None
        try:
            with evaluated(model):
                return view(model, *args)
        except Exception:  # student code may raise anything, and a figure is no place to report it
            return None

    return shown


@contextlib.contextmanager
def evaluated(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; afterwards every module has its own mode back."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@if_it_runs
def first_filters(model: nn.Module) -> Tensor | None:
    """A copy of the first convolution's weights (filters, channels, k, k)."""
    return next((p.detach().cpu().clone() for p in model.parameters() if p.ndim == 4), None)


@if_it_runs
def feature_maps(model: nn.Module, image: Tensor) -> Tensor | None:
    """What the network's first convolution and ReLU make of a picture uint8 (3, H, W): (filters, h, w)."""
    convolution = next((module for module in model.modules() if isinstance(module, nn.Conv2d)), None)
    if convolution is None:
        return None
    seen: list[Tensor] = []
    hook = convolution.register_forward_hook(lambda module, inputs, output: seen.append(output.detach()))
    try:
        with torch.no_grad():
            model(batch_for(model, image[None]))
    finally:
        hook.remove()
    return seen[0][0].relu().cpu()


@if_it_runs
def saliency_maps(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor | None:
    """How strongly the score of its label depends on each pixel: of pictures uint8 (N, 3, H, W), maps (N, H, W).

    The largest |gradient| over the three colours, as in Simonyan, Vedaldi and Zisserman, 2014, section 3.
    """
    x = batch_for(model, images).requires_grad_()
    scores = model(x)  # (N, classes)
    own = scores[torch.arange(len(labels)), labels].sum()  # a picture's score depends on no other picture
    (gradient,) = torch.autograd.grad(own, x)
    return gradient.abs().amax(dim=1).cpu()


@if_it_runs
def confusion_matrix(model: nn.Module, data: CIFAR10) -> Tensor | None:
    """How often each true class (row) is predicted as each class (column), counts (10, 10)."""
    n = len(data.classes)
    with torch.no_grad():
        guesses = [model(batch_for(model, part)).argmax(dim=1).cpu() for part in data.images.split(500)]
    return torch.bincount(data.labels * n + torch.cat(guesses), minlength=n * n).reshape(n, n)


def batch_for(model: nn.Module, images: Tensor) -> Tensor:
    """Pictures as the network wants them, where its parameters are."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    return normalised(images).to(device)
