"""Child registries of MMAction2's, scope ``mmtad``.

A module is found by its name in a config: the first miss imports the ``locations`` below, so
nothing has to be imported for its side effect. Modules of the parents need no prefix
(``VisionTransformer``), ours are reachable from an MMAction2 project as
``mmtad.ActionFormerHead``. Without MMAction2 the registries hang on MMEngine's.
"""

import mmengine.registry as mmengine_registry
from mmengine.registry import Registry

from . import compat  # noqa: F401

try:
    import mmaction.registry as parent_registry
except ImportError:
    parent_registry = mmengine_registry

SCOPE = "mmtad"


def _child(name: str, parent: str, *locations: str) -> Registry:
    registry = Registry(
        name,
        parent=getattr(parent_registry, parent),
        scope=SCOPE,
        locations=[f"mmtad.{location}" for location in locations],
    )
    # MMEngine finds a scope among its own children and those of the root, so a grandchild is out
    # of reach of every scope but MMAction2's. This makes `mmtad.X` resolve from all of them.
    getattr(mmengine_registry, parent)._children.setdefault(SCOPE, registry)
    return registry


DATASETS = _child("dataset", "DATASETS", "datasets")
TRANSFORMS = _child("transform", "TRANSFORMS", "datasets.transforms")
MODELS = _child("model", "MODELS", "models")
TASK_UTILS = _child("task util", "TASK_UTILS", "models", "postprocessing")
METRICS = _child("metric", "METRICS", "evaluation")
HOOKS = _child("hook", "HOOKS", "engine")
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    "optimizer wrapper constructor", "OPTIM_WRAPPER_CONSTRUCTORS", "engine"
)
WEIGHT_INITIALIZERS = _child("weight initializer", "WEIGHT_INITIALIZERS", "checkpoints")

# Nothing of ours in these yet; without them MMEngine warns about every sampler, optimiser, ...
DATA_SAMPLERS = _child("data sampler", "DATA_SAMPLERS", "datasets")
LOOPS = _child("loop", "LOOPS", "engine")
MODEL_WRAPPERS = _child("model_wrapper", "MODEL_WRAPPERS", "models")
OPTIMIZERS = _child("optimizer", "OPTIMIZERS", "engine")
OPTIM_WRAPPERS = _child("optim_wrapper", "OPTIM_WRAPPERS", "engine")
PARAM_SCHEDULERS = _child("parameter scheduler", "PARAM_SCHEDULERS", "engine")
VISBACKENDS = _child("vis_backend", "VISBACKENDS", "visualization")
VISUALIZERS = _child("visualizer", "VISUALIZERS", "visualization")
