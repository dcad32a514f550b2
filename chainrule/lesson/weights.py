"""A trained network's weights in a file that can be handed in. Safetensors files hold numbers and no code."""

from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import nn


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write all parameters and buffers of the model to a safetensors file.

    >>> import tempfile
    >>> model = nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(model, f"{folder}/model.safetensors")
    ...     load_weights(nn.Linear(2, 1), f"{folder}/model.safetensors")
    True
    """
    state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in model.state_dict().items()}
    safetensors.torch.save_file(state, str(path))


def load_weights(model: nn.Module, path: str | Path) -> bool:
    """Put the weights of a file into the model.

    Returns:
        Whether there is such a file.
    Raises:
        ValueError: the file can't be read, or its weights are those of another network.

    >>> load_weights(nn.Linear(2, 1), "no-such-file.safetensors")
    False
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
