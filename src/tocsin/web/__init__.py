"""Pages: rendered on the server from `service.read`, kept fresh by server-sent events."""

from tocsin.web.pages import add_pages, router

__all__ = ["add_pages", "router"]
