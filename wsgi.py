"""The gunicorn entry: ``gunicorn -c deploy/gunicorn.conf.py wsgi:app``."""

from cds.app import create_app

app = create_app()
