"""The gunicorn entry: ``gunicorn -c deploy/gunicorn.conf.py wsgi:app``."""

from cds.app import create_app
from cds.chunks import broken_off_where_misframed
from cds.memory import give_back_what_is_large

# For most films, which are only passed on here, room is kept: new pages for each cost more than all its copies.
give_back_what_is_large(from_bytes=4 * 1024 * 1024)
app = create_app()
app.wsgi_app = broken_off_where_misframed(app.wsgi_app)  # type: ignore[method-assign]
