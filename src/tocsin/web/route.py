"""Routes whose errors are pages."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from tocsin.errors import InvalidInputError, NotAllowedError, TocsinError, UnknownModelError
from tocsin.web.rendering import failed, not_found


class PageRoute(APIRoute):
    """A route whose errors are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler that turns our errors into pages."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except UnknownModelError as error:
                return not_found(spoken(str(error)))
            except RequestValidationError as error:
                faults = "; ".join(
                    f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors()
                )
                return failed(422, "This address cannot be read", spoken(faults))
            except InvalidInputError as error:
                return failed(422, "This address cannot be read", spoken(str(error)))
            except NotAllowedError as error:
                return failed(403, "This may not be done from there", spoken(str(error)))
            except TocsinError as error:
                return failed(500, "This page could not be made", spoken(str(error)))

        return handle


def spoken(text: str) -> str:
    """A message as a sentence."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
