"""How well a bundle does on labelled radiographs or notes, scored as the service scores them."""

from cds.models.evaluation.scoring import evaluate_images, evaluate_notes

__all__ = ["evaluate_images", "evaluate_notes"]
