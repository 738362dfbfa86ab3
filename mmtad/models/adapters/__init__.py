from .bias_tuning import BiasTuning
from .lora import LongLoRA, LoRA
from .plain import PlainAdapter
from .tia import TIA

__all__ = ["BiasTuning", "LoRA", "LongLoRA", "PlainAdapter", "TIA"]
