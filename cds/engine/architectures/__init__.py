"""Architectures that Hugging Face does not have. Importing this package makes its Auto classes know them."""

from transformers import AutoConfig, AutoModelForImageClassification

from cds.engine.architectures.densenet import DenseNet121Config, DenseNet121ForImageClassification
from cds.engine.architectures.efficientnet_lite import (
    EfficientNetLiteConfig,
    EfficientNetLiteForImageClassification,
)

AutoConfig.register(EfficientNetLiteConfig.model_type, EfficientNetLiteConfig, exist_ok=True)
AutoModelForImageClassification.register(
    EfficientNetLiteConfig, EfficientNetLiteForImageClassification, exist_ok=True
)
AutoConfig.register(DenseNet121Config.model_type, DenseNet121Config, exist_ok=True)
AutoModelForImageClassification.register(DenseNet121Config, DenseNet121ForImageClassification, exist_ok=True)

__all__ = [
    "DenseNet121Config",
    "DenseNet121ForImageClassification",
    "EfficientNetLiteConfig",
    "EfficientNetLiteForImageClassification",
]
