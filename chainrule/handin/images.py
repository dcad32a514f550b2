"""The images of a notebook. They may come from the notebook itself and from its folder, nowhere else."""

import base64
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from PIL import Image

from chainrule.errors import ChainruleError

MAX_IMAGE_BYTES = 30_000_000
MAX_PIXELS = 50_000_000


class ImageError(ChainruleError, ValueError):
    """An image that cannot be shown; the message says why."""


def named_image(address: str, folder: Path, attachments: Mapping[str, Any]) -> bytes:
    """The image that `address` names: an attachment of its cell, a data address, or a file in `folder`.

    Raises `ImageError`, or `OSError` for a file that cannot be read.
    """
    if address.startswith("attachment:"):
        known = attachments if isinstance(attachments, Mapping) else {}
        forms = known.get(unquote(address.removeprefix("attachment:")))
        for form in forms.values() if isinstance(forms, Mapping) else ():
            return from_base64("".join(map(str, form)) if isinstance(form, list) else str(form))
        raise ImageError("the cell has no such attachment")
    if address.startswith("data:"):
        head, _, body = address.partition(",")
        return from_base64(body) if head.endswith(";base64") else unquote(body).encode()
    file = unquote(address).replace("\\", "/").partition("?")[0]
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//", file):
        raise ImageError("it is not a file beside the notebook; download it there")
    folder = folder.resolve()
    path = (folder / file).resolve()  # follows links, so no link leads out
    if file.startswith("/") or not path.is_relative_to(folder):
        raise ImageError("it is outside the notebook's folder; copy it there")
    if not path.is_file():
        raise ImageError("there is no such file")
    if path.stat().st_size > MAX_IMAGE_BYTES:
        raise ImageError(f"it is larger than {MAX_IMAGE_BYTES // 1_000_000} MB")
    return path.read_bytes()


def is_svg(data: bytes) -> bool:
    """Whether an image is SVG, or claims to be."""
    return data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def raster_format(data: bytes) -> tuple[str, int]:
    """The file suffix and the width in pixels of a PNG, JPEG, GIF or WebP image. Reads all of it, to find damage.

    Raises `ImageError`.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "GIF", "WEBP"]) as image:
            large = image.width * image.height > MAX_PIXELS
            if not large:
                image.load()
            suffix, pixels = str(image.format).lower(), image.width
    except Exception as error:  # Pillow raises many kinds
        raise ImageError("it is no readable PNG, JPEG, GIF, WebP or SVG image") from error
    if large:
        raise ImageError(f"it has more than {MAX_PIXELS // 1_000_000} million pixels")
    return suffix, pixels


def from_base64(text: str) -> bytes:
    """Decode base64; raises `ImageError`."""
    try:
        return base64.b64decode(text)
    except ValueError as error:
        raise ImageError("its data is incomplete") from error
