"""What editors write of a FAQ, as one value: for drafts, versions, comparison and the publish gate alike."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .models import FAQ


@dataclass(frozen=True)
class Content:
    question: str
    answer: str
    category_id: int
    phrasings: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    priority: int = 50
    meta_title: str = ""
    meta_description: str = ""

    @classmethod
    def of(cls, faq: "FAQ") -> "Content":
        """What the FAQ's own row and its phrasings say: what visitors read, when it is published."""
        return cls.from_row(faq, [phrasing.text for phrasing in faq.phrasings.all()])

    @classmethod
    def from_row(cls, row: Any, phrasings: list[str]) -> "Content":
        """Of a FAQ or of a row of its history."""
        texts = {
            name: getattr(row, name) for name in ("question", "answer", "priority", "meta_title", "meta_description")
        }
        return cls(
            category_id=row.category_id, keywords=tuple(row.keywords), phrasings=tuple(sorted(phrasings)), **texts
        )

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Content":
        lists = {name: tuple(stored[name]) for name in ("phrasings", "keywords")}
        return cls(**(dict(stored) | lists))

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"phrasings": list(self.phrasings), "keywords": list(self.keywords)}

    @property
    def digest(self) -> str:
        """The same for the same content: what a writer names as the state that they started from."""
        canonical = json.dumps(self.to_json(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def put_on(self, faq: "FAQ") -> None:
        """Set the row's fields; the phrasings are rows of their own."""
        for name, value in self.to_json().items():
            if name != "phrasings":
                setattr(faq, name, value)
