"""``python -m cds.sandbox``: serve the sandbox as ``CDS_DATA_DIR``, ``CDS_SANDBOX_PORT`` … say."""

from __future__ import annotations

import sys

from cds.errors import ConfigurationError
from cds.sandbox.server import serve
from cds.settings import Settings


def main() -> None:
    try:
        settings = Settings.from_environment()
        serve(
            settings.data_dir / "sandbox",
            settings.sandbox_port,
            pacs_url=settings.sandbox_pacs_url,
            service_url=settings.base_url,
        )
    except ConfigurationError as error:
        sys.exit(f"The sandbox cannot start: {error}.")


if __name__ == "__main__":
    main()
