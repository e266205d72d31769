"""The master key of the tests: nothing that it protects outlives them."""

from base64 import urlsafe_b64encode

from cds.store.master_key import LocalMasterKey

MASTER_KEY = urlsafe_b64encode(bytes(range(32))).decode()
"""As a setting."""
MASTER = LocalMasterKey(bytes(range(32)))
