"""Model bundles: a folder with a manifest whose hash is the model's identity.

Imports no ML library, so that the server checks them too.
"""

from railyard.bundles.manifest import Manifest, model_id, parse_manifest
from railyard.bundles.read import Bundle, check, read
from railyard.bundles.write import write

__all__ = ["Bundle", "Manifest", "check", "model_id", "parse_manifest", "read", "write"]
