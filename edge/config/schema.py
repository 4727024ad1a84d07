"""The whole configuration: its sections, and the rules between them."""

from collections.abc import Iterator, Mapping

from pydantic import model_validator

from edge.config.azure import AzureSection
from edge.config.network import HttpSection, MqttSection
from edge.config.sections import (
    BatchingSection,
    DaemonSection,
    LogSection,
    ModelSection,
    RegistrySection,
    RolloutSection,
    Section,
    SessionSection,
    StorageSection,
)
from edge.config.sources import SourceSection

REQUEST_SHARE = 0.9
"""How much of the queue HTTP requests may fill: ``edge.execution.admission.SHARE``, which is too heavy to import."""
LARGEST = "the largest request would never fit"


class Config(Section):
    """All there is to configure."""

    model: ModelSection = ModelSection()
    registry: RegistrySection = RegistrySection()
    azure: AzureSection = AzureSection()
    rollout: RolloutSection = RolloutSection()
    session: SessionSection = SessionSection()
    batching: BatchingSection = BatchingSection()
    http: HttpSection = HttpSection()
    mqtt: MqttSection = MqttSection()
    daemon: DaemonSection = DaemonSection()
    storage: StorageSection = StorageSection()
    log: LogSection = LogSection()
    source: tuple[SourceSection, ...] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> "Config":
        problems = list(self._mismatches())
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _mismatches(self) -> Iterator[str]:
        names = [source.name for source in self.source]
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield f"source: the name {name!r} is given twice"
        if self.batching.max_batch_size > max(self.session.batch_sizes):
            yield "batching.max_batch_size: must not exceed the largest of session.batch_sizes"
        if self.http.enabled and self.http.max_images > self.batching.queue_size * REQUEST_SHARE:
            yield f"http.max_images: must not exceed {REQUEST_SHARE:g} of batching.queue_size: {LARGEST}"
        if self.http.enabled and self.http.max_body_mb > self.batching.queue_mb * REQUEST_SHARE:
            yield f"http.max_body_mb: must not exceed {REQUEST_SHARE:g} of batching.queue_mb: {LARGEST}"
        yield from self._followed()

    def _followed(self) -> Iterator[str]:
        """Yield what does not fit between the registry's kind, what is followed there, and Azure."""
        registry, azure = self.registry, self.azure
        marked = next((key for key in ("stage", "tag") if getattr(registry, key) is not None), None)
        if registry.kind != "azureml":
            if marked:
                yield f"registry.{marked}: only a registry of kind 'azureml' has stages and tags, this one is a folder"
            return
        if self.model.name is None:
            yield "model.name: must name the model that is followed in Azure"
        if azure.shared_registry is None and not azure.is_workspace:
            yield "azure.workspace: give subscription_id, resource_group and workspace, or shared_registry"
        if azure.shared_registry is not None and registry.stage is not None:
            yield "registry.stage: models in a shared registry have no stage; use registry.tag"
        if marked and self.model.version != "latest":
            yield f"registry.{marked}: model.version {self.model.version!r} is pinned, so nothing is followed; drop one"


SECTIONS: Mapping[str, type[Section]] = {
    key: field.annotation
    for key, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
"""The sections that are tables, by key: all but ``source``."""
