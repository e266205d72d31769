-- The second step to the search index of 0003: everything stands in it by now, what was written before it too
-- (`cds db upgrade` saw to it, batch by batch, beside a service that runs). The planner learns how much that is.
ANALYZE search_row;
ANALYZE search_term;
