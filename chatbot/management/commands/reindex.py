"""`manage.py reindex --model NAME`: build a model's index beside the live one, compare both, switch; `--rollback` undoes it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from chatbot import comparison, embedding, fitting
from chatbot.providers import registry
from chatbot.providers.base import Embedder, ProviderError
from faqs import selectors, services
from faqs.models import EmbeddingModel


class Command(BaseCommand):
    help = (
        "Build another embedding model's index beside the live one, compare both on the golden questions, and switch."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--model", help="name of the model, such as use-multilingual-v3")
        what.add_argument(
            "--rollback", action="store_true", help="bring back the models that the latest switch retired"
        )
        what.add_argument("--list", action="store_true", help="show the models and what can be used")
        parser.add_argument("--compare-only", action="store_true", help="build and compare, but do not switch")
        parser.add_argument(
            "--force", action="store_true", help="switch even when fewer golden questions come out right"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["list"]:
                self._list()
            elif options["rollback"]:
                self._roll_back()
            else:
                self._reindex(options["model"], compare_only=options["compare_only"], force=options["force"])
        except ProviderError as error:
            raise CommandError(
                f"The model could not be used ({error.code}); what is live stays live. Run it again later."
            ) from error

    def _list(self) -> None:
        embedding.register_models()
        for model in EmbeddingModel.objects.order_by("pk"):
            usable = "" if registry.embedder_of(model) else ", not available with these settings"
            languages = ", ".join(model.languages) or "every language"
            self.stdout.write(
                f"{model} ({model.width} numbers, {languages}): {model.get_status_display().lower()}{usable}"
            )

    def _reindex(self, name: str, *, compare_only: bool, force: bool) -> None:
        embedding.register_models()
        embedder = _available(name)
        model = embedding.register(embedder, live=False)
        services.start_building(model=model)
        self._build(model, embedder)
        if model.status == EmbeddingModel.Status.LIVE and not self._would_retire(model):
            self.stdout.write(f"{model} is live already.")
            return
        worse = self._compare(model, embedder)
        if compare_only:
            self.stdout.write(f"{model} is built; nothing was switched.")
        elif worse and not force:
            raise CommandError(
                f"{model} answers fewer golden questions rightly: not switched. Use --force to switch all the same."
            )
        else:
            retired = services.switch_models(models=[model])
            self.stdout.write(f"{model} is live; retired: {', '.join(map(str, retired)) or 'none'}.")

    def _would_retire(self, model: EmbeddingModel) -> bool:
        return any(model.replaces(other) for other in selectors.live_models() if other != model)

    def _build(self, model: EmbeddingModel, embedder: Embedder) -> None:
        with tqdm(desc=str(model), unit=" FAQs", disable=None) as bar:
            for done, total in embedding.build(model, embedder):
                bar.total = total
                bar.update(done - bar.n)
        fitting.fit_if_stale(model, embedder)

    def _compare(self, model: EmbeddingModel, embedder: Embedder) -> bool:
        """Print both on the golden questions; whether the new one does worse."""
        now, then = comparison.of_live_models(), comparison.of_model(model, embedder)
        for label, tally in (("live now", now), (str(model), then)):
            self.stdout.write(f"{label + ':':40} {tally}")
        return then.right < now.right

    def _roll_back(self) -> None:
        models = selectors.retired_by_latest_switch()
        if not models:
            raise CommandError("There is nothing to roll back to: no model was retired by the latest switch.")
        for model in models:
            embedder = registry.embedder_of(model)
            if embedder is None:
                raise CommandError(f"{model} is not available with these settings; what is live stays live.")
            self._build(model, embedder)
        services.roll_back(to=models)
        self.stdout.write(f"Live again: {', '.join(map(str, models))}.")


def _available(name: str) -> Embedder:
    for embedder in registry.available():
        if embedder.name == name:
            return embedder
    names = ", ".join(embedder.name for embedder in registry.available())
    raise CommandError(f"No model {name!r} is available with these settings. There are: {names}.")
