"""The gunicorn entry: ``gunicorn -c deploy/gunicorn.conf.py wsgi:app``."""

from cds.app import create_app
from cds.chunks import broken_off_where_misframed
from cds.memory import give_back_what_is_large

# A film, which is only passed on here.
give_back_what_is_large(from_bytes=1024 * 1024)
app = create_app()
app.wsgi_app = broken_off_where_misframed(app.wsgi_app)  # type: ignore[method-assign]
