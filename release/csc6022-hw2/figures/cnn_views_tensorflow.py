"""The views of `cnn_views` for networks of Keras's: pictures and maps come as there, channels first."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import torch
from torch import Tensor

from chainrule.datasets.cifar_10 import CIFAR10, normalised


def if_it_runs(view: Callable[..., Tensor | None]) -> Callable[..., Tensor | None]:
    """The view, or None for an unfinished network."""

    @wraps(view)
    def shown(model: Any, *args: Any) -> Tensor | None:
        try:
            return view(model, *args) if isinstance(model, keras.Layer) else None
        except Exception:  # student code may raise anything, and a figure is no place to report it
            return None

    return shown


@if_it_runs
def first_filters(model: Any) -> Tensor | None:
    """A copy of the first convolution's weights (filters, channels, k, k)."""
    kernels = [np.array(variable) for variable in model.trainable_variables if len(variable.shape) == 4]
    return torch.from_numpy(kernels[0]).permute(3, 2, 0, 1) if kernels else None


@if_it_runs
def feature_maps(model: Any, image: Tensor) -> Tensor | None:
    """What the network's first convolution and ReLU make of a picture uint8 (3, H, W): (filters, h, w)."""
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Conv2D)]
    if not layers:
        return None
    maps = tf.nn.relu(layers[0](batch_for(image[None])))
    return torch.from_numpy(maps[0].numpy()).permute(2, 0, 1)


@if_it_runs
def saliency_maps(model: Any, images: Tensor, labels: Tensor) -> Tensor | None:
    """How strongly the score of its label depends on each pixel: of pictures uint8 (N, 3, H, W), maps (N, H, W).

    The largest |gradient| over the three colours, as in Simonyan, Vedaldi and Zisserman, 2014, section 3.
    """
    x = batch_for(images)
    with tf.GradientTape() as tape:
        tape.watch(x)
        scores = model(x, training=False)  # (N, classes)
        own = tf.reduce_sum(
            tf.gather(scores, labels.numpy(), batch_dims=1)
        )  # a picture's score depends on no other
    return torch.from_numpy(tf.reduce_max(tf.abs(tape.gradient(own, x)), 3).numpy())


@if_it_runs
def confusion_matrix(model: Any, data: CIFAR10) -> Tensor | None:
    """How often each true class (row) is predicted as each class (column), counts (10, 10)."""
    n = len(data.classes)
    scores = [model(batch_for(part), training=False) for part in data.images.split(500)]
    guesses = torch.from_numpy(np.concatenate([tf.argmax(part, 1).numpy() for part in scores]))
    return torch.bincount(data.labels * n + guesses, minlength=n * n).reshape(n, n)


def batch_for(images: Tensor) -> Any:
    """Pictures uint8 (N, 3, H, W) as the network wants them, (N, H, W, 3)."""
    return tf.constant(normalised(images).permute(0, 2, 3, 1).numpy())
