"""Pages: rendered on the server, read through `service.read`, kept fresh over server-sent events."""

from tocsin.web.pages import add_pages, router

__all__ = ["add_pages", "router"]
