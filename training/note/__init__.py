"""How ``models/clinical-note`` was made: ``python -m training.note --out models/clinical-note``."""
