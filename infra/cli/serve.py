"""``penchant serve``: the API in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; by default the setting api_host.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to listen on; by default the setting api_port.")
    ] = None,
) -> None:
    """Run the API in the foreground until it is interrupted."""
    from infra.ports import require_free
    from infra.settings import load_settings

    settings = load_settings()
    address, number = host or settings.api_host, port or settings.api_port
    require_free(number, "api_port", "The API")

    import uvicorn

    from serving.app import create_app

    # uvicorn's own access log names users; ours does not
    uvicorn.run(create_app(settings), host=address, port=number, access_log=False)
