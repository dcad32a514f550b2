"""Recognises normalisations that were written as modules, by what they do to numbers of ours."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import permutations
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

MOST = 6  # tensors of a module that are tried in all roles


class Normalisation(NamedTuple):
    """What a module does, as far as it is BatchNorm.

    Attributes:
        parameters: the module's own name of the tensor in each role of `F.batch_norm` that it has in eval mode; no
            role if it is another normalisation.
        by_batch: in training mode it uses mean and variance of the batch.

    >>> Normalisation({}, by_batch=False).parameters
    {}
    """

    parameters: dict[str, str]
    by_batch: bool


def normalisation(module: nn.Module, x: torch.Tensor) -> Normalisation | None:
    """How the module normalises; None if it does not, or stops with an exception.

    The module stays as it is: a copy of it runs.

    Args:
        x: an input (N, C, …), of which type, device and shape count.

    >>> found = normalisation(nn.BatchNorm1d(3, affine=False), torch.ones(2, 3))
    >>> found.parameters
    {'running_mean': 'running_mean', 'running_var': 'running_var'}
    >>> normalisation(nn.LayerNorm(3), torch.ones(2, 3)).parameters
    {}
    >>> normalisation(nn.Tanh(), torch.ones(2, 3)) is None
    True
    """
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            return _found(copy.deepcopy(module), x)
    except Exception:
        return None


def _found(module: nn.Module, like: torch.Tensor) -> Normalisation | None:
    generator = torch.Generator().manual_seed(1)
    # Many rows, so that it hardly matters whether a variance is divided by N or N - 1.
    x = 2 * torch.randn(64 if like.ndim == 2 else 4, *like.shape[1:], generator=generator) + 1
    x = x.to(like)
    tensors = {
        name: tensor
        for name, tensor in {**dict(module.named_parameters()), **kept(module)}.items()
        if tensor.is_floating_point() and tensor.numel() == x.shape[1]
    }
    if len(tensors) > MOST:
        return None
    values = {name: (0.5 + torch.rand(x.shape[1], generator=generator)).to(x) for name in tensors}

    def output(x: torch.Tensor, training: bool) -> torch.Tensor:
        for name, value in values.items():
            tensor = dict(module.named_parameters()).get(name, kept(module).get(name))
            if tensor is not None:
                tensor.copy_(value.view_as(tensor))
        result: torch.Tensor = module.train(training)(x.clone())
        return result

    evaluated, trained = output(x, False), output(x, True)
    learnt = {name for name, _ in module.named_parameters() if tensors.get(name) is not None}
    learnt = {name for name in learnt if tensors[name].requires_grad}
    for roles in _roles(sorted(learnt), sorted(tensors.keys() - learnt)):
        v = {role: values[name] for role, name in roles.items()}
        mean, variance, scale, shift = (v.get(role) for role in ROLES)
        if _close(evaluated, F.batch_norm(x, mean, variance, scale, shift, training=mean is None)):
            batch = F.batch_norm(x, None, None, scale, shift, training=True)
            return Normalisation(roles, _close(trained, batch))
    # Other normalisations remove a channel's mean, or mean and size of all of an image; a softmax does neither.
    shift = torch.arange(x.shape[1]).to(x).view(1, -1, *[1] * (x.ndim - 2))
    for training, before in ((True, trained), (False, evaluated)):
        if any(_close(output(other, training), before) for other in (x + shift, 3 * x + 2)):
            return Normalisation({}, False)
    return None


ROLES = ("running_mean", "running_var", "weight", "bias")


def _roles(learnt: list[str], others: list[str]) -> Iterator[dict[str, str]]:
    """The ways to give names to the roles: running statistics or none, scale and shift or none."""
    for statistics in ((), *permutations(others, 2)):
        for affine in ((), *permutations(learnt, 2)):
            yield dict(zip(ROLES[:2], statistics, strict=False)) | dict(zip(ROLES[2:], affine, strict=False))


def _close(got: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Close enough for another ε in the denominator; what is constant resembles everything and counts for nothing."""
    return float(got.std()) > 1e-3 and bool((got - wanted).abs().max() <= 0.02 * wanted.abs().max())


def kept(module: nn.Module) -> dict[str, torch.Tensor]:
    """A module's buffers, and tensors that are plain attributes of its own, by name.

    >>> list(kept(nn.BatchNorm1d(3)))
    ['running_mean', 'running_var', 'num_batches_tracked']
    """
    plain = {name: value for name, value in vars(module).items() if isinstance(value, torch.Tensor)}
    return {**plain, **dict(module.named_buffers())}


def keep(module: nn.Module, name: str) -> None:
    """Make a plain attribute a buffer, so that it can be set by name.

    >>> module = nn.ReLU()
    >>> module.mean = torch.zeros(1)
    >>> keep(module, "mean")
    >>> list(module.state_dict())
    ['mean']
    """
    if isinstance(vars(module).get(name), torch.Tensor):
        value = getattr(module, name)
        delattr(module, name)
        module.register_buffer(name, value)
