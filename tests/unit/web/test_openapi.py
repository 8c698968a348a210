"""The OpenAPI document, and that what is served keeps to it."""

from __future__ import annotations


