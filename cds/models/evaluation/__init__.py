"""How well a bundle does on labelled radiographs, CTs or notes, scored as the service scores them."""

from cds.models.evaluation.scoring import evaluate_images, evaluate_notes, evaluate_series

__all__ = ["evaluate_images", "evaluate_notes", "evaluate_series"]
