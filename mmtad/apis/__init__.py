from .inferencer import TADInferencer
from .writers import save_results

__all__ = ["TADInferencer", "save_results"]
