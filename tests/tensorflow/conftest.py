"""TensorFlow is imported after torch._dynamo: the other way round Python crashes, as both bring a compiler."""

import torch._dynamo  # noqa: F401
