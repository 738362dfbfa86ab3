from .plain import PlainAdapter
from .tia import TIA

__all__ = ["PlainAdapter", "TIA"]
