"""A trained Keras network's weights in a file that can be handed in: see `weights`."""

from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy


def numbered(model: Any) -> dict[str, Any]:
    """The model's variables by their place and kind: Keras's own names count the layers that were made before.

    >>> import keras
    >>> list(numbered(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])))
    ['00.kernel', '01.bias']
    """
    known = [variable for variable in model.variables if "seed_generator" not in variable.path]
    return {f"{i:02d}.{variable.path.rpartition('/')[2]}": variable for i, variable in enumerate(known)}


def save_weights(model: Any, path: str | Path) -> None:
    """Write all weights and statistics of the model to a safetensors file.

    >>> import keras
    >>> import tempfile
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(model, f"{folder}/model.safetensors")
    ...     load_weights(model, f"{folder}/model.safetensors")
    True
    """
    state = {name: np.array(variable) for name, variable in numbered(model).items()}
    safetensors.numpy.save_file(state, str(path))


def load_weights(model: Any, path: str | Path) -> bool:
    """Put the weights of a file into the model, which has seen a picture before: its layers have their weights.

    Returns:
        Whether there is such a file.
    Raises:
        ValueError: the file can't be read, or its weights are those of another network.

    >>> load_weights(None, "no-such-file.safetensors")
    False
    """
    if not Path(path).exists():
        return False
    try:
        state = safetensors.numpy.load_file(str(path))
    except (safetensors.SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read ({error}): delete it and train again") from None
    own = numbered(model)
    differ = sorted(own.keys() ^ state.keys()) or [n for n in own if tuple(own[n].shape) != state[n].shape]
    if differ:
        raise ValueError(
            f"{path} holds the weights of another network (see {', '.join(differ[:3])}): "
            "delete it and train again, or go back to the network it is of"
        )
    for name, variable in own.items():
        variable.assign(state[name])
    return True
