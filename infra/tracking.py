"""MLflow: the one place that says where it is and how long to wait for it."""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from infra.errors import RegistryError, ServiceError
from infra.health import ask, mlflow_url
from infra.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL_NAME: Final = "penchant-interest"
EXPERIMENT: Final = "interest"

#: Read by MLflow at each request; an address that does not answer is given up after seconds, not minutes.
ENVIRONMENT: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",  # what a logged model needs is said, not guessed from the folder we are in
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_ABSENT: Final = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "INVALID_PARAMETER_VALUE")


def prepare() -> None:
    """Set MLflow's own environment; to be called before mlflow is first imported."""
    os.environ.update(ENVIRONMENT)
    logging.getLogger("mlflow").setLevel(logging.WARNING)


def client(settings: Settings) -> MlflowClient:
    """A client of this home's server; nothing global is changed.

    Raises:
        ServiceError: the server does not answer.
    """
    prepare()
    _require(settings)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=mlflow_url(settings), registry_uri=mlflow_url(settings))


def configure(settings: Settings) -> Any:
    """The module ``mlflow``, its fluent functions pointed at this home's server and experiment.

    Raises:
        ServiceError: the server does not answer.
    """
    prepare()
    _require(settings)
    mlflow = _fluent()
    mlflow.set_tracking_uri(mlflow_url(settings))
    mlflow.set_registry_uri(mlflow_url(settings))
    with answering(settings):
        mlflow.set_experiment(EXPERIMENT)
    return mlflow


@contextmanager
def answering(settings: Settings) -> Iterator[None]:
    """Turn MLflow's exceptions into those that a person can act on.

    Raises:
        RegistryError: MLflow says that there is no such run, version or alias.
        ServiceError: the server does not answer, or failed.
    """
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    try:
        yield
    except MlflowException as error:
        if error.error_code in _ABSENT and _answers(settings):
            raise RegistryError(f"MLflow refuses: {error.message}", "MLflow's own pages show what there is.") from error
        raise _failed(settings, str(error.message)) from error
    except RequestException as error:
        raise _failed(settings, str(error)) from error


def _fluent() -> Any:
    import mlflow

    with warnings.catch_warnings():
        # its pyfunc module warns about its own type hints when it is first imported
        warnings.filterwarnings("ignore", message=".*Any type hint is inferred as AnyType", category=UserWarning)
        importlib.import_module("mlflow.pyfunc")
    return mlflow


def _require(settings: Settings) -> None:
    if not _answers(settings):
        raise ServiceError(f"MLflow at {mlflow_url(settings)} does not answer.", "Start it with 'penchant up'.")


def _answers(settings: Settings) -> bool:
    return ask(f"{mlflow_url(settings)}/health")[0] == 200


def _failed(settings: Settings, said: str) -> ServiceError:
    short = said.strip().splitlines()[0][:300] if said.strip() else "no reason given"
    return ServiceError(f"MLflow at {mlflow_url(settings)} failed: {short}", "Look at its log, or 'penchant up' again.")
