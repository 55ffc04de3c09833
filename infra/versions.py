"""Registered versions in MLflow: what they are, which alias points where, and their bundles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from infra.errors import RegistryError
from infra.health import mlflow_url
from infra.settings import Settings
from infra.tracking import answering, client

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
#: Where the bundle lies inside a logged model.
BUNDLE: Final = "artifacts/bundle"
_LONGEST_TAG: Final = 100_000  # as MLflow allows


@dataclass(frozen=True)
class Version:
    """One registered version; ``tags`` hold at least ``kind``, ``name``, ``run`` and ``data_digest``."""

    version: int
    run_id: str
    model_id: str
    tags: dict[str, str]

    @property
    def name(self) -> str:
        """Of the model or baseline, such as ``dien`` or ``buy-again``."""
        return self.tags["name"]

    @property
    def data_digest(self) -> str:
        return self.tags["data_digest"]


class Versions:
    """The versions of one registered model on this home's MLflow server, which is first asked when needed."""

    def __init__(self, settings: Settings, model: str) -> None:
        self._settings, self._model = settings, model

    def register(self, run_id: str, artifact_path: str, tags: Mapping[str, str]) -> int:
        """Make a version out of the model that a run logged as ``artifact_path``.

        Raises:
            RegistryError: the run logged no such model.
        """
        with answering(self._settings):
            model_id = self._logged(run_id, artifact_path)
            if not self._client.search_registered_models(f"name = '{self._model}'"):
                self._create()
            made = self._client.create_model_version(
                self._model, f"models:/{model_id}", run_id, tags=dict(tags), model_id=model_id
            )
            return int(made.version)

    def get(self, version: int) -> Version:
        """Look one version up.

        Raises:
            RegistryError: there is no such version.
        """
        try:
            with answering(self._settings):
                return _version(self._client.get_model_version(self._model, str(version)))
        except RegistryError as error:
            raise RegistryError(
                f"There is no version {version} of {self._model}.",
                "MLflow's page of the model lists them; 'penchant ledger' those that were judged.",
            ) from error

    def all(self) -> list[Version]:
        """Every version, oldest first."""
        found: list[Any] = []
        token = None
        while True:
            with answering(self._settings):
                page = self._client.search_model_versions(f"name = '{self._model}'", page_token=token)
            found += page
            token = page.token
            if not token:
                return sorted((_version(one) for one in found), key=lambda one: one.version)

    def holder(self, alias: str) -> int | None:
        """The version that an alias points to."""
        with answering(self._settings):
            for model in self._client.search_registered_models(f"name = '{self._model}'"):
                held = model.aliases.get(alias)
                return int(held) if held is not None else None
        return None

    def point(self, alias: str, version: int | None) -> None:
        """Point an alias to a version, or take it away."""
        with answering(self._settings):
            if version is None:
                self._client.delete_registered_model_alias(self._model, alias)
            else:
                self._client.set_registered_model_alias(self._model, alias, str(version))

    def tag(self, version: int, tags: Mapping[str, str]) -> None:
        with answering(self._settings):
            for key, value in tags.items():
                self._client.set_model_version_tag(self._model, str(version), key, value[:_LONGEST_TAG])

    def download(self, version: int) -> Path:
        """The version's bundle, in ``home/bundles/<version>``; fetched once, whole or not at all."""
        folder = self._settings.home / "bundles" / str(version)
        if folder.is_dir():
            return folder
        model_id = self.get(version).model_id
        with answering(self._settings):
            place = self._client.get_logged_model(model_id).artifact_location
            self._fetch(f"{place}/{BUNDLE}", folder)
        return folder

    def _fetch(self, address: str, folder: Path) -> None:
        from mlflow.artifacts import download_artifacts

        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as aside:
            fetched = Path(download_artifacts(address, dst_path=aside, tracking_uri=mlflow_url(self._settings)))
            try:
                fetched.replace(folder)
            except OSError:  # a folder that another thread or process put there first is as good
                if not folder.is_dir():
                    raise

    def _logged(self, run_id: str, artifact_path: str) -> str:
        outputs = self._client.get_run(run_id).outputs
        for output in reversed(outputs.model_outputs if outputs else []):
            if self._client.get_logged_model(output.model_id).name == artifact_path:
                return str(output.model_id)
        raise RegistryError(f"The run {run_id} logged no model {artifact_path!r}.", "Train again.")

    def _create(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(self._model, description="Ranks a shop's items by a user's interest.")
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another process was first
                raise

    @cached_property
    def _client(self) -> MlflowClient:
        return client(self._settings)


def _version(found: Any) -> Version:
    model_id = found.source.rpartition("/")[2]  # registered from models:/<model_id>
    return Version(int(found.version), found.run_id, model_id, dict(found.tags))
