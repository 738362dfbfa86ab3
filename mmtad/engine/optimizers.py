"""Optimiser groups by the role a parameter plays in an end-to-end detector."""

import logging
import re
from collections import Counter
from typing import Any

from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from mmtad.registry import OPTIM_WRAPPER_CONSTRUCTORS

ROLES = ("adapter", "backbone", "detector")
SETTINGS = {"lr", "weight_decay", "decay_all", "match"}
DECAYED = (nn.Linear, nn.modules.conv._ConvNd, nn.MultiheadAttention)


def role_of(name: str) -> str:
    """Role of a parameter by its name: adapter, backbone or detector.

    Every parameter that an adapter adds has a part ``adapter`` in its name, be it after a block
    (``blocks.3.adapter.gamma``) or inside one (``blocks.3.attn.qkv.adapter.down_proj.weight``).

    Args:
        name: Full name in the model, as ``backbone.blocks.3.adapter.gamma``.
    """
    if "adapter" in name.split("."):
        return "adapter"
    return "backbone" if name.startswith("backbone.") else "detector"


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class RoleOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    r"""Gives adapters, detector and backbone a learning rate and weight decay of their own.

    ``paramwise_cfg`` maps a role (``adapter``, ``backbone``, ``detector``) to ``dict(lr=...,
    weight_decay=..., decay_all=False)``; what a role leaves out comes from the optimiser's own
    settings. Only weights of linear and convolutional layers and matrices of adapters decay
    (biases, norms and scales do not); with ``decay_all=True`` everything of that role decays, as in
    the released AdaTAD code for its adapters. Frozen parameters are left out, so the optimiser
    holds no state for them. Adam and AdamW run as one fused kernel unless ``fused=False``, which
    takes a third of the time on a CPU and no temporaries on a GPU.

    The role follows from the name, see :func:`role_of`. Parameters that belong to the backbone and
    are trained in place of an adapter, as the biases of ``BiasTuning``, are thus of the role
    ``backbone``. ``match=[...]``, regular expressions searched in the full name, draws parameters
    to another role: ``adapter=dict(lr=2e-4, match=[r"^backbone\..*bias$"])``. With it a role may
    have any name, for a part with a rate of its own: ``offsets=dict(lr=1e-5,
    match=["sampling_offsets"])``. The first role with a match wins: those of other names in their
    order, then adapter, backbone, detector.

    Raises:
        ValueError: If ``paramwise_cfg`` names an unknown setting or, without ``match``, an unknown
            role, or nothing is left to train.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        # An empty paramwise_cfg would make the parent skip the groups altogether.
        super().__init__(optim_wrapper_cfg, paramwise_cfg or dict(detector=dict()))
        if self.optimizer_cfg["type"] in ("Adam", "AdamW"):
            self.optimizer_cfg = dict(self.optimizer_cfg)
            self.optimizer_cfg.setdefault("fused", True)

    def add_params(self, params: list[dict], module: nn.Module, **kwargs) -> None:
        """Fill ``params`` with one group per role and decay setting.

        Args:
            params: List that receives the groups.
            module: The whole model.
            **kwargs: Unused; the parent's signature has more arguments.
        """
        config = self._checked()
        groups: dict[tuple[str, bool], dict] = {}
        counts: Counter = Counter()
        seen: set[int] = set()
        for prefix, layer in module.named_modules():
            for key, parameter in layer.named_parameters(recurse=False):
                if not parameter.requires_grad or id(parameter) in seen:
                    continue
                seen.add(id(parameter))
                name = f"{prefix}.{key}" if prefix else key
                role = self._role(name)
                settings = config.get(role, {})
                # LoRA's matrices are parameters of a module that is no layer.
                weighs = isinstance(layer, DECAYED) or role == "adapter"
                decays = settings.get("decay_all", False) or (weighs and parameter.dim() > 1)
                group = groups.setdefault((role, decays), self._new_group(role, settings, decays))
                group["params"].append(parameter)
                counts[role] += parameter.numel()
        if not groups:
            raise ValueError("nothing to train: every parameter of the model is frozen")
        params.extend(groups.values())
        if counts["backbone"] and "lr" not in config.get("backbone", {}):
            print_log(
                f"The backbone's own parameters are trained at the detector's learning rate "
                f"{self.base_lr}; set optim_wrapper.paramwise_cfg.backbone.lr for one of their own",
                "current",
                logging.WARNING,
            )
        summary = ", ".join(f"{role} {counts[role]:,}" for role in self._roles() if counts[role])
        print_log(f"Trainable parameters: {summary}", "current")

    def _checked(self) -> dict:
        config = dict(self.paramwise_cfg)
        for role, settings in config.items():
            if not isinstance(settings, dict):
                raise ValueError(
                    f"paramwise_cfg.{role}={settings!r} must be a dict such as dict(lr={settings})"
                )
            if wrong := set(settings) - SETTINGS:
                raise ValueError(
                    f"paramwise_cfg.{role} has the unknown settings {sorted(wrong)}; use "
                    f"{', '.join(sorted(SETTINGS))}"
                )
        unknown = [role for role in config if role not in ROLES and "match" not in config[role]]
        if unknown:
            raise ValueError(
                f"paramwise_cfg names the unknown roles {unknown}; use {', '.join(ROLES)}, or say "
                "by match=[..] which parameters are meant"
            )
        return config

    def _roles(self) -> tuple[str, ...]:
        return (*(role for role in self.paramwise_cfg if role not in ROLES), *ROLES)

    def _role(self, name: str) -> str:
        for role in self._roles():
            patterns = self.paramwise_cfg.get(role, {}).get("match", ())
            if any(re.search(pattern, name) for pattern in patterns):
                return role
        return role_of(name)

    def _new_group(self, role: str, settings: dict, decays: bool) -> dict:
        group: dict[str, Any] = {"params": [], "name": role if decays else f"{role}_no_decay"}
        lr = settings.get("lr", self.base_lr)
        if lr is not None:
            group["lr"] = lr
        decay = settings.get("weight_decay", self.base_wd)
        if not decays:
            group["weight_decay"] = 0.0
        elif decay is not None:
            group["weight_decay"] = decay
        return group
