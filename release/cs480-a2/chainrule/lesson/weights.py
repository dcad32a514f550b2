"""A trained network's weights in a file that can be handed in: numbers only, nothing in it can run."""

from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import nn


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write all parameters and buffers of the model to a safetensors file."""
    state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in model.state_dict().items()}
    safetensors.torch.save_file(state, str(path))


def load_weights(model: nn.Module, path: str | Path) -> bool:
    """Put the weights of a file into the model; False, and nothing done, if there is no such file.

    Raises:
        ValueError: the file is none of weights, or its weights are another network's.
    """
    if not Path(path).exists():
        return False
    try:
        state: dict[str, torch.Tensor] = safetensors.torch.load_file(str(path))
    except (safetensors.SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read ({error}): delete it and train again") from None
    own = model.state_dict()
    differ = sorted(own.keys() ^ state.keys()) or [n for n in own if own[n].shape != state[n].shape]
    if differ:
        raise ValueError(
            f"{path} holds the weights of another network (see {', '.join(differ[:3])}): "
            "delete it and train again, or go back to the network it is of"
        )
    model.load_state_dict(state)
    return True
