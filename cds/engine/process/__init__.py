"""One engine process on a machine: whoever serves asks it over a Unix socket, and holds no model itself."""
