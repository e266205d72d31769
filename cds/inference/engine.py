"""The engine as the use cases know it: images and notes in, scores and evidence out, each by a deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

from cds.deadline import Deadline
from cds.ehr.documents import Document
from cds.engine.active import ct_in_use, in_use
from cds.engine.bundles import Bundle
from cds.engine.image import Picture
from cds.engine.local import LocalEngine
from cds.engine.network import Logits
from cds.engine.slices import Pictures, SliceReader
from cds.findings import Evidence, NoteSeen, PartScore
from cds.imaging.ct import windows
from cds.imaging.ct.slice import CtInstance, Hounsfield, Slice
from cds.imaging.film import Film
from cds.notes.context import PatientContext
from cds.notes.deidentification.known import KnownIdentifiers
from cds.notes.evidence import Source
from cds.settings import Settings

Operation = Callable[..., Any]


@dataclass(frozen=True)
class Models:
    """The bundles that an engine runs."""

    image: Bundle
    note: Bundle
    identifiers: Bundle
    """What finds the names that no pattern knows."""
    quality: Bundle
    """What tells whether a film is one that the image model can be asked about."""
    ct: tuple[Bundle, ...] = ()
    """What reads the slices of CTs, one for each part of the body that somebody brought one for."""

    @classmethod
    def in_use(cls, settings: Settings) -> Self:
        """Raise :class:`~cds.errors.ModelError` where one cannot be used."""
        identifiers = Bundle.load(settings.models_dir / settings.deid_bundle).expect("identifiers")
        image, note, quality = (in_use(settings, kind) for kind in ("image", "note", "quality"))
        return cls(image, note, identifiers, quality, tuple(ct_in_use(settings)))

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        return (self.image, self.note, self.identifiers, self.quality, *self.ct)

    def check(self) -> None:
        """Raise :class:`~cds.errors.ModelError` where a bundle's files are not those that were loaded any more."""
        for bundle in self.bundles:
            bundle.unaltered()

    @cached_property
    def digests(self) -> tuple[str, ...]:
        return tuple(bundle.version.digest for bundle in self.bundles)


@dataclass(frozen=True, slots=True)
class NotesRead:
    """Notes without identifiers. Made for one call: the sources hold what the patient's record alone may keep."""

    text: str
    """What the model is to read."""
    notes: tuple[NoteSeen, ...]
    sources: tuple[Source, ...]
    withheld: int = 0
    """How many more could have been read, but not de-identified in time."""


class Ask(Protocol):
    """Has an operation done, here or elsewhere (:class:`~cds.engine.process.client.EngineProcess`)."""

    def __call__(self, operation: str, deadline: Deadline, /, *arguments: Any) -> Any: ...


class Engine:
    """Each method raises :class:`~cds.errors.EngineError` where there is no answer by the deadline."""

    def __init__(self, models: Models, ask: Ask) -> None:
        self.models = models
        self._ask = ask

    def read_film(self, data: bytes, deadline: Deadline) -> Film:
        """A DICOM file as the image model reads it; raises :class:`~cds.errors.ImagingError`."""
        film: Film = self._ask("read film", deadline, data)
        return film

    def score_film(self, film: Film, deadline: Deadline) -> PartScore:
        score: PartScore = self._ask("score image", deadline, film.picture)
        return score

    def explain_film(self, picture: Picture, finding: str, deadline: Deadline) -> Picture:
        """Which places of a film's picture speak for a finding; raises :class:`~cds.errors.NoSaliency`."""
        saliency: Picture = self._ask("explain image", deadline, picture, finding)
        return saliency

    def read_ct(self, data: bytes, bundle: Bundle, deadline: Deadline) -> CtInstance:
        """The slices in a file of such a CT as ``bundle`` reads; raises :class:`~cds.errors.ImagingError`."""
        read: CtInstance = self._ask("read CT", deadline, data, bundle.role)
        return read

    def read_slice(self, data: bytes, frame: int | None, deadline: Deadline) -> Slice:
        """One of them, of whatever CT; raises as :meth:`read_ct`."""
        read: Slice = self._ask("read slice", deadline, data, frame)
        return read

    def picture_slice(self, hounsfield: Hounsfield, bundle: Bundle, deadline: Deadline) -> windows.Picture:
        """A slice as ``bundle`` asks for it."""
        picture: windows.Picture = self._ask("picture slice", deadline, hounsfield, bundle.role)
        return picture

    def score_slices(self, pictures: Pictures, bundle: Bundle, deadline: Deadline) -> Logits:
        """Slices as ``bundle`` asks for them, each by itself."""
        logits: Logits = self._ask("score slices", deadline, pictures, bundle.role)
        return logits

    def explain_slice(self, picture: windows.Picture, bundle: Bundle, finding: str, deadline: Deadline) -> Picture:
        """Which places of one slice speak for a finding; raises :class:`~cds.errors.NoSaliency`."""
        saliency: Picture = self._ask("explain slice", deadline, picture, bundle.role, finding)
        return saliency

    def read_notes(self, documents: Sequence[Document], known: KnownIdentifiers, deadline: Deadline) -> NotesRead:
        """Notes without identifiers; raises :class:`~cds.errors.NoteError` where none can be read."""
        read: NotesRead = self._ask("read notes", deadline, documents, known)
        return read

    def read_account(
        self, context: PatientContext, note: str, nobody: KnownIdentifiers, deadline: Deadline
    ) -> NotesRead:
        """What a caller without FHIR tells of a patient; raises :class:`~cds.errors.NoteError`."""
        read: NotesRead = self._ask("read account", deadline, context, note, nobody)
        return read

    def score_notes(self, read: NotesRead, deadline: Deadline) -> PartScore:
        score: PartScore = self._ask("score note", deadline, read.text)
        return score

    def evidence(self, read: NotesRead, score: PartScore, deadline: Deadline) -> tuple[Evidence, ...]:
        """What in the notes carried ``score``, and what names a finding that is not there."""
        found: tuple[Evidence, ...] = self._ask("find evidence", deadline, read, score)
        return found


def by_models(engine: LocalEngine, ct: Iterable[SliceReader] = ()) -> dict[str, Operation]:
    """The operations of the models, which take the deadline as their last argument."""
    slices = {reader.bundle.role: reader for reader in ct}

    def score_slices(pictures: Pictures, role: str, deadline: Deadline) -> Logits:
        return slices[role](pictures, deadline)

    def explain_slice(picture: windows.Picture, role: str, finding: str, deadline: Deadline) -> Picture:
        return slices[role].explain(picture, finding, deadline)

    return {
        "score image": engine.score_image,
        "score slices": score_slices,
        "score note": engine.score_note,
        "explain image": engine.explain_image,
        "explain slice": explain_slice,
    }
