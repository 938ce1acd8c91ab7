"""Lists come in pages that a cursor continues: stable while rows are added, and as quick on page 1,000 as on page 1."""

from rest_framework.pagination import CursorPagination


class Pages(CursorPagination):
    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    ordering = "-pk"
