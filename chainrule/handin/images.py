"""Images of a notebook, from the places that it may take them from: itself and its own folder."""

import base64
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from PIL import Image

LARGEST_IMAGE = 30_000_000  # bytes
MOST_PIXELS = 50_000_000


class ImageError(ValueError):
    """An image that does not get into the PDF; the message says why."""


def named_image(address: str, folder: Path, attachments: Mapping[str, Any]) -> bytes:
    """The image that a text names: an attachment of its cell, a data address, or a file in `folder`.

    Raises `ImageError`, or `OSError` for a file that cannot be read.
    """
    if address.startswith("attachment:"):
        forms = attachments.get(unquote(address.removeprefix("attachment:"))) or {}
        for form in forms.values():
            return decoded("".join(map(str, form)) if isinstance(form, list) else str(form))
        raise ImageError("the cell has no such attachment")
    if address.startswith("data:"):
        head, _, body = address.partition(",")
        return decoded(body) if head.endswith(";base64") else unquote(body).encode()
    file = unquote(address).replace("\\", "/").partition("?")[0]
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//", file):
        raise ImageError("it is not a file beside the notebook; download it there")
    folder = folder.resolve()
    path = (folder / file).resolve()  # follows links, so none leads out
    if file.startswith("/") or not path.is_relative_to(folder):
        raise ImageError("it is outside the notebook's folder; copy it there")
    if not path.is_file():
        raise ImageError("there is no such file")
    if path.stat().st_size > LARGEST_IMAGE:
        raise ImageError(f"it is larger than {LARGEST_IMAGE // 1_000_000} MB")
    return path.read_bytes()


def is_drawing(data: bytes) -> bool:
    """Whether an image is an SVG drawing, or claims to be one."""
    return data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def raster(data: bytes) -> tuple[str, int]:
    """Suffix of a file of pixels and its width in pixels. Reads the image whole, as there is no PDF of half a one.

    Raises `ImageError`.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "GIF", "WEBP"]) as image:
            large = image.width * image.height > MOST_PIXELS
            if not large:
                image.load()
            suffix, pixels = str(image.format).lower(), image.width
    except Exception as error:  # Pillow raises a dozen kinds
        raise ImageError("it is no readable PNG, JPEG, GIF, WebP or SVG image") from error
    if large:
        raise ImageError(f"it has more than {MOST_PIXELS // 1_000_000} million pixels")
    return suffix, pixels


def decoded(text: str) -> bytes:
    """base64 to bytes; raises `ImageError`."""
    try:
        return base64.b64decode(text)
    except ValueError as error:
        raise ImageError("its data is incomplete") from error
