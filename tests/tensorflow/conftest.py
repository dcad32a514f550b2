"""Tests that need TensorFlow: `make test-tensorflow`. `make test` does not collect this folder."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported
